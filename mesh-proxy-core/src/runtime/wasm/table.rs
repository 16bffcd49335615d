//! The plugins of the configuration in force: which there are, how they stand, and the work to have them.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use mesh_compile::proxy::extensions::{ChainKind, Extension, Extensions};
use mesh_model::extensions::traffic_extension::spec::{EnvValueSource, ExtensionCode, WasmConfig};
use tokio::sync::{Notify, Semaphore};

use super::fetch::ModuleFetch;
use super::limits::WasmLimits;
use super::machine::Machine;
use super::module::{self, Refusal};
use super::plugin::{Loaded, Loading, Plugin};
use super::shared::{Shared, WasmMetric};
use crate::runtime::proxy::Inner;
use crate::seam::clock::Clock;

/// Modules that are fetched and compiled at once.
const AT_ONCE: usize = 2;
/// A module that could not be fetched is fetched again, later each time.
const AGAIN_MS: u64 = 1_000;
const AGAIN_MAX_MS: u64 = 300_000;

/// The plugins of a proxy.
#[derive(Debug)]
pub(crate) struct Wasm {
    limits: WasmLimits,
    fetch: ModuleFetch,
    clock: Arc<dyn Clock>,
    proxy: Arc<OnceLock<Weak<Inner>>>,
    /// Made for the first plugin.
    machine: OnceLock<Result<Arc<Machine>, String>>,
    plugins: ArcSwap<Vec<Arc<Plugin>>>,
    /// The plugins have changed.
    changed: Notify,
}

/// How a plugin stands. Ours: who watches a proxy sees which code it runs, and why not another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WasmState {
    /// `NAMESPACE.NAME` of its resource.
    pub name: String,
    /// Whether a module runs for it.
    pub runs: bool,
    /// Whether that is the one that the resource names; otherwise it is one that an earlier version of it named.
    pub is_current: bool,
    /// Why the resource's own does not run, where that is known.
    pub problem: Option<Refusal>,
    /// Instances that were made anew after others broke.
    pub restarts: u64,
    /// Metrics that the module has defined.
    pub metrics: Vec<WasmMetric>,
}

impl Wasm {
    pub(crate) fn new(limits: WasmLimits, fetch: ModuleFetch, clock: Arc<dyn Clock>) -> Self {
        Self {
            limits,
            fetch,
            clock,
            proxy: Arc::default(),
            machine: OnceLock::new(),
            plugins: ArcSwap::default(),
            changed: Notify::new(),
        }
    }

    /// Whose plugins these are; said once.
    pub(crate) fn belongs_to(&self, proxy: &Arc<Inner>) {
        let _ = self.proxy.set(Arc::downgrade(proxy));
    }

    /// Takes the extensions of another configuration. Plugins that stay as they are run on; what runs in the place of one
    /// that has changed runs until the new module does.
    pub(crate) fn want(&self, extensions: &Extensions) {
        let known = self.plugins.load();
        let plugins = extensions.all.iter().filter_map(|extension| {
            let ExtensionCode::Wasm(config) = &extension.code else { return None };
            let kind = kind(extension);
            let before = known.iter().find(|plugin| plugin.kind == kind && plugin.name == extension.name);
            if let Some(same) = before.filter(|plugin| plugin.config == **config) {
                return Some(Arc::clone(same));
            }
            let running = before.and_then(|plugin| plugin.active.load_full());
            Some(Arc::new(Plugin::new(kind, Arc::clone(&extension.name), (**config).clone(), running)))
        });
        self.plugins.store(Arc::new(plugins.collect()));
        self.changed.notify_one();
    }

    /// The plugin of an extension; `None`: it is none, or no longer wanted.
    pub(super) fn of(&self, extension: &Extension) -> Option<Arc<Plugin>> {
        let plugins = self.plugins.load();
        let kind = kind(extension);
        plugins.iter().find(|plugin| plugin.kind == kind && plugin.name == extension.name).map(Arc::clone)
    }

    pub(crate) fn states(&self) -> Vec<WasmState> {
        let plugins = self.plugins.load();
        let state = |plugin: &Arc<Plugin>| {
            let Loading { is_done, problem, .. } = plugin.state().clone();
            let active = plugin.active.load();
            WasmState {
                name: plugin.name.to_string(),
                runs: active.is_some(),
                is_current: is_done,
                problem,
                restarts: active
                    .as_ref()
                    .map_or(0, |it| it.restarts.load(std::sync::atomic::Ordering::Relaxed)),
                metrics: active.as_ref().map_or_else(Vec::new, |active| active.shared.metrics()),
            }
        };
        plugins.iter().map(state).collect()
    }

    /// Those that are due now, and how long there is nothing more to do.
    fn due(&self) -> (Vec<Arc<Plugin>>, Duration) {
        let now = self.clock.now_ms();
        let mut wait = AGAIN_MAX_MS;
        let mut due = Vec::new();
        for plugin in self.plugins.load().iter() {
            let mut state = plugin.state();
            match state.again_ms {
                Some(again) if !state.is_under_way && again <= now => {
                    (state.is_under_way, state.again_ms) = (true, None);
                    due.push(Arc::clone(plugin));
                }
                Some(again) => wait = wait.min(again.saturating_sub(now)),
                None => {}
            }
        }
        (due, Duration::from_millis(wait.max(5)))
    }

    /// Fetches, compiles and starts the module of a plugin, and puts it into service.
    async fn load(&self, plugin: &Arc<Plugin>) {
        let loaded = self.obtain(plugin).await;
        let mut state = plugin.state();
        (state.is_under_way, state.tries) = (false, state.tries.saturating_add(1));
        match loaded {
            Ok(loaded) => {
                let loaded = Arc::new(loaded);
                plugin.active.store(Some(Arc::clone(&loaded)));
                (state.is_done, state.problem) = (true, None);
                tracing::info!(plugin = &*plugin.name, "a Wasm module is in service");
                if let Some(proxy) = self.proxy.get().and_then(Weak::upgrade) {
                    proxy.tasks.spawn(super::keep::keep(Arc::downgrade(&proxy), Arc::downgrade(&loaded)));
                }
            }
            Err(refusal) => {
                let runs = plugin.active.load().is_some();
                tracing::warn!(plugin = &*plugin.name, %refusal, runs, "a Wasm module is not taken");
                if let Refusal::Fetch(_) = refusal {
                    let wait = AGAIN_MS.saturating_mul(1 << state.tries.min(10)).min(AGAIN_MAX_MS);
                    state.again_ms = Some(self.clock.now_ms().saturating_add(wait));
                }
                state.problem = Some(refusal);
            }
        }
    }

    /// Tries to load all that are due, one after the other.
    #[cfg(test)]
    pub(super) async fn load_all(&self) {
        for plugin in self.due().0 {
            self.load(&plugin).await;
        }
    }

    async fn obtain(&self, plugin: &Plugin) -> Result<Loaded, Refusal> {
        let config = &plugin.config;
        if chain(config) == ChainKind::Network {
            return Err(Refusal::NotHere("modules of the kind NETWORK are not run here"));
        }
        // The name is `NAMESPACE.NAME`, and a namespace has no dot.
        let namespace = plugin.name.split('.').next().unwrap_or_default();
        let fetched =
            tokio::time::timeout(self.limits.fetch, self.fetch.fetch(namespace, config, &self.limits));
        let bytes = fetched.await.map_err(|_| Refusal::Fetch("it did not come in time".to_owned()))??;
        let machine = self.machine.get_or_init(|| Machine::new(self.limits).map(Arc::new)).clone();
        let machine = machine.map_err(Refusal::Start)?;
        let shared = Arc::new(self.shared(plugin));
        let started = tokio::task::spawn_blocking(move || {
            let compiled = module::compile(&machine, bytes)?;
            Loaded::start(compiled, shared)
        });
        started.await.unwrap_or_else(|error| Err(Refusal::Start(error.to_string())))
    }

    fn shared(&self, plugin: &Plugin) -> Shared {
        let config = &plugin.config;
        let configuration = config.plugin_config.as_ref().and_then(|it| serde_json::to_vec(it).ok());
        let environment = config.vm_config.iter().flat_map(|vm| &vm.env).filter_map(|line| {
            let value = match line.value_from {
                EnvValueSource::Host => std::env::var(&line.name).ok()?,
                _ => line.value.clone(),
            };
            Some((line.name.clone(), value))
        });
        Shared::new(
            Arc::clone(&plugin.name),
            config.plugin_name.clone(),
            configuration.unwrap_or_default(),
            environment.collect(),
            self.limits,
            Arc::clone(&self.clock),
            Arc::clone(&self.proxy),
        )
    }
}

/// Loads whatever is due until a drain begins.
pub(crate) async fn run(proxy: Arc<Inner>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let (due, wait) = proxy.wasm.due();
        for plugin in due {
            let (proxy, places) = (Arc::clone(&proxy), Arc::clone(&places));
            tokio::spawn(async move {
                let Ok(_place) = places.acquire_owned().await else { return };
                tokio::select! {
                    () = proxy.draining.cancelled() => {}
                    () = proxy.wasm.load(&plugin) => {}
                }
                proxy.wasm.changed.notify_one();
            });
        }
        tokio::select! {
            () = proxy.draining.cancelled() => return,
            () = proxy.wasm.changed.notified() => {}
            () = proxy.clock.sleep(wait) => {}
        }
    }
}

fn kind(extension: &Extension) -> &'static str {
    extension.origin.object().map_or("", |object| object.kind)
}

fn chain(config: &WasmConfig) -> ChainKind {
    use mesh_model::extensions::traffic_extension::spec::PluginType;
    if config.plugin_type == PluginType::Network { ChainKind::Network } else { ChainKind::Http }
}

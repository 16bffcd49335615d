//! A plugin: the module that a resource names, as it is wanted and as it runs.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use mesh_model::extensions::traffic_extension::spec::{FailStrategy, WasmConfig};
use tokio::sync::Notify;

use super::host::Call;
use super::module::{Compiled, Refusal};
use super::shared::Shared;
use super::vm::Vm;
use crate::runtime::inquiry;
use crate::runtime::proxy::Inner;

/// A plugin of the configuration in force.
#[derive(Debug)]
pub(super) struct Plugin {
    /// The kind of its resource.
    pub(super) kind: &'static str,
    /// `NAMESPACE.NAME`.
    pub(super) name: Arc<str>,
    pub(super) config: WasmConfig,
    /// What runs: what the configuration says, or what an earlier one said, as long as that cannot be had.
    pub(super) active: ArcSwapOption<Loaded>,
    state: Mutex<Loading>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Loading {
    /// It is the configuration's own module that runs.
    pub(super) is_done: bool,
    /// Somebody is at it.
    pub(super) is_under_way: bool,
    pub(super) problem: Option<Refusal>,
    pub(super) tries: u32,
    /// When it is tried again; `None`: when the configuration changes.
    pub(super) again_ms: Option<u64>,
}

/// A module that runs.
pub(super) struct Loaded {
    pub(super) shared: Arc<Shared>,
    compiled: Compiled,
    slots: Vec<Mutex<Arc<Running>>>,
    next: AtomicUsize,
    /// Told when an instance broke or its timer was set.
    pub(super) woken: Arc<Notify>,
    pub(super) restarts: AtomicU64,
}

/// An instance. Streams that have begun on it stay with it.
pub(super) struct Running {
    vm: Mutex<Vm>,
    is_broken: AtomicBool,
    woken: Arc<Notify>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl Plugin {
    pub(super) fn new(
        kind: &'static str,
        name: Arc<str>,
        config: WasmConfig,
        before: Option<Arc<Loaded>>,
    ) -> Self {
        let active = ArcSwapOption::new(before);
        // It is due at once.
        let state = Mutex::new(Loading { again_ms: Some(0), ..Loading::default() });
        Self { kind, name, config, active, state }
    }

    /// Whether requests go on without it where it fails.
    pub(super) fn fails_open(&self) -> bool {
        self.config.fail_strategy == FailStrategy::FailOpen
    }

    pub(super) fn state(&self) -> MutexGuard<'_, Loading> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    /// Starts all instances of a module.
    ///
    /// # Errors
    /// One of them cannot be started.
    pub(super) fn start(compiled: Compiled, shared: Arc<Shared>) -> Result<Self, Refusal> {
        let woken = Arc::new(Notify::new());
        let slots = (0..shared.limits.instances.max(1))
            .map(|_| Ok(Mutex::new(Arc::new(Running::start(&compiled, &shared, &woken)?))))
            .collect::<Result<Vec<_>, Refusal>>()?;
        let next = AtomicUsize::new(0);
        Ok(Self { shared, compiled, slots, next, woken, restarts: AtomicU64::new(0) })
    }

    /// An instance for a stream, in turn; `None`: all are broken.
    pub(super) fn pick(&self) -> Option<Arc<Running>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let slots = self.slots.iter().cycle().skip(first % self.slots.len().max(1)).take(self.slots.len());
        slots.map(current).find(|running| !running.is_broken())
    }

    pub(super) fn running(&self) -> impl Iterator<Item = Arc<Running>> {
        self.slots.iter().map(current)
    }

    /// Puts new instances in the place of broken ones, as often as that may be.
    pub(super) fn restart(&self) {
        for slot in &self.slots {
            if !current(slot).is_broken() || !self.shared.may_restart() {
                continue;
            }
            self.restarts.fetch_add(1, Ordering::Relaxed);
            match Running::start(&self.compiled, &self.shared, &self.woken) {
                Ok(running) => *slot.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(running),
                Err(refusal) => self.shared.log(4, refusal.to_string().as_bytes()),
            }
        }
    }
}

fn current(slot: &Mutex<Arc<Running>>) -> Arc<Running> {
    Arc::clone(&slot.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Running {
    fn start(compiled: &Compiled, shared: &Arc<Shared>, woken: &Arc<Notify>) -> Result<Self, Refusal> {
        let vm = Mutex::new(Vm::start(compiled, shared)?);
        Ok(Self { vm, is_broken: AtomicBool::new(false), woken: Arc::clone(woken) })
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }

    /// Works with the instance, then sends the calls that it has made meanwhile.
    pub(super) fn with<T>(self: &Arc<Self>, proxy: &Arc<Inner>, work: impl FnOnce(&mut Vm) -> T) -> T {
        let mut vm = self.vm.lock().unwrap_or_else(PoisonError::into_inner);
        let before = vm.tick_period();
        let result = work(&mut vm);
        if vm.is_broken() && !self.is_broken.swap(true, Ordering::AcqRel) || vm.tick_period() != before {
            self.woken.notify_one();
        }
        let is_sent = tokio::runtime::Handle::try_current().is_ok();
        let calls = if is_sent { std::mem::take(&mut vm.host().calls) } else { Vec::new() };
        drop(vm);
        self.send(proxy, calls);
        result
    }

    /// Sends calls of the instance, which hears of their answers.
    fn send(self: &Arc<Self>, proxy: &Arc<Inner>, calls: Vec<Call>) {
        for call in calls {
            let (running, asking) = (Arc::clone(self), Arc::clone(proxy));
            proxy.tasks.spawn(async move {
                let (id, cluster, head, body, patience) = call.ready();
                let asked = inquiry::tell(&asking, &cluster, &head, body, patience);
                let answer = tokio::select! {
                    () = asking.stop.cancelled() => return,
                    answer = asked => answer.ok(),
                };
                running.with(&asking, |vm| vm.answered(id, answer));
            });
        }
    }
}

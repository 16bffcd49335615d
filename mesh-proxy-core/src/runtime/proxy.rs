//! The running proxy: started with a configuration, given new ones, drained.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::cluster::Cluster;
use mesh_compile::proxy_identity::Proxy as Identity;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arrival::Arrival;
use super::cluster::{Balancers, Parts};
use super::connection;
use super::follow::Followed;
use super::key_fetch::OverHttp;
use super::keys::Keys;
use super::live::{Generation, Retired};
use super::mesh_logs::MeshLogs;
use super::metrics::{Metrics, Told};
use super::options::Options;
use super::peers::Peers;
use super::pressure::{MemoryCounts, Pressure};
use super::rate_limits::RateLimits;
use super::recent::Recent;
use super::tls::Tls;
use super::traces::Traces;
use super::turned_away::TurnedAway;
use super::unrun;
#[cfg(feature = "wasm")]
use super::wasm::{ModuleFetch, Wasm, WasmState};
use crate::cluster::upstream::MakeBalancer;
use crate::seam::authorizer::Authorizer;
use crate::seam::certificate_source::{CertificateSource, InMemory};
use crate::seam::clock::{Clock, SystemClock};
use crate::seam::dial::{Dial, Io, SystemDial};
use crate::seam::dice::{SharedDice, ThreadDice};
use crate::seam::filter::Filter;
use crate::seam::key_fetch::KeyFetch;
use crate::seam::resolve::{Resolve, SystemResolver};
use crate::seam::sink::Sink;
use crate::telemetry::record::Record;

/// How long a drain waits for the last spans and records to be taken.
const LAST_TOLD: Duration = Duration::from_secs(2);

/// A proxy that runs. Cheap to clone; all clones are the same proxy.
/// Ours: a running proxy is one value, which can be given a configuration and be drained.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub(crate) inner: Arc<Inner>,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) live: ArcSwap<Generation>,
    pub(crate) retired: Retired,
    pub(crate) options: Options,
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) dice: Arc<dyn SharedDice>,
    pub(crate) clock: Arc<dyn Clock>,
    sinks: Vec<Box<dyn Sink>>,
    pub(crate) filters: Vec<Box<dyn Filter>>,
    pub(crate) tls: Tls,
    pub(crate) keys: Keys,
    pub(crate) logs: MeshLogs,
    /// Metrics that follow the configuration.
    pub(crate) metrics: Option<Metrics>,
    pub(crate) peers: Peers,
    pub(crate) traces: Traces,
    pub(crate) resolver: Box<dyn Resolve>,
    /// By the name of the provider that each stands for.
    pub(crate) authorizers: BTreeMap<String, Box<dyn Authorizer>>,
    pub(crate) recent: Recent,
    pub(crate) followed: Followed,
    pub(crate) pressure: Arc<Pressure>,
    /// Connections that ended because something panicked.
    pub(crate) panics: AtomicU64,
    /// Connections that were not served.
    pub(crate) turned_away: TurnedAway,
    pub(crate) rate_limits: RateLimits,
    #[cfg(feature = "wasm")]
    pub(crate) wasm: Wasm,
    /// Told of every new generation.
    pub(crate) changed: Notify,
    /// Cancelled once a drain begins: answers tell clients to go elsewhere.
    pub(crate) draining: CancellationToken,
    /// Cancelled once they had their time: no connections are taken, and those there are finish what they have and close.
    pub(crate) closing: CancellationToken,
    /// Cancelled once the drain's time is over.
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Inner {
    /// How long a drain lets connections in, and how long it waits for what is in flight after that.
    fn drain_times(&self) -> (Duration, Duration) {
        let patience = &self.options.patience;
        let settings = &self.live.load().config.settings;
        let whole = u64::try_from(settings.config.termination_drain_duration().as_millis()).unwrap_or(0);
        drain_times(patience.drain_notice, patience.drain, Duration::from_millis(whole))
    }

    /// Tells everybody of a finished request or connection.
    pub(crate) fn tell(self: &Arc<Self>, record: &Record) {
        self.tell_connection(record, Told::default());
    }

    /// The same, of a connection that was told of while it was open.
    pub(crate) fn tell_connection(self: &Arc<Self>, record: &Record, told: Told) {
        for sink in &self.sinks {
            sink.finished(record);
        }
        if self.options.mesh_logs || self.metrics.is_some() {
            let generation = self.live.load();
            let config = &generation.config.telemetry;
            if let Some(metrics) = &self.metrics {
                metrics.finished_under(config, record, told);
            }
            if self.options.mesh_logs {
                self.logs.finished(self, config, record);
            }
        }
    }
}

/// The parts of a drain that takes `whole` as it is configured.
fn drain_times(notice: Duration, rest: Option<Duration>, whole: Duration) -> (Duration, Duration) {
    match rest {
        Some(rest) => (notice, rest),
        None => {
            let notice = notice.min(whole);
            (notice, whole.saturating_sub(notice))
        }
    }
}

/// Counts a panic that goes through the place where this is held.
#[derive(Debug)]
pub(crate) struct CountsPanic(pub(crate) Arc<Inner>);

impl Drop for CountsPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panics.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a proxy is made of, where it is not the shipped choice.
/// Ours: every seam has a shipped choice, so that only what differs is named.
#[derive(Debug)]
pub struct Builder {
    options: Options,
    dial: Arc<dyn Dial>,
    dice: Arc<dyn SharedDice>,
    clock: Arc<dyn Clock>,
    sinks: Vec<Box<dyn Sink>>,
    metrics: Option<Metrics>,
    workload: Option<Identity>,
    filters: Vec<Box<dyn Filter>>,
    balancers: Balancers,
    certificates: Box<dyn CertificateSource>,
    authorizers: BTreeMap<String, Box<dyn Authorizer>>,
    keys: Option<Box<dyn KeyFetch>>,
    resolver: Box<dyn Resolve>,
    #[cfg(feature = "wasm")]
    modules: ModuleFetch,
}

impl Builder {
    /// Another way to fetch Wasm modules.
    #[cfg(feature = "wasm")]
    #[must_use]
    pub fn modules(mut self, modules: ModuleFetch) -> Self {
        self.modules = modules;
        self
    }

    /// Another way to make upstream connections.
    #[must_use]
    pub fn dial(mut self, dial: impl Dial + 'static) -> Self {
        self.dial = Arc::new(dial);
        self
    }

    /// Another source of chance.
    #[must_use]
    pub fn dice(mut self, dice: impl SharedDice + 'static) -> Self {
        self.dice = Arc::new(dice);
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where certificates come from; without it there are none, and what needs TLS is refused.
    #[must_use]
    pub fn certificates(mut self, source: impl CertificateSource + 'static) -> Self {
        self.certificates = Box::new(source);
        self
    }

    /// Another way to fetch the key sets of token rules; without it they are fetched over HTTP
    /// ([`OverHttp`]).
    #[must_use]
    pub fn keys(mut self, source: impl KeyFetch + 'static) -> Self {
        self.keys = Some(Box::new(source));
        self
    }

    /// Another resolver for the names of clusters.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Box::new(resolver);
        self
    }

    /// An authorizer in the place of a provider of `MeshConfig.extensionProviders`; the others are asked over the mesh.
    #[must_use]
    pub fn authorizer(mut self, provider: impl Into<String>, authorizer: impl Authorizer + 'static) -> Self {
        self.authorizers.insert(provider.into(), Box::new(authorizer));
        self
    }

    /// One more that hears of finished requests and connections.
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + 'static) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    /// Metrics that follow the configuration: what its Telemetry resources drop, relabel and report between times.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Who the proxy is: for the tags of its spans, and to tell other proxies of the mesh (`x-envoy-peer-metadata`). Without
    /// it spans name nobody, and nothing is exchanged.
    #[must_use]
    pub fn workload(mut self, workload: Identity) -> Self {
        self.workload = Some(workload);
        self
    }

    /// One more filter, after those before.
    #[must_use]
    pub fn filter(mut self, filter: impl Filter + 'static) -> Self {
        self.filters.push(Box::new(filter));
        self
    }

    /// Load balancers of the program's own for the clusters that `choose` has one for, in the place of what their
    /// DestinationRules say. A cluster asks once for each version of it, and again with every change of its endpoints.
    #[must_use]
    pub fn balancer(
        mut self,
        choose: impl Fn(&Cluster) -> Option<Arc<MakeBalancer>> + Send + Sync + 'static,
    ) -> Self {
        self.balancers = Balancers::new(choose);
        self
    }

    /// The proxy, with its first configuration. It does not listen yet.
    pub fn build(self, config: ProxyConfig) -> Proxy {
        let config = Arc::new(config);
        let keys = self.keys.unwrap_or_else(|| Box::new(OverHttp::new()));
        let clock = self.clock;
        let parts = Parts { balancers: self.balancers, clock: Arc::clone(&clock) };
        let pressure = Arc::new(Pressure::new(self.options.limits.memory));
        #[cfg(feature = "wasm")]
        let wasm = Wasm::new(self.options.wasm, self.modules, Arc::clone(&clock));
        #[cfg(feature = "wasm")]
        wasm.want(&config.extensions);
        unrun::tell(&config.extensions, None);
        let peers = Peers::new(self.workload.as_ref());
        let inner = Inner {
            tls: Tls::new(self.certificates, peers.message().is_some()),
            live: ArcSwap::from_pointee(Generation::first(Arc::clone(&config), parts)),
            retired: Retired::default(),
            keys: Keys::new(keys, self.options.keys, config, Arc::clone(&clock)),
            resolver: self.resolver,
            logs: MeshLogs::default(),
            options: self.options,
            dial: self.dial,
            dice: self.dice,
            clock,
            sinks: self.sinks,
            metrics: self.metrics,
            peers,
            traces: Traces::new(self.workload),
            filters: self.filters,
            authorizers: self.authorizers,
            recent: Recent::default(),
            followed: Followed::default(),
            pressure,
            panics: AtomicU64::new(0),
            turned_away: TurnedAway::default(),
            rate_limits: RateLimits::default(),
            #[cfg(feature = "wasm")]
            wasm,
            changed: Notify::new(),
            draining: CancellationToken::new(),
            closing: CancellationToken::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let inner = Arc::new(inner);
        #[cfg(feature = "wasm")]
        inner.wasm.belongs_to(&inner);
        Proxy { inner }
    }
}

impl Proxy {
    /// A proxy to be made, with the shipped parts.
    pub fn builder(options: Options) -> Builder {
        Builder {
            options,
            dial: Arc::new(SystemDial::default()),
            dice: Arc::new(ThreadDice),
            clock: Arc::new(SystemClock::default()),
            sinks: Vec::new(),
            metrics: None,
            workload: None,
            filters: Vec::new(),
            balancers: Balancers::default(),
            certificates: Box::new(InMemory::default()),
            authorizers: BTreeMap::new(),
            keys: None,
            resolver: Box::new(SystemResolver::default()),
            #[cfg(feature = "wasm")]
            modules: ModuleFetch::default(),
        }
    }

    /// The configuration in force.
    pub fn generation(&self) -> Arc<Generation> {
        self.inner.live.load_full()
    }

    /// Puts another configuration in force, for all requests that arrive from now on, with the keys that were fetched;
    /// the number of the generation. Of two calls at once one comes after the other.
    pub fn apply(&self, config: ProxyConfig) -> u64 {
        #[cfg(feature = "wasm")]
        self.inner.wasm.want(&config.extensions);
        unrun::tell(&config.extensions, Some(&self.generation().config.extensions));
        let number = self.inner.keys.apply(&self.inner.live, &self.inner.retired, config);
        // Whoever changes the configuration may wait; requests may not.
        drop(self.inner.retired.take_unused());
        self.inner.changed.notify_one();
        number
    }

    /// How the Wasm plugins of the configuration in force stand.
    #[cfg(feature = "wasm")]
    pub fn wasm_states(&self) -> Vec<WasmState> {
        self.inner.wasm.states()
    }

    /// What became of the bound on memory ([`Limits::memory`](super::options::Limits::memory)).
    pub fn memory_counts(&self) -> MemoryCounts {
        self.inner.pressure.counts()
    }

    /// Connections and streams that ended because something panicked, since the start. The others went on.
    pub fn panics(&self) -> u64 {
        self.inner.panics.load(Ordering::Relaxed)
    }

    /// Serves one connection that the program accepted itself, to its end.
    pub async fn serve<T: Io>(&self, io: T, arrival: Arrival) {
        connection::serve(Arc::clone(&self.inner), io, arrival).await;
    }

    /// Gives clients [`Patience::drain_notice`](super::options::Patience::drain_notice) to go elsewhere, stops taking
    /// connections, lets what is in flight finish, and cuts off what is left when
    /// [`Patience::drain`](super::options::Patience::drain) is over. Waits for the end of it. Where the program does not
    /// say how long, the whole of it takes as long as the configuration in force gives it (T-573).
    pub async fn drain(&self) {
        self.inner.draining.cancel();
        let (notice, rest) = self.inner.drain_times();
        if !notice.is_zero() {
            tokio::time::sleep(notice).await;
        }
        self.inner.closing.cancel();
        self.inner.tasks.close();
        if tokio::time::timeout(rest, self.inner.tasks.wait()).await.is_err() {
            self.inner.stop.cancel();
            self.inner.tasks.wait().await;
        }
        tokio::join!(self.inner.traces.export.flush(LAST_TOLD), self.inner.logs.services.flush(LAST_TOLD));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_573_a_drain_takes_as_long_as_it_is_given_and_what_the_program_says_comes_first() {
        let times = |notice, rest: Option<u64>, whole| {
            let of = Duration::from_secs;
            let (notice, rest) = drain_times(of(notice), rest.map(of), of(whole));
            (notice.as_secs(), rest.as_secs())
        };
        assert_eq!(times(2, None, 5), (2, 3));
        assert_eq!(times(0, None, 5), (0, 5));
        assert_eq!(times(2, None, 1), (1, 0));
        assert_eq!(times(2, None, 0), (0, 0));
        assert_eq!(times(2, Some(45), 5), (2, 45));
        assert_eq!(times(2, Some(0), 5), (2, 0));
    }
}

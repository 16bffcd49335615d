//! A cluster at work: hosts, balancers, outlier detection and circuit breakers together.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mesh_compile::proxy::cluster::Cluster;

use super::circuit_breaker::CircuitBreaker;
use super::host::Host;
use super::host_set::HostSet;
use super::load_balancer::{self, LoadBalancer, Pick, WeightedHost};
use super::outlier_detection::{Outcome, OutlierDetector};
use super::retry::{HOST_SELECTION_ATTEMPTS, PRIORITY_UPDATE_FREQUENCY};
use crate::dice::Dice;

mod tables;

use tables::Tables;

/// Makes a balancer for a list of hosts; called anew whenever the list changes.
/// Ours: a program may bring balancers of its own.
pub type MakeBalancer = dyn Fn(Vec<WeightedHost>) -> Box<dyn LoadBalancer> + Send + Sync;

/// What a request wants of a pick (T-161, T-247).
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// What the route's hash policies make of the request.
    pub hash: Option<u64>,
    /// Hosts that were tried for this request, in order.
    pub tried: &'a [Arc<Host>],
    /// Whether a host that was tried is avoided (T-161).
    pub avoid_tried: bool,
    /// Whether other priorities are tried (T-165).
    pub other_priorities: bool,
}

/// The run-time side of a cluster. Shared by all requests: every method takes `&self` (T-245..T-277).
///
/// ```
/// use mesh_compile::proxy::cluster::{Cluster, ClusterEndpoint, Discovery, LbPolicy};
/// use mesh_proxy_core::cluster::outlier_detection::Outcome;
/// use mesh_proxy_core::cluster::upstream::{Upstream, Wish};
/// use mesh_proxy_core::dice::SeededDice;
///
/// # let endpoint = ClusterEndpoint::at("10.0.0.1:80");
/// # let cluster = Cluster { endpoints: vec![endpoint], ..Cluster::bare("shop", Discovery::Eds, LbPolicy::LeastRequest) };
/// let upstream = Upstream::new(&cluster, 0);
/// let host = upstream.pick(&Wish::default(), 0, &mut SeededDice::new(1)).ok_or("nobody is there")?;
/// host.begin();
/// // ... the request is carried out ...
/// host.end();
/// upstream.record(&host, Outcome::Status(200), 5);
/// # Ok::<(), &str>(())
/// ```
pub struct Upstream {
    tables: RwLock<Arc<Tables>>,
    detector: Option<Mutex<OutlierDetector>>,
    make: Option<Arc<MakeBalancer>>,
    /// The cluster's circuit breakers.
    pub breaker: Arc<CircuitBreaker>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tables, detector, make: _, breaker } = self;
        out.debug_struct("Upstream")
            .field("tables", tables)
            .field("detector", detector)
            .field("breaker", breaker)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    /// The cluster as configured, all hosts fresh.
    pub fn new(cluster: &Cluster, now_ms: u64) -> Self {
        Self::build(cluster, None, now_ms)
    }

    /// The same with a balancer of the caller's own instead of the one the cluster names.
    pub fn with_balancer(cluster: &Cluster, make: Arc<MakeBalancer>, now_ms: u64) -> Self {
        Self::build(cluster, Some(make), now_ms)
    }

    fn build(cluster: &Cluster, make: Option<Arc<MakeBalancer>>, now_ms: u64) -> Self {
        let tables = Tables::build(cluster, HostSet::build(cluster, None, now_ms), make.as_ref());
        Self {
            tables: RwLock::new(Arc::new(tables)),
            detector: cluster
                .outlier
                .as_ref()
                .map(|written| Mutex::new(OutlierDetector::new(written, now_ms))),
            make,
            breaker: Arc::new(CircuitBreaker::new(cluster.limits, cluster.retry_budget)),
        }
    }

    /// New endpoints, with the state of the hosts that stay. For changes of anything but `endpoints`, `localities` and
    /// the balancer a new [`Upstream`] is made.
    pub fn update(&self, cluster: &Cluster, now_ms: u64) {
        self.replace(|before| {
            let hosts = HostSet::build(cluster, Some(&before.hosts), now_ms);
            Tables::build(cluster, hosts, self.make.as_ref())
        });
    }

    /// A host for a try; `None`: nobody may be asked (503, flag UH; T-277).
    pub fn pick(&self, wish: &Wish<'_>, now_ms: u64, dice: &mut dyn Dice) -> Option<Arc<Host>> {
        let tables = self.tables();
        let skipped = tables.skipped(wish);
        let again = if wish.avoid_tried && !wish.tried.is_empty() { HOST_SELECTION_ATTEMPTS } else { 0 };
        let mut picked = None;
        for attempt in 0..=again {
            let mut pick = Pick { now_ms, hash: wish.hash, attempt, dice };
            let host = tables.pick(&skipped, &mut pick)?;
            let tried = |host: &Arc<Host>| {
                wish.tried.iter().any(|before| before.endpoint.address == host.endpoint.address)
            };
            let is_fresh = !wish.avoid_tried || !tried(host);
            picked = Some(Arc::clone(host));
            if is_fresh {
                break;
            }
        }
        picked
    }

    /// Tells outlier detection how a try went. Whether the host was ejected by it.
    pub fn record(&self, host: &Host, outcome: Outcome, now_ms: u64) -> bool {
        let Some(detector) = &self.detector else { return false };
        let members = self.tables().members;
        let ejected =
            detector.lock().unwrap_or_else(PoisonError::into_inner).record(host, outcome, members, now_ms);
        if ejected {
            self.replace(Tables::rebuilt);
        }
        ejected
    }

    /// Lets ejected hosts in again when their time is over. When to call it next; `None`: never (nothing to do).
    pub fn sweep(&self, now_ms: u64) -> Option<u64> {
        let mut detector = self.detector.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = detector.sweep(self.tables().hosts.hosts(), now_ms);
        let next = detector.next_sweep_ms();
        drop(detector);
        if changed {
            self.replace(Tables::rebuilt);
        }
        Some(next)
    }

    /// All hosts with their state, for status pages.
    pub fn hosts(&self) -> Vec<Arc<Host>> {
        self.tables().hosts.hosts().map(Arc::clone).collect()
    }

    fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, make: impl FnOnce(&Tables) -> Tables) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let made = make(&tables);
        *tables = Arc::new(made);
    }
}

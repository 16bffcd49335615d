//! A cluster that runs: its hosts and breakers, its connections.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use mesh_compile::proxy::cluster::{Cluster, ClusterEndpoint, Discovery};

use super::names::Names;
use super::pool::{Failure, Pool};
use crate::cluster::circuit_breaker::{Permit, Resource};
use crate::cluster::host::Host;
use crate::cluster::outlier_detection::{LocalFailure, Outcome};
use crate::cluster::upstream::{MakeBalancer, Upstream, Wish};
use crate::seam::clock::{Clock, SystemClock};
use crate::seam::dice::{SharedDice, Throw};

/// What is kept of a cluster while it is in force.
#[derive(Debug)]
pub(crate) struct ClusterState {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) upstream: Arc<Upstream>,
    /// Names that are looked up; `None`: there are none.
    pub(crate) names: Option<Arc<Names>>,
    clock: Arc<dyn Clock>,
}

/// A place for a request, or a connection of bytes, among those of its cluster, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Active {
    _permits: (Permit, Option<Permit>),
    host: Option<Arc<Host>>,
}

impl Active {
    /// The host that has it.
    pub(crate) fn host(&self) -> Option<&Arc<Host>> {
        self.host.as_ref()
    }

    /// The request is now this host's.
    pub(crate) fn at(&mut self, host: &Arc<Host>) {
        host.begin();
        if let Some(before) = self.host.replace(Arc::clone(host)) {
            before.end();
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(host) = &self.host {
            host.end();
        }
    }
}

type Choose = dyn Fn(&Cluster) -> Option<Arc<MakeBalancer>> + Send + Sync;

/// Load balancers of the program's own, for some clusters.
#[derive(Clone, Default)]
pub(crate) struct Balancers(Option<Arc<Choose>>);

impl Balancers {
    pub(crate) fn new(
        choose: impl Fn(&Cluster) -> Option<Arc<MakeBalancer>> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(choose)))
    }

    fn upstream(&self, cluster: &Cluster, now_ms: u64) -> Upstream {
        match self.0.as_ref().and_then(|choose| choose(cluster)) {
            Some(make) => Upstream::with_balancer(cluster, make, now_ms),
            None => Upstream::new(cluster, now_ms),
        }
    }
}

/// What the clusters of a proxy are made with.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) balancers: Balancers,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Default for Parts {
    fn default() -> Self {
        Self { balancers: Balancers::default(), clock: Arc::new(SystemClock::default()) }
    }
}

impl std::fmt::Debug for Balancers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Balancers").field(&self.0.is_some()).finish()
    }
}

impl ClusterState {
    pub(crate) fn new(cluster: Arc<Cluster>, parts: &Parts) -> Self {
        let clock = Arc::clone(&parts.clock);
        let pool = Arc::new(Pool::new(&cluster, Arc::clone(&clock)));
        let upstream = Arc::new(parts.balancers.upstream(&cluster, clock.now_ms()));
        let names = Names::of(&cluster).map(Arc::new);
        Self { cluster, pool, upstream, names, clock }
    }

    /// The cluster as it is written now. Where only its endpoints changed, connections and the state of the hosts that
    /// stay live on.
    pub(crate) fn changed(&self, cluster: Arc<Cluster>, parts: &Parts) -> Self {
        let settings = Cluster {
            endpoints: cluster.endpoints.clone(),
            localities: cluster.localities.clone(),
            origins: cluster.origins.clone(),
            ..(*self.cluster).clone()
        };
        if settings != *cluster {
            return Self::new(cluster, parts);
        }
        // Names that are found for the first time are new ones; else what is known of them stays.
        let names = self.names.clone().or_else(|| Names::of(&cluster).map(Arc::new));
        let expanded = names.as_ref().map(|names| names.expand(&cluster));
        let now = expanded.as_ref().unwrap_or(&cluster);
        self.upstream.update(now, self.clock.now_ms());
        if cluster.discovery != Discovery::OriginalDst {
            let known: HashSet<&str> = now.endpoints.iter().map(|endpoint| &*endpoint.address).collect();
            self.pool.keep(|address| known.contains(address));
        }
        Self {
            cluster,
            pool: Arc::clone(&self.pool),
            upstream: Arc::clone(&self.upstream),
            names,
            clock: Arc::clone(&self.clock),
        }
    }

    /// Takes a place for a request; `None`: the circuit breaker is open.
    pub(crate) fn enter(&self, is_retry: bool) -> Option<Active> {
        // A retry is measured by the requests that there are without it: under a budget its own place would make room for it.
        let retry = if is_retry { Some(self.upstream.breaker.acquire(Resource::Retries)?) } else { None };
        let request = self.upstream.breaker.acquire(Resource::Requests)?;
        Some(Active { _permits: (request, retry), host: None })
    }

    /// Takes a place for a connection that is passed on as bytes; `None`: the circuit breaker is open.
    pub(crate) fn enter_connection(&self) -> Option<Active> {
        let connection = self.upstream.breaker.acquire(Resource::Connections)?;
        Some(Active { _permits: (connection, None), host: None })
    }

    /// A host for a try; `None`: nobody may be asked.
    pub(crate) fn pick(
        &self,
        destination: SocketAddr,
        wish: &Wish<'_>,
        dice: &dyn SharedDice,
    ) -> Option<Arc<Host>> {
        if self.cluster.discovery == Discovery::OriginalDst {
            return Some(Arc::new(self.original(destination)));
        }
        self.upstream.pick(wish, self.clock.now_ms(), &mut Throw(dice))
    }

    /// The dialled address as a host of its own.
    fn original(&self, destination: SocketAddr) -> Host {
        let port = self.cluster.port_override.unwrap_or(destination.port());
        let address = SocketAddr::new(destination.ip().to_canonical(), port);
        Host::new(ClusterEndpoint::at(address.to_string()), self.clock.now_ms())
    }

    /// Tells outlier detection how a try went.
    pub(crate) fn record(&self, host: &Host, outcome: Outcome) {
        if self.upstream.record(host, outcome, self.clock.now_ms()) {
            tracing::info!(cluster = &*self.cluster.name, host = &*host.endpoint.address, "ejected");
        }
    }

    /// Tells outlier detection of a try without an answer.
    pub(crate) fn record_failure(&self, host: &Host, failure: &Failure) {
        let local = match failure {
            Failure::Connect(_) | Failure::ConnectTimeout => LocalFailure::Connect,
            Failure::PerTryTimeout | Failure::Timeout => LocalFailure::Timeout,
            Failure::Reset(_) | Failure::RemoteReset { .. } | Failure::Refused | Failure::Protocol(_) => {
                LocalFailure::Reset
            }
            Failure::NoHealthyUpstream | Failure::Overflow | Failure::ClientIdle | Failure::NotWritable => {
                return;
            }
        };
        self.record(host, Outcome::LocalFailure(local));
    }

    /// Lets ejected hosts in again, and closes connections that nobody uses.
    pub(crate) fn sweep(&self) {
        self.upstream.sweep(self.clock.now_ms());
        self.pool.sweep();
    }
}

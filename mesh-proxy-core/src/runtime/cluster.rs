//! A cluster that runs: its balancer, its connections, its counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mesh_compile::proxy::cluster::{Cluster, Discovery};

use super::pool::Pool;
use crate::seam::dice::Dice;
use crate::seam::load_balancer::{self, Choice, LoadBalancer};

/// What is kept of a cluster while it is in force.
#[derive(Debug)]
pub(crate) struct ClusterState {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) pool: Pool,
    balancer: Box<dyn LoadBalancer>,
    /// Positions of the usable endpoints, by priority.
    tiers: Vec<Vec<usize>>,
    active: AtomicU32,
}

/// An endpoint that was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picked {
    pub(crate) address: Arc<str>,
    /// Whether it speaks mesh mTLS.
    pub(crate) mtls: bool,
}

/// Counts a request for as long as it is held.
#[derive(Debug)]
pub(crate) struct Active(Arc<ClusterState>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ClusterState {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        let balancer = load_balancer::of_policy(cluster.lb);
        let tiers = tiers(&cluster);
        Self { pool: Pool::new(&cluster), balancer, tiers, active: AtomicU32::new(0), cluster }
    }

    /// Takes a place for a request; `None`: the circuit breaker is open.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Active> {
        let before = self.active.fetch_add(1, Ordering::Relaxed);
        let active = Active(Arc::clone(self));
        let max = self.cluster.limits.max_requests.unwrap_or(u32::MAX);
        (before < max).then_some(active)
    }

    /// An endpoint that is not among `tried` where there is another one; `None`: there is none at all.
    pub(crate) fn pick(
        &self,
        destination: SocketAddr,
        hash: Option<u64>,
        tried: &[Arc<str>],
        dice: &dyn Dice,
    ) -> Option<Picked> {
        if self.cluster.discovery == Discovery::OriginalDst {
            let port = self.cluster.port_override.unwrap_or(destination.port());
            let address = SocketAddr::new(destination.ip().to_canonical(), port);
            return Some(Picked { address: address.to_string().into(), mtls: false });
        }
        let endpoints = &self.cluster.endpoints;
        let usable = self.tiers.first()?;
        let is_fresh =
            |at: &usize| endpoints.get(*at).is_some_and(|endpoint| !tried.contains(&endpoint.address));
        let fresh: Vec<usize>;
        let usable = if tried.is_empty() || !usable.iter().any(is_fresh) {
            usable
        } else {
            fresh = usable.iter().copied().filter(is_fresh).collect();
            &fresh
        };
        let at = self.balancer.pick(&Choice { endpoints, usable, hash, dice })?;
        let endpoint = endpoints.get(at)?;
        Some(Picked { address: Arc::clone(&endpoint.address), mtls: endpoint.mtls })
    }
}

/// The healthy endpoints, the lowest priority number first; all of them where none is healthy (panic).
fn tiers(cluster: &Cluster) -> Vec<Vec<usize>> {
    let mut priorities: Vec<u32> = cluster.endpoints.iter().map(|endpoint| endpoint.priority).collect();
    priorities.sort_unstable();
    priorities.dedup();
    let of = |priority: u32| -> Vec<usize> {
        let all = cluster.endpoints.iter().enumerate();
        all.filter(|(_, endpoint)| endpoint.priority == priority && endpoint.healthy)
            .map(|(at, _)| at)
            .collect()
    };
    let tiers: Vec<Vec<usize>> =
        priorities.into_iter().map(of).filter(|tier: &Vec<usize>| !tier.is_empty()).collect();
    if tiers.is_empty() && !cluster.endpoints.is_empty() && cluster.panic_threshold.unwrap_or(50.0) > 0.0 {
        return vec![(0..cluster.endpoints.len()).collect()];
    }
    tiers
}

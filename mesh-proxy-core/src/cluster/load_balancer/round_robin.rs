//! Round robin: hosts in turn, by weight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mesh_compile::proxy::cluster::SlowStart;

use super::scheduled::Scheduled;
use super::{LoadBalancer, Pick, WeightedHost};
use crate::cluster::host::Host;

/// Hosts in turn. Equal weights: one counter, no lock. Otherwise earliest deadline first (T-245).
#[derive(Debug)]
pub struct RoundRobin {
    hosts: Scheduled,
    weighted: bool,
    next: AtomicUsize,
}

impl RoundRobin {
    /// Turns over these hosts; those that warm up get fewer (T-250).
    pub fn new(hosts: Vec<WeightedHost>, warmup: Option<SlowStart>) -> Self {
        let hosts = Scheduled::new(hosts, warmup);
        Self { weighted: hosts.is_needed(), hosts, next: AtomicUsize::new(0) }
    }
}

impl LoadBalancer for RoundRobin {
    fn pick(&self, request: &mut Pick<'_>) -> Option<&Arc<Host>> {
        if self.weighted {
            return self.hosts.next(|entry| self.hosts.weight(entry, request.now_ms));
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let index = turn.checked_rem(self.hosts.hosts.len())?;
        self.hosts.hosts.get(index).map(|entry| &entry.host)
    }
}

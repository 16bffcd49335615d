//! Least request: the less busy of two drawn hosts; with weights, turns that busy hosts lose (T-245).

use std::sync::Arc;

use mesh_compile::proxy::cluster::SlowStart;

use super::scheduled::Scheduled;
use super::{LoadBalancer, Pick, WeightedHost};
use crate::cluster::host::Host;

/// The less busy of two.
#[derive(Debug)]
pub struct LeastRequest {
    hosts: Scheduled,
    weighted: bool,
}

impl LeastRequest {
    /// A balancer over these hosts; those that warm up get less (T-250).
    pub fn new(hosts: Vec<WeightedHost>, warmup: Option<SlowStart>) -> Self {
        let hosts = Scheduled::new(hosts, warmup);
        Self { weighted: hosts.is_needed(), hosts }
    }
}

impl LoadBalancer for LeastRequest {
    fn pick(&self, request: &mut Pick<'_>) -> Option<&Arc<Host>> {
        if self.weighted {
            // Envoy: weight / (active requests + 1) ^ bias, bias 1.
            return self.hosts.next(|entry| {
                self.hosts.weight(entry, request.now_ms) / (f64::from(entry.host.active()) + 1.0)
            });
        }
        let count = self.hosts.hosts.len() as u64;
        let mut draw = || self.hosts.hosts.get(request.dice.below(count) as usize).map(|entry| &entry.host);
        let (first, second) = (draw()?, draw()?);
        Some(if second.active() < first.active() { second } else { first })
    }
}

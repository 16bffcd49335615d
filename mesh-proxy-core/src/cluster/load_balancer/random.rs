//! Random: any host, whatever it weighs, as Envoy's.

use std::sync::Arc;

use super::{LoadBalancer, Pick, WeightedHost};
use crate::cluster::host::Host;

/// Any host (T-245).
#[derive(Debug)]
pub struct Random {
    hosts: Vec<WeightedHost>,
}

impl Random {
    /// A balancer over these hosts.
    pub fn new(hosts: Vec<WeightedHost>) -> Self {
        Self { hosts }
    }
}

impl LoadBalancer for Random {
    fn pick(&self, request: &mut Pick<'_>) -> Option<&Arc<Host>> {
        let index = request.dice.below(self.hosts.len() as u64) as usize;
        self.hosts.get(index).map(|entry| &entry.host)
    }
}

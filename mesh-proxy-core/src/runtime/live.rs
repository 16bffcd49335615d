//! The configuration in force, swapped whole.

use std::collections::HashMap;
use std::sync::Arc;

use mesh_compile::proxy::ProxyConfig;

use super::cluster::{Balancers, ClusterState};

/// One version of a proxy's configuration with what runs for it. Unchanged clusters are the same object in the next
/// generation: their connections, turns and counts live on.
#[derive(Debug)]
pub struct Generation {
    /// From 1, one more with each change.
    pub number: u64,
    /// The tables.
    pub config: Arc<ProxyConfig>,
    pub(crate) clusters: HashMap<Arc<str>, Arc<ClusterState>>,
    balancers: Balancers,
}

impl Generation {
    pub(crate) fn first(config: Arc<ProxyConfig>, balancers: Balancers) -> Self {
        Self::build(1, config, &HashMap::new(), balancers)
    }

    /// The next one, with the clusters that have not changed.
    pub(crate) fn next(&self, config: Arc<ProxyConfig>) -> Self {
        Self::build(self.number + 1, config, &self.clusters, self.balancers.clone())
    }

    fn build(
        number: u64,
        config: Arc<ProxyConfig>,
        known: &HashMap<Arc<str>, Arc<ClusterState>>,
        balancers: Balancers,
    ) -> Self {
        let clusters = config
            .clusters
            .iter()
            .map(|(name, cluster)| {
                let state = match known.get(name) {
                    Some(state) if *state.cluster == **cluster => Arc::clone(state),
                    Some(state) => Arc::new(state.changed(Arc::clone(cluster), &balancers)),
                    None => Arc::new(ClusterState::new(Arc::clone(cluster), &balancers)),
                };
                (Arc::clone(name), state)
            })
            .collect();
        Self { number, config, clusters, balancers }
    }
}

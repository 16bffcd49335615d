//! The hosts of a cluster, by priority and locality.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_compile::proxy::cluster::{Cluster, ClusterEndpoint, Discovery};

use super::host::Host;

/// The hosts of a cluster. INVARIANT: priority `n` is at index `n`; priorities that nobody has are empty.
/// Spec: Envoy, PrioritySet; priorities are T-257.
#[derive(Debug, Clone, Default)]
pub struct HostSet {
    /// The priorities, the first is tried first.
    pub priorities: Vec<PriorityHosts>,
}

/// The hosts of one priority. Spec: Envoy, HostSet (T-257, T-277).
#[derive(Debug, Clone, Default)]
pub struct PriorityHosts {
    /// By locality name.
    pub localities: Vec<LocalityHosts>,
}

/// The hosts of one locality at one priority (T-261, T-316).
#[derive(Debug, Clone)]
pub struct LocalityHosts {
    /// `region/zone/subzone`; empty: none.
    pub name: Arc<str>,
    /// Its share where localities are weighted (T-261).
    pub weight: u32,
    /// In the order of the configuration.
    pub hosts: Vec<Arc<Host>>,
}

impl HostSet {
    /// The endpoints of a cluster. A host that `before` has at the same address is kept, with its state: requests it is
    /// working on, its ejection, its age. Of endpoints with one address that a control plane tells of, the first counts
    /// (Envoy, `EdsClusterImpl::BatchUpdateHelper`); of those that are looked up every one does.
    pub fn build(cluster: &Cluster, before: Option<&Self>, now_ms: u64) -> Self {
        let known: BTreeMap<&str, &Arc<Host>> =
            before.into_iter().flat_map(Self::hosts).map(|host| (&*host.endpoint.address, host)).collect();
        let host = |endpoint: &ClusterEndpoint| match known.get(&*endpoint.address) {
            Some(host) if host.endpoint == *endpoint => Arc::clone(host),
            Some(host) => Arc::new(host.moved(endpoint.clone())),
            None => Arc::new(Host::new(endpoint.clone(), now_ms)),
        };
        let mut grouped: BTreeMap<(u32, &Arc<str>), Vec<Arc<Host>>> = BTreeMap::new();
        let is_told = cluster.discovery == Discovery::Eds;
        let mut taken = BTreeSet::new();
        for endpoint in &cluster.endpoints {
            if is_told && !taken.insert(&*endpoint.address) {
                continue;
            }
            grouped.entry((endpoint.priority, &endpoint.locality)).or_default().push(host(endpoint));
        }
        let count =
            cluster.endpoints.iter().map(|endpoint| endpoint.priority as usize + 1).max().unwrap_or(0);
        let mut priorities = vec![PriorityHosts::default(); count];
        for ((priority, name), hosts) in grouped {
            let weight = cluster
                .localities
                .iter()
                .find(|(locality, of, _)| locality == name && *of == priority)
                .map_or(1, |(_, _, weight)| *weight);
            if let Some(entry) = priorities.get_mut(priority as usize) {
                entry.localities.push(LocalityHosts { name: Arc::clone(name), weight, hosts });
            }
        }
        Self { priorities }
    }

    /// All hosts, by priority, then locality.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.priorities.iter().flat_map(PriorityHosts::hosts)
    }
}

impl PriorityHosts {
    /// All hosts of the priority.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.localities.iter().flat_map(|locality| &locality.hosts)
    }

    /// How many there are, and how many of them are healthy.
    pub fn count(&self) -> (usize, usize) {
        self.hosts().fold((0, 0), |(all, healthy), host| (all + 1, healthy + usize::from(host.is_healthy())))
    }
}

impl LocalityHosts {
    /// How many hosts there are, and how many of them are healthy.
    pub fn count(&self) -> (usize, usize) {
        (self.hosts.len(), self.hosts.iter().filter(|host| host.is_healthy()).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::simulation_test::{cluster, endpoint};

    /// Asked of Envoy 1.40: of an address that is told twice and another that is told once each gets half.
    #[test]
    fn k10_an_address_that_is_told_twice_is_one_host() {
        let told = |address: &str, locality: &str| endpoint(address, 0, locality);
        let endpoints = vec![
            told("10.0.0.1:80", "a"),
            told("10.0.0.1:80", "a"),
            told("10.0.0.2:80", "a"),
            told("10.0.0.2:80", "b"),
        ];
        let addresses = |discovery| {
            let cluster = Cluster { discovery, ..cluster(endpoints.clone()) };
            let hosts = HostSet::build(&cluster, None, 0);
            hosts.hosts().map(|host| host.endpoint.address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(addresses(Discovery::Eds), ["10.0.0.1:80", "10.0.0.2:80"]);
        assert_eq!(addresses(Discovery::StrictDns).len(), 4);
    }
}

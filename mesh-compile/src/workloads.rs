//! Pods and endpoints by address: what a proxy that only says who it is can be found by.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::config_set::Store;
use mesh_model::kubernetes::Pod;
use mesh_model::object::{Kind, Object, ResourceKey};

use crate::proxy_identity::Proxy;
use crate::registry::endpoint::Endpoint;
use crate::registry::{HostKey, Registry};

type Pods = Vec<Arc<Object<Pod>>>;

/// Pods and endpoints by address. Ours: a proxy may know its address and nothing else.
#[derive(Debug, Clone, Default)]
pub struct Workloads {
    /// By cluster, namespace and name.
    pods: BTreeMap<ResourceKey, Arc<Object<Pod>>>,
    /// By address and cluster, each list by namespace and name.
    pods_at: BTreeMap<IpAddr, BTreeMap<Arc<str>, Pods>>,
    /// By address, in order of hostname and namespace.
    endpoints_at: BTreeMap<IpAddr, Vec<(HostKey, Arc<Endpoint>)>>,
}

impl Workloads {
    /// Indexes pods and the endpoints of a registry.
    pub fn build(pods: &Store<Pod>, registry: &Registry) -> Self {
        let mut workloads = Self::default();
        for pod in pods.iter() {
            workloads.pods.insert(pod.key(), Arc::clone(pod));
            if let Ok(ip) = pod.spec.status.pod_ip.parse() {
                let by_cluster = workloads.pods_at.entry(ip).or_default();
                by_cluster.entry(Arc::clone(&pod.meta.cluster)).or_default().push(Arc::clone(pod));
            }
        }
        for (key, endpoints) in &registry.endpoints {
            for endpoint in endpoints {
                if let Ok(ip) = endpoint.address.parse() {
                    let found = (key.clone(), Arc::clone(endpoint));
                    workloads.endpoints_at.entry(ip).or_default().push(found);
                }
            }
        }
        workloads
    }

    /// Puts another version of a Pod in the place of the one under this key. Both, where they are not the same.
    pub(crate) fn replace_pod(&mut self, key: &ResourceKey, new: Option<&Arc<Object<Pod>>>) -> Pods {
        let old = match new {
            Some(new) => self.pods.insert(key.clone(), Arc::clone(new)),
            None => self.pods.remove(key),
        };
        if old.as_ref().zip(new).is_some_and(|(old, new)| Arc::ptr_eq(old, new)) {
            return Vec::new();
        }
        let order = |pod: &Arc<Object<Pod>>| (Arc::clone(&pod.meta.namespace), Arc::clone(&pod.meta.name));
        if let Some(old) = &old
            && let Ok(ip) = old.spec.status.pod_ip.parse::<IpAddr>()
            && let Some(by_cluster) = self.pods_at.get_mut(&ip)
            && let Some(list) = by_cluster.get_mut(&old.meta.cluster)
        {
            list.retain(|pod| !Arc::ptr_eq(pod, old));
            if list.is_empty() {
                by_cluster.remove(&old.meta.cluster);
            }
            if by_cluster.is_empty() {
                self.pods_at.remove(&ip);
            }
        }
        if let Some(new) = new
            && let Ok(ip) = new.spec.status.pod_ip.parse::<IpAddr>()
        {
            let list = self.pods_at.entry(ip).or_default().entry(Arc::clone(&new.meta.cluster)).or_default();
            let place = list.partition_point(|pod| order(pod) < order(new));
            list.insert(place, Arc::clone(new));
        }
        old.into_iter().chain(new.cloned()).collect()
    }

    /// Puts the endpoints of a hostname and namespace in the place of those that it had.
    pub(crate) fn replace_endpoints(&mut self, key: &HostKey, old: &[Arc<Endpoint>], new: &[Arc<Endpoint>]) {
        for ip in old.iter().filter_map(|endpoint| endpoint.address.parse::<IpAddr>().ok()) {
            if let Some(list) = self.endpoints_at.get_mut(&ip) {
                list.retain(|(other, _)| other != key);
                if list.is_empty() {
                    self.endpoints_at.remove(&ip);
                }
            }
        }
        for endpoint in new {
            if let Ok(ip) = endpoint.address.parse::<IpAddr>() {
                let list = self.endpoints_at.entry(ip).or_default();
                let place = list.partition_point(|(other, _)| other <= key);
                list.insert(place, (key.clone(), Arc::clone(endpoint)));
            }
        }
    }

    /// The Pod of a proxy: by name, else by address, one of its own namespace where several share it.
    pub fn pod(&self, proxy: &Proxy) -> Option<&Arc<Object<Pod>>> {
        let key = ResourceKey {
            group: Pod::GROUP,
            kind: Pod::KIND,
            cluster: Arc::clone(&proxy.cluster_id),
            namespace: Arc::clone(&proxy.namespace),
            name: Arc::clone(&proxy.name),
        };
        if let Some(found) = self.pods.get(&key) {
            return Some(found);
        }
        let candidates = self.pods_at.get(&proxy.ip?)?.get(&proxy.cluster_id)?;
        match candidates.as_slice() {
            [only] => Some(only),
            several => several.iter().find(|pod| pod.meta.namespace == proxy.namespace),
        }
    }

    /// Pods that only one of two revisions has.
    pub(crate) fn differing_pods(&self, new: &Self) -> Vec<Arc<Object<Pod>>> {
        let missing = |from: &Self, to: &Self| -> Vec<_> {
            let is_same = |key: &ResourceKey, pod: &Arc<Object<Pod>>| {
                to.pods.get(key).is_some_and(|other| Arc::ptr_eq(pod, other))
            };
            from.pods.iter().filter(|(key, pod)| !is_same(key, pod)).map(|(_, pod)| Arc::clone(pod)).collect()
        };
        [missing(self, new), missing(new, self)].concat()
    }

    /// Endpoints at an address, with the hostname and namespace of their services.
    pub fn endpoints_at(&self, ip: IpAddr) -> &[(HostKey, Arc<Endpoint>)] {
        self.endpoints_at.get(&ip).map_or(&[], Vec::as_slice)
    }
}

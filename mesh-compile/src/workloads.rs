//! Pods and endpoints by address: what a proxy that only says who it is can be found by.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::config_set::Store;
use mesh_model::kubernetes::Pod;
use mesh_model::object::Object;

use crate::registry::endpoint::Endpoint;
use crate::registry::{HostKey, Registry};

/// Pods and endpoints by address.
#[derive(Debug, Clone, Default)]
pub struct Workloads {
    /// By cluster, namespace and name.
    pods: BTreeMap<(Arc<str>, Arc<str>, Arc<str>), Arc<Object<Pod>>>,
    /// By cluster and address, each list by namespace and name.
    pods_at: BTreeMap<(Arc<str>, IpAddr), Vec<Arc<Object<Pod>>>>,
    /// By address, in order of hostname and namespace.
    endpoints_at: BTreeMap<IpAddr, Vec<(HostKey, Arc<Endpoint>)>>,
}

impl Workloads {
    /// Indexes pods and the endpoints of a registry.
    pub fn build(pods: &Store<Pod>, registry: &Registry) -> Self {
        let mut workloads = Self::default();
        for pod in pods.iter() {
            let meta = &pod.meta;
            let key = (Arc::clone(&meta.cluster), Arc::clone(&meta.namespace), Arc::clone(&meta.name));
            workloads.pods.insert(key, Arc::clone(pod));
            if let Ok(ip) = pod.spec.status.pod_ip.parse() {
                workloads.pods_at.entry((Arc::clone(&meta.cluster), ip)).or_default().push(Arc::clone(pod));
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

    /// The Pod of a proxy: by name, else by address, one of its own namespace where several share it.
    pub fn pod(
        &self,
        cluster: &str,
        namespace: &str,
        name: &str,
        ip: Option<IpAddr>,
    ) -> Option<&Arc<Object<Pod>>> {
        if let Some(found) = self.pods.get(&(Arc::from(cluster), Arc::from(namespace), Arc::from(name))) {
            return Some(found);
        }
        let candidates = self.pods_at.get(&(Arc::from(cluster), ip?))?;
        match candidates.as_slice() {
            [only] => Some(only),
            several => several.iter().find(|pod| &*pod.meta.namespace == namespace),
        }
    }

    /// Endpoints at an address, with the hostname and namespace of their services.
    pub fn endpoints_at(&self, ip: IpAddr) -> &[(HostKey, Arc<Endpoint>)] {
        self.endpoints_at.get(&ip).map_or(&[], Vec::as_slice)
    }
}

//! What the registry is built from, with the look-ups that every source needs.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::kubernetes::{Node, Pod};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::StringMap;
use mesh_model::object::{Object, ObjectMeta};

use super::locality;
use super::namespaces::Namespaces;
use super::networks::Networks;
use super::part::Part;

/// Nodes by cluster and name.
type Nodes<'c> = BTreeMap<(&'c str, &'c str), &'c Arc<Object<Node>>>;

/// Configuration, indexed.
#[derive(Debug)]
pub(super) struct Sources<'c> {
    /// All objects.
    pub(super) config: &'c ConfigSet,
    /// The mesh configuration.
    pub(super) mesh: &'c MeshConfig,
    /// The namespaces.
    pub(super) namespaces: &'c Namespaces,
    /// The networks.
    pub(super) networks: &'c Networks,
    /// What of it is read.
    pub(super) part: &'c Part,
    /// Indexed when someone asks.
    nodes: OnceCell<Nodes<'c>>,
    pods: BTreeMap<(&'c str, &'c str, &'c str), &'c Arc<Object<Pod>>>,
    pods_by_address: BTreeMap<(&'c str, &'c str, &'c str), &'c Arc<Object<Pod>>>,
}

impl<'c> Sources<'c> {
    /// Indexes the pods of a part.
    pub(super) fn new(
        part: &'c Part,
        config: &'c ConfigSet,
        mesh: &'c MeshConfig,
        namespaces: &'c Namespaces,
        networks: &'c Networks,
    ) -> Self {
        let mut sources = Self {
            config,
            mesh,
            namespaces,
            networks,
            part,
            nodes: OnceCell::new(),
            pods: BTreeMap::new(),
            pods_by_address: BTreeMap::new(),
        };
        for pod in part.objects(&config.pods) {
            let meta = &pod.meta;
            if !sources.sees(meta) {
                continue;
            }
            sources.pods.insert((&*meta.cluster, &*meta.namespace, &*meta.name), pod);
            if super::workload::takes_traffic(pod) {
                let key = (&*meta.cluster, &*meta.namespace, pod.spec.status.pod_ip.as_str());
                sources.pods_by_address.entry(key).or_insert(pod);
            }
        }
        sources
    }

    /// Whether an object's namespace is discovered.
    pub(super) fn sees(&self, meta: &ObjectMeta) -> bool {
        self.namespaces.is_discovered(&meta.cluster, &meta.namespace)
    }

    /// A Pod by name.
    pub(super) fn pod(&self, cluster: &str, namespace: &str, name: &str) -> Option<&'c Arc<Object<Pod>>> {
        self.pods.get(&(cluster, namespace, name)).copied()
    }

    /// A ready Pod by address: the first by name, where several share it (host network).
    pub(super) fn pod_at(
        &self,
        cluster: &str,
        namespace: &str,
        address: &str,
    ) -> Option<&'c Arc<Object<Pod>>> {
        self.pods_by_address.get(&(cluster, namespace, address)).copied()
    }

    /// The locality of a node; empty: unknown.
    pub(super) fn node_locality(&self, cluster: &str, node: &str) -> Arc<str> {
        let nodes = self.nodes.get_or_init(|| {
            let nodes = self.config.nodes.iter();
            nodes.map(|node| ((&*node.meta.cluster, &*node.meta.name), node)).collect()
        });
        nodes
            .get(&(cluster, node))
            .map_or_else(Arc::default, |node| locality::from_node_labels(&node.meta.labels))
    }

    /// The network of a workload: its label's, else that of its cluster, else the one that MeshNetworks puts it in
    /// (T-314); empty: unknown.
    pub(super) fn network<'a>(&'a self, cluster: &Arc<str>, address: &str, labels: &'a StringMap) -> &'a str {
        if let Some(network) = labels.get(locality::NETWORK_LABEL).filter(|network| !network.is_empty()) {
            return network;
        }
        match self.namespaces.network(cluster) {
            "" => self.networks.find(cluster, address).map_or("", |network| network),
            network => network,
        }
    }

    /// The identity of a service account.
    pub(super) fn identity(&self, namespace: &str, service_account: &str) -> Arc<str> {
        format!("spiffe://{}/ns/{namespace}/sa/{service_account}", self.mesh.trust_domain()).into()
    }
}

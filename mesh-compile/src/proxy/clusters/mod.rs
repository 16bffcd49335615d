//! Clusters: one per service, port and subset, with every DestinationRule setting resolved; inbound and fixed ones too.
//! What there is of a service is T-237 and T-443.
//!
//! `policy` finds the blocks that hold for a cluster, `layers` says what they shadow where somebody asks; `connection_pool`, `outlier`, `load_balancer`, `locality` and
//! `tls` write one block each into it; `peers` says what PeerAuthentication allows; `endpoints` fills it, with `networks` for those behind gateways; `outbound`, `inbound` and `fixed` say which clusters exist.

mod connection_pool;
mod endpoints;
mod fixed;
mod inbound;
pub mod layers;
mod load_balancer;
mod locality;
pub mod names;
mod networks;
mod outbound;
mod outlier;
mod peers;
mod policy;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::StringMap;

pub(super) use endpoints::socket_address;
pub use names::{ClusterDirection, cluster_name};

use super::cluster::Cluster;
use super::gateway::forwards_by_name;
use crate::proxy_identity::{Proxy, ProxyKind};
use crate::registry::service::Service;
use crate::shared_map::SharedMap;
use crate::view::View;
use peers::Peers;
use tls::ClientFiles;

/// All clusters of a proxy, by name; of two with one name the first stays.
pub fn compile(view: &View<'_>) -> (SharedMap<Arc<Cluster>>, Report) {
    let compiler = ClusterCompiler::new(view);
    let services = &view.scope().services;
    let mut clusters = SharedMap::with_room(services.len().saturating_mul(2));
    let mut add = |found: Vec<Cluster>| {
        for cluster in found {
            clusters.insert_first(Arc::clone(&cluster.name), Arc::new(cluster));
        }
    };
    for service in services {
        add(compiler.of_service(service));
    }
    add(compiler.fixed());
    match view.proxy().kind {
        ProxyKind::Sidecar => add(compiler.of_workload()),
        ProxyKind::Gateway if forwards_by_name(view) => {
            for service in services {
                add(compiler.by_name_of_service(service));
            }
        }
        ProxyKind::Gateway => {}
    }
    (clusters, Report::new())
}

/// Makes the clusters of one proxy, part by part. Ours: parts that did not change need not be made again.
#[derive(Debug)]
pub struct ClusterCompiler<'c> {
    context: Context<'c>,
}

impl<'c> ClusterCompiler<'c> {
    /// For the proxy of a view.
    pub fn new(view: &'c View<'c>) -> Self {
        Self { context: Context::new(view) }
    }

    /// The clusters towards a service in scope: of each port, and of each of its subsets.
    pub fn of_service(&self, service: &Service) -> Vec<Cluster> {
        let mut clusters = Clusters::default();
        outbound::compile(&self.context, service, &mut clusters);
        clusters.list
    }

    /// The clusters towards a service in scope that [`forwards_by_name`] needs beside those.
    pub fn by_name_of_service(&self, service: &Service) -> Vec<Cluster> {
        let mut clusters = Clusters::default();
        outbound::compile_sni(&self.context, service, &mut clusters);
        clusters.list
    }

    /// What outbound traffic without a service falls into.
    pub fn fixed(&self) -> Vec<Cluster> {
        let mut clusters = Clusters::default();
        fixed::outbound(&self.context, &mut clusters);
        clusters.list
    }

    /// The clusters towards the workload beside a sidecar.
    pub fn of_workload(&self) -> Vec<Cluster> {
        let mut clusters = Clusters::default();
        inbound::compile(&self.context, &mut clusters);
        fixed::inbound(&self.context, &mut clusters);
        clusters.list
    }
}

/// Clusters under construction.
#[derive(Debug, Default)]
struct Clusters {
    list: Vec<Cluster>,
}

impl Clusters {
    fn add(&mut self, cluster: Cluster) {
        self.list.push(cluster);
    }
}

/// What every cluster of one proxy is built from.
#[derive(Debug)]
struct Context<'c> {
    view: &'c View<'c>,
    mesh: &'c MeshConfig,
    proxy: &'c Proxy,
    sidecar: bool,
    /// The proxy's labels with its place in the topology (T-260).
    labels: StringMap,
    client_files: Option<ClientFiles>,
    peers: Peers<'c>,
}

impl<'c> Context<'c> {
    fn new(view: &'c View<'c>) -> Self {
        let proxy = view.proxy();
        Self {
            view,
            mesh: view.mesh(),
            proxy,
            sidecar: proxy.kind == ProxyKind::Sidecar,
            labels: topology_labels(proxy),
            client_files: client_files(proxy),
            peers: Peers::new(view),
        }
    }

    fn client(&self) -> locality::Client<'_> {
        locality::Client { locality: &self.proxy.locality, labels: &self.labels }
    }
}

/// Certificate files that the proxy's metadata names (T-289).
fn client_files(proxy: &Proxy) -> Option<ClientFiles> {
    let file = |key: &str| proxy.metadata.get(key).cloned().unwrap_or_default();
    let certificate = file("TLS_CLIENT_CERT_CHAIN");
    (!certificate.is_empty()).then(|| ClientFiles {
        certificate,
        key: file("TLS_CLIENT_KEY"),
        root: file("TLS_CLIENT_ROOT_CERT"),
    })
}

fn topology_labels(proxy: &Proxy) -> StringMap {
    let mut labels = proxy.labels.clone();
    let mut place = proxy.locality.splitn(3, '/');
    let metadata = |key: &str| proxy.metadata.get(key).map(String::as_str);
    let topology = [
        ("topology.kubernetes.io/region", place.next()),
        ("topology.kubernetes.io/zone", place.next()),
        ("topology.istio.io/subzone", place.next()),
        ("topology.istio.io/cluster", Some(&*proxy.cluster_id)),
        ("topology.istio.io/network", Some(proxy.network())),
        ("kubernetes.io/hostname", metadata("NODE_NAME")),
    ];
    for (name, value) in topology {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            labels.insert(name, value);
        }
    }
    labels
}

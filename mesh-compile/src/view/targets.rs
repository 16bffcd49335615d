//! The service ports that a proxy's own workload serves (T-404, T-490).
//!
//! A proxy need not be a Pod of the configuration: its labels, namespace and address are enough to say which services
//! select it.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::kubernetes::Pod;
use mesh_model::kubernetes::Protocol as WrittenTransport;
use mesh_model::kubernetes::pod::Container;
use mesh_model::name::{Protocol, Transport, labels_subset_of};
use mesh_model::object::Object;

use crate::proxy_identity::Proxy;
use crate::registry::HostKey;
use crate::registry::endpoint::Endpoint;
use crate::registry::service::{RegistryKind, Resolution, Service, ServicePort};
use crate::snapshot::MeshSnapshot;

/// A service port that a workload serves (T-490, T-404). UDP ports are among them.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceTarget {
    /// The service that selects the workload.
    pub service: Arc<Service>,
    /// Its port.
    pub port: ServicePort,
    /// The workload's port.
    pub target_port: u16,
}

/// The targets of a proxy, oldest service first, then by hostname; within a service in order of its ports.
pub(super) fn of(snapshot: &MeshSnapshot, proxy: &Proxy) -> Vec<ServiceTarget> {
    let mut targets = of_kubernetes(snapshot, proxy);
    targets.extend(of_service_entries(snapshot, proxy));
    targets.sort_by(|a, b| order(a).cmp(&order(b)));
    targets
}

fn order(target: &ServiceTarget) -> (i64, &str) {
    (target.service.created.unwrap_or(i64::MIN), &target.service.hostname)
}

/// Targets of Kubernetes Services: through a WorkloadEntry of the proxy's address, else by labels, else through slices
/// that name its address (Services without a selector).
fn of_kubernetes(snapshot: &MeshSnapshot, proxy: &Proxy) -> Vec<ServiceTarget> {
    let own: Vec<_> = endpoints_of(snapshot, proxy)
        .iter()
        .filter(|(_, endpoint)| endpoint.registry == RegistryKind::Kubernetes)
        .filter(|(_, endpoint)| endpoint.cluster == proxy.cluster_id)
        .collect();
    let is_entry = |(_, endpoint): &&&(HostKey, Arc<Endpoint>)| endpoint.provenance.kind == "WorkloadEntry";
    if own.iter().any(|found| is_entry(&found)) {
        let entries = own.iter().filter(is_entry);
        let targets = entries.filter_map(|found| target_at(snapshot, found));
        return targets.filter(|target| target.service.resolution == Resolution::ClientSide).collect();
    }
    let by_labels = by_labels(snapshot, proxy);
    if !by_labels.is_empty() {
        return by_labels;
    }
    own.iter()
        .filter(|((_, namespace), _)| *namespace == proxy.namespace)
        .filter_map(|found| target_at(snapshot, found))
        .collect()
}

/// Ports of the Services of the proxy's namespace and cluster whose selector its labels satisfy.
fn by_labels(snapshot: &MeshSnapshot, proxy: &Proxy) -> Vec<ServiceTarget> {
    let pod = snapshot.workloads.pod(proxy);
    let of_cluster = |service: &&Arc<Service>| service.cluster_vips.contains_key(&proxy.cluster_id);
    let selects = |service: &&Arc<Service>| {
        service.registry == RegistryKind::Kubernetes
            && service.namespace == proxy.namespace
            && !service.selector.is_empty()
            && labels_subset_of(&service.selector, &proxy.labels)
    };
    let services = snapshot.registry.services.iter().filter(of_cluster);
    let services = services.map(|service| service.for_pods_of(&proxy.cluster_id)).filter(selects);
    services.flat_map(|service| of_service(service, pod)).collect()
}

/// The ports of a Service that lead to distinct ports of the workload: the first of each port and protocol counts.
fn of_service(service: &Arc<Service>, pod: Option<&Arc<Object<Pod>>>) -> Vec<ServiceTarget> {
    let mut seen: BTreeSet<(u16, Protocol)> = BTreeSet::new();
    let targets = service.ports.iter().filter_map(|port| {
        let target_port = target_port(port, pod.map(|pod| &pod.spec))?;
        let is_new = seen.insert((target_port, port.protocol));
        is_new.then(|| ServiceTarget { service: Arc::clone(service), port: port.clone(), target_port })
    });
    targets.collect()
}

/// The workload's port behind a Service port; `None` for a name that no container port of its transport has (E-046).
fn target_port(port: &ServicePort, pod: Option<&Pod>) -> Option<u16> {
    match &port.target_port_name {
        Some(name) => container_port(pod?, name, port.transport),
        None => Some(port.target_port.unwrap_or(port.number)),
    }
}

fn container_port(pod: &Pod, name: &str, transport: Transport) -> Option<u16> {
    let is_sidecar = |container: &&Container| container.restart_policy == "Always";
    let containers = pod.spec.containers.iter().chain(pod.spec.init_containers.iter().filter(is_sidecar));
    let has_transport = |written: &WrittenTransport| match written {
        WrittenTransport::Udp => transport == Transport::Udp,
        WrittenTransport::Sctp => transport == Transport::Sctp,
        WrittenTransport::Tcp | WrittenTransport::Other(_) => transport == Transport::Tcp,
    };
    let found = containers
        .flat_map(|container| &container.ports)
        .find(|candidate| candidate.name == name && has_transport(&candidate.protocol))?;
    u16::try_from(found.container_port).ok()
}

/// Targets of ServiceEntries of the proxy's namespace: endpoints at its address.
fn of_service_entries(snapshot: &MeshSnapshot, proxy: &Proxy) -> Vec<ServiceTarget> {
    endpoints_of(snapshot, proxy)
        .iter()
        .filter(|((_, namespace), endpoint)| {
            endpoint.registry == RegistryKind::External && *namespace == proxy.namespace
        })
        .filter_map(|found| target_at(snapshot, found))
        .collect()
}

fn endpoints_of<'s>(snapshot: &'s MeshSnapshot, proxy: &Proxy) -> &'s [(HostKey, Arc<Endpoint>)] {
    proxy.ip.map_or(&[], |ip| snapshot.workloads.endpoints_at(ip))
}

/// The target that an endpoint is of: its service, of the registry that found it, and the port of its name.
fn target_at(snapshot: &MeshSnapshot, found: &(HostKey, Arc<Endpoint>)) -> Option<ServiceTarget> {
    let ((hostname, namespace), endpoint) = found;
    let candidates = snapshot.registry.by_host(hostname).iter();
    let mut services =
        candidates.filter(|service| service.namespace == *namespace && service.registry == endpoint.registry);
    services.find_map(|service| {
        let service = service.for_pods_of(&endpoint.cluster);
        let port = service.port_named(&endpoint.service_port_name)?;
        Some(ServiceTarget { service: Arc::clone(service), port: port.clone(), target_port: endpoint.port })
    })
}

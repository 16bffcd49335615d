//! Services and endpoints from Kubernetes objects, ServiceEntries and WorkloadEntries.
//! What it is made of is T-300 to T-345.
//!
//! The registry knows everything and decides nothing about who may see it: that is [`crate::view`]'s part.

mod alias;
pub mod endpoint;
mod endpoint_slice;
mod export_to;
mod identity;
mod kubernetes_service;
pub mod locality;
pub mod namespaces;
pub mod network_gateways;
pub mod networks;
mod part;
mod room;
pub mod service;
mod service_entry;
mod sources;
mod traffic_distribution;
mod update;
mod workload;

#[cfg(test)]
mod corpus_test;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::MeshConfig;

use endpoint::Endpoint;
pub(crate) use endpoint_slice::service_of;
pub(crate) use kubernetes_service::hostname;
use namespaces::Namespaces;
use networks::Networks;
pub(crate) use part::Part;
use room::Room;
use service::{RegistryKind, Resolution, Service, ServicePort};
use sources::Sources;
pub(crate) use update::{HostChange, order, put_in, take_out};

/// The DNS domain of the cluster (T-007).
pub const DOMAIN: &str = "cluster.local";
/// The address of a service that has none.
pub const NO_ADDRESS: &str = "0.0.0.0";

/// A hostname and a namespace (T-343, T-344).
pub type HostKey = (Arc<str>, Arc<str>);
type EndpointMap = BTreeMap<HostKey, Vec<Arc<Endpoint>>>;

/// Every service and endpoint of the mesh, before anyone asks who may see them (T-300..T-345).
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// All services in T-006 order.
    pub services: Vec<Arc<Service>>,
    /// Endpoints by (hostname, namespace): those of a Service and of ServiceEntries of the same host and namespace together (T-343).
    pub endpoints: BTreeMap<HostKey, Vec<Arc<Endpoint>>>,
    /// What is known of namespaces.
    pub namespaces: Namespaces,
    /// What is known of networks.
    pub networks: Networks,
    by_host: BTreeMap<Arc<str>, Vec<Arc<Service>>>,
    identities: BTreeMap<HostKey, Vec<String>>,
    /// At least this much room is left; none where not all had room.
    room_left: usize,
    /// Whether a part of the configuration cannot be read without the rest: names stand for other services, or endpoints
    /// are Pods of other namespaces.
    is_entangled: bool,
}

impl Registry {
    /// Builds the registry from all objects in force. `mesh` is the mesh configuration over its defaults.
    pub fn build(config: &ConfigSet, mesh: &MeshConfig) -> (Self, Report) {
        Self::build_after(None, config, mesh)
    }

    /// The same after an earlier one: services that are the same are those of the earlier one, in memory too.
    pub(crate) fn build_after(
        earlier: Option<&Self>,
        config: &ConfigSet,
        mesh: &MeshConfig,
    ) -> (Self, Report) {
        Self::build_within(Room::new(), earlier, config, mesh)
    }

    fn build_within(
        mut room: Room,
        earlier: Option<&Self>,
        config: &ConfigSet,
        mesh: &MeshConfig,
    ) -> (Self, Report) {
        let mut report = Report::new();
        let namespaces = Namespaces::read(config, mesh);
        let mut networks = Networks::read(&config.mesh_networks);
        networks.gateways = network_gateways::discover(config, &namespaces, &mut report);
        let (mut services, endpoints) =
            gather(&Part::whole(), config, mesh, (&namespaces, &networks), &mut room, &mut report);
        let is_entangled = is_entangled(&Part::whole(), config, &services);
        alias::resolve(&mut services, &mut room, &mut report);
        let keep = |service: Service| {
            let known = earlier.map_or(&[][..], |earlier| earlier.by_host(&service.hostname));
            known.iter().find(|it| ***it == service).map_or_else(|| Arc::new(service), Arc::clone)
        };
        let services: Vec<_> = services.into_iter().map(keep).collect();
        let mut by_host: BTreeMap<Arc<str>, Vec<Arc<Service>>> = BTreeMap::new();
        for service in &services {
            by_host.entry(Arc::clone(&service.hostname)).or_default().push(Arc::clone(service));
        }
        let identities = identity::by_host(&services, &endpoints, &mesh.trust_domain_aliases);
        let room_left = if room.is_full() { 0 } else { room.left() };
        (
            Self { services, endpoints, namespaces, networks, by_host, identities, room_left, is_entangled },
            report,
        )
    }

    /// All services of a hostname, in T-006 order.
    pub fn by_host(&self, hostname: &str) -> &[Arc<Service>] {
        self.by_host.get(hostname).map_or(&[], Vec::as_slice)
    }

    /// The service that MeshConfig names `HOST` or `NAMESPACE/HOST`; without a namespace there must be one only.
    pub(crate) fn named(&self, written: &str) -> Option<&Arc<Service>> {
        let (namespace, host) = split_namespace(written);
        let services = self.by_host(host);
        let first = services.first()?;
        match namespace {
            Some(namespace) => services.iter().find(|it| *it.namespace == *namespace),
            None => services.iter().all(|it| it.namespace == first.namespace).then_some(first),
        }
    }

    /// The service that defines a hostname in a namespace: the oldest, but a Kubernetes Service before any
    /// ServiceEntry (T-343).
    pub fn service(&self, hostname: &str, namespace: &str) -> Option<&Arc<Service>> {
        let mut candidates = self.by_host(hostname).iter().filter(|service| &*service.namespace == namespace);
        let first = candidates.next()?;
        if first.registry == RegistryKind::Kubernetes {
            return Some(first);
        }
        candidates.find(|service| service.registry == RegistryKind::Kubernetes).or(Some(first))
    }

    /// Every endpoint of a service, whatever its port and health.
    pub fn endpoints(&self, service: &Service) -> &[Arc<Endpoint>] {
        self.endpoints.get(&key_of(service)).map_or(&[], Vec::as_slice)
    }

    /// The endpoints of a service port, whatever their health: joined by the port's name (T-329), but for names that
    /// the proxy looks up, by its number where the endpoint's definition has one.
    pub fn port_endpoints<'r>(
        &'r self,
        service: &Service,
        port: &'r ServicePort,
    ) -> impl Iterator<Item = &'r Arc<Endpoint>> {
        let by_number = matches!(service.resolution, Resolution::Dns | Resolution::DnsRoundRobin);
        self.endpoints(service).iter().filter(move |endpoint| match endpoint.service_port_number {
            Some(number) if by_number => number == port.number,
            _ => endpoint.service_port_name == port.name,
        })
    }

    /// Identities that servers of a service may bear, sorted (T-286, T-325): those of its endpoints and those that
    /// are written, each in every trust domain of the mesh.
    pub fn identities(&self, service: &Service) -> &[String] {
        self.identities_of(&key_of(service))
    }

    /// The same by hostname and namespace.
    pub(crate) fn identities_of(&self, key: &HostKey) -> &[String] {
        self.identities.get(key).map_or(&[], Vec::as_slice)
    }
}

/// Services in T-006 order, and endpoints, of a part of the configuration.
fn gather(
    part: &Part,
    config: &ConfigSet,
    mesh: &MeshConfig,
    (namespaces, networks): (&Namespaces, &Networks),
    room: &mut Room,
    report: &mut Report,
) -> (Vec<Service>, EndpointMap) {
    let sources = Sources::new(part, config, mesh, namespaces, networks);
    let workloads = workload::selectable(&sources, report);
    let mut endpoints = EndpointMap::new();
    let entry_services = service_entry::services(&sources, &workloads, &mut endpoints, room, report);
    let mut services = kubernetes_service::services(&sources);
    let by_key = services.iter().map(|service| (key_of(service), service)).collect();
    endpoint_slice::add_slices(&by_key, &sources, &mut endpoints, room, report);
    endpoint_slice::add_selected_entries(&services, &workloads, &mut endpoints, room, report);
    services.extend(entry_services);
    services.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
    (services, endpoints)
}

/// Whether something of a part depends on what may be outside of it.
fn is_entangled(part: &Part, config: &ConfigSet, services: &[Service]) -> bool {
    services.iter().any(|service| service.resolution == Resolution::Alias)
        || part
            .objects(&config.endpoint_slices)
            .into_iter()
            .any(|slice| endpoint_slice::names_foreign_pods(slice))
}

fn key_of(service: &Service) -> HostKey {
    (Arc::clone(&service.hostname), Arc::clone(&service.namespace))
}

/// `HOST` or `NAMESPACE/HOST`.
pub(crate) fn split_namespace(written: &str) -> (Option<&str>, &str) {
    match written.split_once('/') {
        Some((namespace, host)) if !host.contains('/') => (Some(namespace), host),
        _ => (None, written),
    }
}

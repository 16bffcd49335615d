//! The services of a whole scope, one per hostname: those of the listeners and those that routes lead to (T-343, T-380, T-381).

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use mesh_model::networking::virtual_service::spec::{HttpRoute, VirtualService};
use mesh_model::part::Destination;
use smallvec::SmallVec;

use super::egress::{EgressScope, trim_to_port};
use crate::registry::service::{RegistryKind, Service};
use crate::snapshot::MeshSnapshot;

/// Services in order of import, one per hostname.
#[derive(Debug, Default)]
pub(super) struct ServiceSet {
    services: Vec<Arc<Service>>,
    position: Positions,
    destinations: Destinations,
}

/// Positions by hostname.
pub(super) type Positions = HashMap<Arc<str>, usize, RandomState>;
/// Hosts that routes lead to, with the number of VirtualServices in scope that do.
pub(super) type Destinations = HashMap<Arc<str>, usize, RandomState>;

impl ServiceSet {
    /// Everything that egress listeners import, directly or through the destinations of their VirtualServices.
    pub(super) fn of_egress(snapshot: &MeshSnapshot, namespace: &str, egress: &[EgressScope]) -> Self {
        let mut set = Self::default();
        for listener in egress {
            for service in &listener.services {
                set.add(service);
            }
            for virtual_service in &listener.virtual_services {
                for (host, ports) in destinations(&virtual_service.spec, namespace) {
                    count(&mut set.destinations, host);
                    let Some(service) = pick(snapshot, namespace, host) else { continue };
                    let trimmed = match listener.matched_port() {
                        Some(port) => trim_to_port(service, Some(port)),
                        None => trim_to_ports(service, &ports),
                    };
                    if let Some(service) = trimmed {
                        set.add(&service);
                    }
                }
            }
        }
        set
    }

    /// Everything that a namespace sees: the scope of gateways (T-344, T-371, T-443).
    pub(super) fn of_namespace(snapshot: &MeshSnapshot, namespace: &str) -> Self {
        let mut set = Self::default();
        for service in snapshot.service_index.exported_to(namespace) {
            set.add(service);
        }
        set
    }

    /// The services, where each hostname stands among them, and the hosts that routes lead to.
    pub(super) fn into_parts(self) -> (Vec<Arc<Service>>, Positions, Destinations) {
        (self.services, self.position, self.destinations)
    }

    /// Takes a service in: a Kubernetes Service replaces a ServiceEntry, ports are united where the definitions agree,
    /// otherwise the first stays (T-343, T-380).
    fn add(&mut self, service: &Arc<Service>) {
        let Some(position) = self.position.get(&service.hostname) else {
            self.position.insert(Arc::clone(&service.hostname), self.services.len());
            self.services.push(Arc::clone(service));
            return;
        };
        let Some(existing) = self.services.get_mut(*position) else { return };
        match (existing.registry, service.registry) {
            (RegistryKind::Kubernetes, RegistryKind::External) => {}
            (RegistryKind::External, RegistryKind::Kubernetes) => *existing = Arc::clone(service),
            _ if existing.ports == service.ports || !can_unite(existing, service) => {}
            _ => *existing = Arc::new(united(existing, service)),
        }
    }
}

/// Counts a VirtualService that leads to a host.
pub(super) fn count(destinations: &mut Destinations, host: &str) {
    match destinations.get_mut(host) {
        Some(count) => *count += 1,
        None => {
            destinations.insert(host.into(), 1);
        }
    }
}

/// Whether two services of a hostname are parts of one definition.
fn can_unite(left: &Service, right: &Service) -> bool {
    left.namespace == right.namespace
        && left.resolution == right.resolution
        && left.registry == right.registry
        && left.labels == right.labels
        && left.selector == right.selector
        && left.export_to == right.export_to
}

/// The first with the ports of the second that it does not have.
fn united(first: &Service, second: &Service) -> Service {
    let mut service = first.clone();
    for port in &second.ports {
        if service.port(port.number).is_none() {
            service.ports.push(port.clone());
        }
    }
    service
}

/// Destinations of a VirtualService with the ports it names in order (0: all), without the HTTP entries that are for
/// clients of other namespaces only (T-381).
pub(super) fn destinations<'s>(
    spec: &'s VirtualService,
    namespace: &str,
) -> BTreeMap<&'s str, SmallVec<[u32; 2]>> {
    let http = spec.http.iter().filter(|route| is_for_clients_of(route, namespace)).flat_map(|route| {
        let weighted = route.route.iter().filter_map(|entry| entry.destination.as_ref());
        let mirrored = route.mirrors.iter().filter_map(|entry| entry.destination.as_ref());
        weighted.chain(route.mirror.as_deref()).chain(mirrored)
    });
    let tcp = spec.tcp.iter().flat_map(|route| &route.route);
    let tls = spec.tls.iter().flat_map(|route| &route.route);
    let opaque = tcp.chain(tls).filter_map(|entry| entry.destination.as_ref());
    let mut found: BTreeMap<&str, SmallVec<[u32; 2]>> = BTreeMap::new();
    for destination in http.chain(opaque) {
        let ports = found.entry(&destination.host).or_default();
        let port = port_of(destination);
        if let Err(place) = ports.binary_search(&port) {
            ports.insert(place, port);
        }
    }
    found
}

fn port_of(destination: &Destination) -> u32 {
    destination.port.as_ref().map_or(0, |port| port.number)
}

/// Whether no match names a client namespace, or one names this one.
fn is_for_clients_of(route: &HttpRoute, namespace: &str) -> bool {
    let names =
        || route.r#match.iter().map(|matched| &matched.source_namespace).filter(|name| !name.is_empty());
    names().next().is_none() || names().any(|name| name == namespace)
}

/// The service that a route's destination means: the own namespace's without a look at exportTo (E-040), else a visible
/// Kubernetes Service, else the oldest visible one (T-381).
fn pick<'s>(snapshot: &'s MeshSnapshot, namespace: &str, host: &str) -> Option<&'s Arc<Service>> {
    let by_namespace = snapshot.service_index.by_hostname(host)?;
    if let Some(own) = by_namespace.get(namespace) {
        return Some(own);
    }
    by_namespace.values().filter(|service| snapshot.service_index.is_visible(service, namespace)).min_by_key(
        |service| (service.registry != RegistryKind::Kubernetes, service.created.unwrap_or(i64::MIN)),
    )
}

/// The service with the ports that are named; all where 0 is among them; `None` where it has none of them.
fn trim_to_ports(service: &Arc<Service>, ports: &[u32]) -> Option<Arc<Service>> {
    if ports.is_empty() || ports.contains(&0) {
        return Some(Arc::clone(service));
    }
    let kept: Vec<_> =
        service.ports.iter().filter(|port| ports.contains(&u32::from(port.number))).cloned().collect();
    if kept.len() == service.ports.len() {
        return Some(Arc::clone(service));
    }
    (!kept.is_empty()).then(|| Arc::new(Service { ports: kept, ..Service::clone(service) }))
}

//! Which VirtualService owns which service of a table, and which hosts are nobody's (T-103 to T-110).

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use mesh_model::diagnostic::Report;
use mesh_model::name::{MESH_GATEWAY, host_matches, is_wildcard};
use mesh_model::origin::Origin;

use crate::merge::virtual_service::{MergedVirtualService, RouteSemantics};
use crate::proxy::routes::{RouteContext, default_route, http_routes, port_origin};
use crate::registry::service::{Resolution, Service};
use crate::route_table::Route;
use crate::view::{EgressScope, View};

/// Services of a table by name (lower case where the table has a port), in scope order.
pub(super) type Services = IndexMap<Arc<str>, Arc<Service>>;

/// Hosts and services that share routes.
pub(super) struct Owner {
    pub(super) port: u16,
    /// Hosts without a service, with where they were written.
    pub(super) hosts: Vec<(String, Origin)>,
    pub(super) services: Vec<(Arc<Service>, Origin)>,
    pub(super) routes: Vec<Route>,
}

/// Services of an egress listener that have the table's port; all of them in tables of all ports (T-046).
pub(super) fn services_of(egress: &EgressScope, port: Option<u16>) -> Services {
    let mut services = Services::new();
    for service in &egress.services {
        match port {
            None => {
                services.insert(Arc::clone(&service.hostname), Arc::clone(service));
            }
            Some(number) => {
                if let Some(trimmed) = trim(service, number) {
                    // Of several services of one name (T-320) the last counts.
                    services.insert(Arc::clone(&trimmed.hostname), trimmed);
                }
            }
        }
    }
    services
}

/// The service with its first port of this number alone, under its name in lower case.
fn trim(service: &Arc<Service>, number: u16) -> Option<Arc<Service>> {
    let port = service.port(number)?;
    let is_lower = !service.hostname.bytes().any(|byte| byte.is_ascii_uppercase());
    if service.ports.len() == 1 && is_lower {
        return Some(Arc::clone(service));
    }
    Some(Arc::new(Service {
        hostname: service.hostname.to_ascii_lowercase().into(),
        ports: vec![port.clone()],
        ..Service::clone(service)
    }))
}

/// The owners of a table in order: VirtualServices, then services without one (A.1).
pub(super) fn owners_of(
    view: &View<'_>,
    egress: &EgressScope,
    services: &Services,
    port: Option<u16>,
    report: &mut Report,
) -> Vec<Owner> {
    let listener_port = port.unwrap_or(0);
    let known = |host: &str| services.get(host).map(|service| &**service);
    let wildcards: Vec<&str> = services.keys().map(|name| &**name).filter(|name| is_wildcard(name)).collect();
    let mut owners = Vec::new();
    for virtual_service in &egress.virtual_services {
        let considered = listener_port == 80 || concerns(virtual_service, services, &wildcards);
        if virtual_service.spec.http.is_empty() || !considered {
            continue;
        }
        let context =
            RouteContext { view, port: listener_port, gateway: MESH_GATEWAY, tls: false, known: &known };
        let routes = http_routes(virtual_service, &context, report);
        if !routes.is_empty() {
            owners.extend(owned_by(view, virtual_service, egress, services, listener_port, &routes));
        }
    }
    let owned: BTreeSet<Arc<str>> = owners
        .iter()
        .flat_map(|owner: &Owner| owner.services.iter().map(|(service, _)| Arc::clone(&service.hostname)))
        .collect();
    for (name, service) in services {
        // Aliases have no virtual host of their own: their names are domains of the concrete service (T-308).
        if owned.contains(name) || service.resolution == Resolution::Alias {
            continue;
        }
        for port in service.ports.iter().filter(|port| port.protocol.is_http_or_detected()) {
            owners.push(Owner {
                port: port.number,
                hosts: Vec::new(),
                services: vec![(Arc::clone(service), port_origin(service, port))],
                routes: vec![default_route(service, port, view)],
            });
        }
    }
    owners
}

/// Whether a VirtualService has a host among the services of a table; table 80 does not ask (T-108). `wildcards` are the
/// services whose names are.
fn concerns(virtual_service: &MergedVirtualService, services: &Services, wildcards: &[&str]) -> bool {
    virtual_service.spec.hosts.iter().any(|host| {
        let host = host.to_ascii_lowercase();
        services.contains_key(host.as_str())
            || if is_wildcard(&host) {
                services.keys().any(|name| host_matches(&host, name))
            } else {
                wildcards.iter().any(|name| host_matches(&host, name))
            }
    })
}

/// What a VirtualService with routes owns, by port of its services.
fn owned_by(
    view: &View<'_>,
    virtual_service: &Arc<MergedVirtualService>,
    egress: &EgressScope,
    services: &Services,
    listener_port: u16,
    routes: &[Route],
) -> Vec<Owner> {
    let (hosts, owned) = separate(virtual_service, egress, services);
    if virtual_service.semantics == RouteSemantics::GatewayApi {
        // Producer or consumer routes only: of the service's namespace, or of the client's (E-101).
        let client_namespace = &view.proxy().namespace;
        let own = &virtual_service.namespace;
        if !owned.iter().any(|(service, _)| service.namespace == *own || client_namespace == own) {
            return Vec::new();
        }
    }
    let mut by_port: IndexMap<u16, Vec<(Arc<Service>, Origin)>> = IndexMap::new();
    for (service, origin) in &owned {
        for port in service.ports.iter().filter(|port| port.protocol.is_http_or_detected()) {
            by_port.entry(port.number).or_default().push((Arc::clone(service), origin.clone()));
        }
    }
    if by_port.is_empty() && listener_port == 80 {
        // Hosts without any service are in table 80 and no other (T-108).
        by_port.insert(80, Vec::new());
    }
    by_port.sort_keys();
    by_port
        .into_iter()
        .map(|(port, services)| Owner { port, hosts: hosts.clone(), services, routes: routes.to_vec() })
        .collect()
}

type Hosts = Vec<(String, Origin)>;
type Owned = Vec<(Arc<Service>, Origin)>;

/// Hosts that are no service, and services that are this VirtualService's (T-106, T-107).
fn separate(
    virtual_service: &Arc<MergedVirtualService>,
    egress: &EgressScope,
    services: &Services,
) -> (Hosts, Owned) {
    let mut foreign = Vec::new();
    let mut owned: Owned = Vec::new();
    let written = virtual_service.spec.hosts.iter().enumerate().map(|(index, host)| {
        let origin = virtual_service.host_origin(index);
        (host.to_ascii_lowercase(), origin)
    });
    let (wildcards, exact): (Vec<_>, Vec<_>) = written.partition(|(host, _)| is_wildcard(host));
    for (host, origin) in exact {
        match services.get(host.as_str()) {
            Some(service) => owned.push((Arc::clone(service), origin)),
            None => foreign.push((host, origin)),
        }
    }
    for (host, origin) in wildcards {
        if virtual_service.semantics == RouteSemantics::GatewayApi {
            foreign.push((host, origin));
            continue;
        }
        let mut meets_any = false;
        for (name, service) in services.iter().filter(|(name, _)| host_matches(name, &host)) {
            meets_any = true;
            let is_owner = egress
                .most_specific_virtual_service(name)
                .is_some_and(|owner| Arc::ptr_eq(owner, virtual_service));
            if is_owner {
                owned.push((Arc::clone(service), origin.clone()));
            }
        }
        if !meets_any {
            foreign.push((host, origin));
        }
    }
    (foreign, owned)
}

//! Which VirtualService owns which service of a table, and which hosts are nobody's (T-103 to T-110).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use indexmap::IndexMap;
use mesh_model::diagnostic::Report;
use mesh_model::name::{MESH_GATEWAY, host_matches, is_wildcard};
use mesh_model::origin::Origin;

use super::cache::{RouteCache, RouteKey, RouteOwner};
use crate::merge::virtual_service::{MergedVirtualService, RouteSemantics};
use crate::proxy::routes::{RouteContext, default_route, http_routes, port_origin};
use crate::registry::service::{Resolution, Service, ServicePort};
use crate::route_table::RouteList;
use crate::view::{EgressScope, Lookup, View};

/// Where there are so many VirtualServices for each service of a table they are not all looked at.
const VIRTUAL_SERVICES_FOR_EACH: usize = 2;

/// Services of a table by name (lower case where the table has a port), in scope order.
pub(super) type Services = IndexMap<Arc<str>, Arc<Service>, RandomState>;

/// Hosts and services that share routes.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) port: u16,
    /// The VirtualService whose routes these are; `None`: the service's own.
    pub(super) virtual_service: Option<Arc<MergedVirtualService>>,
    /// Hosts without a service, with where they were written.
    pub(super) hosts: Vec<(String, Origin)>,
    pub(super) services: Vec<(Arc<Service>, Origin)>,
    pub(super) routes: RouteList,
}

impl Owner {
    /// Its names with where they come from, in order of precedence.
    pub(super) fn hostnames(&self) -> impl Iterator<Item = (&str, &Origin)> {
        let hosts = self.hosts.iter().map(|(host, origin)| (host.as_str(), origin));
        hosts.chain(self.services.iter().map(|(service, origin)| (&*service.hostname, origin)))
    }
}

/// What the tables of one port (or Unix path) are made from.
#[derive(Clone, Copy)]
pub(super) struct Source<'t> {
    pub(super) view: &'t View<'t>,
    pub(super) egress: &'t EgressScope,
    pub(super) services: &'t Services,
    /// `None`: all ports.
    pub(super) port: Option<u16>,
    /// Where the tables' listener is, if it is no port.
    pub(super) bind: &'t Arc<str>,
}

/// Services of an egress listener that have the table's port; all of them in tables of all ports (T-046).
pub(super) fn services_of(egress: &EgressScope, port: Option<u16>) -> Services {
    let mut services = Services::default();
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

/// A service as the tables of a port have it; `None`: they do not.
pub(super) fn as_in_table(service: &Arc<Service>, port: Option<u16>) -> Option<Arc<Service>> {
    match port {
        None => Some(Arc::clone(service)),
        Some(number) => trim(service, number),
    }
}

/// The service, where it has a port of this number, under its name in lower case. [`ports_of`] says which of its ports
/// count: a copy for each of them would be most of what a table takes.
fn trim(service: &Arc<Service>, number: u16) -> Option<Arc<Service>> {
    service.port(number)?;
    if !service.hostname.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Arc::clone(service));
    }
    let hostname = service.hostname.to_ascii_lowercase().into();
    Some(Arc::new(Service { hostname, ..Service::clone(service) }))
}

/// The ports of a service that have virtual hosts in tables of a port, or of all.
fn ports_of(service: &Service, port: Option<u16>) -> impl Iterator<Item = &ServicePort> {
    let (all, one) = match port {
        None => (service.ports.as_slice(), None),
        Some(number) => (&[][..], service.port(number)),
    };
    all.iter().chain(one).filter(|port| port.protocol.is_http_or_detected())
}

impl Source<'_> {
    fn listener_port(&self) -> u16 {
        self.port.unwrap_or(0)
    }

    fn key(&self, owner: RouteOwner) -> RouteKey {
        RouteKey { port: self.listener_port(), bind: Arc::clone(self.bind), owner }
    }

    /// The owners of a table in order: VirtualServices, then services without one (A.1).
    pub(super) fn owners(&self, cache: &mut dyn RouteCache, report: &mut Report) -> Vec<Owner> {
        let wildcards = self.wildcards();
        let mut owners = Vec::new();
        for virtual_service in self.candidates(&wildcards) {
            if self.listener_port() == 80 || concerns(virtual_service, self.services, &wildcards) {
                owners.extend(self.owned_by(virtual_service, cache, report));
            }
        }
        let owned: HashSet<Arc<str>, RandomState> = owners
            .iter()
            .flat_map(|owner: &Owner| owner.services.iter().map(|(service, _)| Arc::clone(&service.hostname)))
            .collect();
        for (name, service) in self.services {
            // Aliases have no virtual host of their own: their names are domains of the concrete service (T-308).
            if owned.contains(name) || service.resolution == Resolution::Alias {
                continue;
            }
            owners.extend(self.defaults_of(name, service, cache, report));
        }
        owners
    }

    /// VirtualServices that may concern the table, in order: where its services are few they are found by these.
    pub(super) fn candidates(&self, wildcards: &[&str]) -> Vec<&Arc<MergedVirtualService>> {
        let all = &self.egress.virtual_services;
        let are_few = self.services.len() < all.len() / VIRTUAL_SERVICES_FOR_EACH;
        let takes_all = self.port.is_none_or(|port| port == 80);
        if takes_all || !are_few || !wildcards.is_empty() || !self.egress.has_each_name_once() {
            return all.iter().collect();
        }
        let hosts = self.services.keys();
        let named = hosts.flat_map(|host| self.view.virtual_services_with_host(self.egress, host));
        let covering = self.view.virtual_services_with_wildcards();
        let places: BTreeSet<usize> =
            named.chain(covering).filter_map(|it| self.egress.position(it)).collect();
        places.into_iter().filter_map(|place| all.get(place)).collect()
    }

    /// What a service owns where no VirtualService does, by port.
    pub(super) fn defaults_of(
        &self,
        name: &Arc<str>,
        service: &Arc<Service>,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Vec<Owner> {
        let owner = |port: &ServicePort| {
            let owner = RouteOwner::Service(Arc::clone(name), port.number);
            let make = &mut |_: &mut Report| vec![default_route(service, port, self.view)];
            Owner {
                port: port.number,
                virtual_service: None,
                hosts: Vec::new(),
                services: vec![(Arc::clone(service), port_origin(service, port))],
                routes: cache.routes(self.key(owner), make, report),
            }
        };
        ports_of(service, self.port).map(owner).collect()
    }

    /// Whether a VirtualService concerns the table.
    pub(super) fn considers(&self, virtual_service: &MergedVirtualService) -> bool {
        self.listener_port() == 80 || concerns(virtual_service, self.services, &self.wildcards())
    }

    pub(super) fn wildcards(&self) -> Vec<&str> {
        self.services.keys().map(|name| &**name).filter(|name| is_wildcard(name)).collect()
    }

    /// What a VirtualService that concerns the table owns, by port of its services.
    pub(super) fn owned_by(
        &self,
        virtual_service: &Arc<MergedVirtualService>,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Vec<Owner> {
        if virtual_service.spec.http.is_empty() {
            return Vec::new();
        }
        let known = |host: &str| {
            let found = self.services.get_key_value(host);
            self.view
                .asked(|| Lookup::Service(found.map_or_else(|| host.into(), |(name, _)| Arc::clone(name))));
            found.map(|(_, service)| &**service)
        };
        let make = &mut |report: &mut Report| {
            let context = RouteContext {
                view: self.view,
                port: self.listener_port(),
                gateway: MESH_GATEWAY,
                tls: false,
                known: &known,
            };
            http_routes(virtual_service, &context, report)
        };
        let owner = RouteOwner::VirtualService(Arc::clone(virtual_service));
        let routes = cache.routes(self.key(owner), make, report);
        if routes.is_empty() { Vec::new() } else { self.divide(virtual_service, &routes) }
    }
}

/// Whether a VirtualService has a host among the services of a table; table 80 does not ask (T-108). `wildcards` are the
/// services whose names are.
fn concerns(virtual_service: &MergedVirtualService, services: &Services, wildcards: &[&str]) -> bool {
    virtual_service.spec.hosts.iter().any(|host| {
        let host = lower(host);
        services.contains_key(&*host)
            || if is_wildcard(&host) {
                services.keys().any(|name| host_matches(&host, name))
            } else {
                wildcards.iter().any(|name| host_matches(&host, name))
            }
    })
}

fn lower(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

impl Source<'_> {
    /// Gives the routes of a VirtualService to its hosts and services, by port.
    fn divide(&self, virtual_service: &Arc<MergedVirtualService>, routes: &RouteList) -> Vec<Owner> {
        let (hosts, owned) = separate(virtual_service, self.egress, self.services);
        if virtual_service.semantics == RouteSemantics::GatewayApi {
            // Producer or consumer routes only: of the service's namespace, or of the client's (E-101).
            let client_namespace = &self.view.proxy().namespace;
            let own = &virtual_service.namespace;
            if !owned.iter().any(|(service, _)| service.namespace == *own || client_namespace == own) {
                return Vec::new();
            }
        }
        let mut by_port: IndexMap<u16, Owned> = IndexMap::new();
        for (service, origin) in &owned {
            for port in ports_of(service, self.port) {
                by_port.entry(port.number).or_default().push((Arc::clone(service), origin.clone()));
            }
        }
        if by_port.is_empty() && self.listener_port() == 80 {
            // Hosts without any service are in table 80 and no other (T-108).
            by_port.insert(80, Vec::new());
        }
        by_port.sort_keys();
        let owner = |(port, services)| Owner {
            port,
            virtual_service: Some(Arc::clone(virtual_service)),
            hosts: hosts.clone(),
            services,
            routes: routes.clone(),
        };
        by_port.into_iter().map(owner).collect()
    }
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

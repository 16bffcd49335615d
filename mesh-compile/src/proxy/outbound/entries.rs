//! Which listeners services and Sidecar egress listeners ask for (T-200, T-307, T-375 to T-377).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::name::Protocol;
use mesh_model::networking::sidecar::spec::{CaptureMode, IstioEgressListener};
use mesh_model::origin::Origin;
use smallvec::smallvec;

use super::chain::{Chain, Content, TableName};
use super::client::Client;
use super::conflicts::{self, Entries, Entry, Key, Meeting};
use super::listening::ServiceByService;
use super::{tcp_chains, tls_chains};
use crate::merge::virtual_service::MergedVirtualService;
use crate::proxy::routes::port_origin;
use crate::registry::endpoint::Health;
use crate::registry::service::{RegistryKind, Resolution, Service, ServicePort};
use crate::view::{EgressScope, Lookup};

/// The address that stands for none.
const NO_ADDRESS: &str = "0.0.0.0";
const UNIX: &str = "unix://";

/// What one service port asks for, at one place.
pub(super) struct Request<'r> {
    pub(super) service: &'r Service,
    /// Number and protocol of the listener: the service port's, or the Sidecar listener's.
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    /// Asked-for or chosen addresses; the first is where the listener is.
    pub(super) binds: Vec<Arc<str>>,
    /// Blocks that the dialled address must be in.
    pub(super) cidrs: Vec<Arc<str>>,
    /// VirtualServices with `tcp` or `tls` routes.
    pub(super) virtual_services: &'r [&'r MergedVirtualService],
    /// Where the listener was asked for.
    pub(super) origin: Origin,
}

impl Request<'_> {
    pub(super) fn bind(&self) -> &str {
        self.binds.first().map_or("", |bind| bind)
    }
}

/// All listeners of the scope by address and port.
pub(super) fn collect(
    client: &Client<'_, '_>,
    listens: &mut dyn ServiceByService,
    report: &mut Report,
) -> Entries {
    let mut entries = Entries::new();
    for egress in &client.view.scope().egress {
        add(&mut entries, client, egress, &mut egress.services.iter(), None, listens, report);
    }
    entries
}

/// What some services of a listener without a port ask for, in order; `only`: at these places.
pub(super) fn of_services(
    client: &Client<'_, '_>,
    egress: &EgressScope,
    services: &[&Arc<Service>],
    only: Option<&BTreeSet<Key>>,
    listens: &mut dyn ServiceByService,
    report: &mut Report,
) -> Entries {
    let mut entries = Entries::new();
    add(&mut entries, client, egress, &mut services.iter().copied(), only, listens, report);
    entries
}

fn add(
    entries: &mut Entries,
    client: &Client<'_, '_>,
    egress: &EgressScope,
    services: &mut dyn Iterator<Item = &Arc<Service>>,
    only: Option<&BTreeSet<Key>>,
    listens: &mut dyn ServiceByService,
    report: &mut Report,
) {
    let layer4 = layer4(egress);
    Collector { client, entries, layer4: &layer4, binds_port: false, only, listens, report }
        .add(egress, services);
}

fn layer4(egress: &EgressScope) -> Vec<&MergedVirtualService> {
    egress
        .virtual_services
        .iter()
        .map(|virtual_service| &**virtual_service)
        .filter(|service| !service.spec.tcp.is_empty() || !service.spec.tls.is_empty())
        .collect()
}

/// Whether the ports of this number of the service at a place in the scope change nothing: HTTP ports share a listener of
/// all addresses and a table, which an earlier service has asked for ([`conflicts::meet`]).
pub(super) fn adds_nothing_at(egress: &EgressScope, place: usize, number: u16) -> bool {
    let is_shared = |port: &ServicePort| port.protocol.is_http() && port.protocol != Protocol::HttpProxy;
    let asks = |service: &Arc<Service>| {
        service.resolution != Resolution::Alias
            && service.ports.iter().any(|port| port.number == number && is_shared(port))
    };
    egress
        .services
        .get(place)
        .is_some_and(|service| service.ports.iter().filter(|port| port.number == number).all(is_shared))
        && egress.services.iter().take(place).any(asks)
}

struct Collector<'c, 'v, 's> {
    client: &'c Client<'v, 's>,
    entries: &'c mut Entries,
    layer4: &'c [&'c MergedVirtualService],
    /// Whether the listeners that are looked at have sockets of their own (T-376).
    binds_port: bool,
    /// Places that are asked about; `None`: all.
    only: Option<&'c BTreeSet<Key>>,
    listens: &'c mut dyn ServiceByService,
    report: &'c mut Report,
}

impl Collector<'_, '_, '_> {
    fn add(&mut self, egress: &EgressScope, services: &mut dyn Iterator<Item = &Arc<Service>>) {
        let written = egress.listener.as_ref();
        let listener = written.map(|(_, listener)| listener);
        let binds_port = !self.client.captures || listener.is_some_and(binds_port);
        self.binds_port = binds_port;
        let bind: Option<Arc<str>> = match listener.map(|listener| listener.bind.as_str()) {
            Some(bind) if !bind.is_empty() => Some(bind.into()),
            _ => binds_port.then(|| self.client.localhost.to_string().into()),
        };
        match listener.and_then(|listener| listener.port.as_ref()) {
            Some(port) => {
                let (Ok(number), protocol) = (u16::try_from(port.number), Protocol::parse(&port.protocol))
                else {
                    return;
                };
                let bind_text = bind.as_deref().unwrap_or_default();
                if !self.client.can_bind(binds_port, bind_text, port.number, protocol) {
                    return;
                }
                for service in services {
                    self.listens.begin();
                    let origin = self.egress_origin(written, service);
                    self.request(service, number, protocol, bind.iter().cloned().collect(), origin);
                    self.listens.end(Some(service));
                }
            }
            None => {
                for entry in self.entries.values_mut() {
                    entry.locked = true;
                }
                for service in services {
                    // What HTTP asks for depends on the port alone.
                    let asks = service.ports.iter().any(|port| !port.protocol.is_http());
                    if asks {
                        self.listens.begin();
                    }
                    for port in &service.ports {
                        self.add_port(service, port, binds_port, bind.as_ref());
                    }
                    if asks {
                        self.listens.end(Some(service));
                    }
                }
            }
        }
    }

    /// A service port of a listener without a port of its own.
    fn add_port(&mut self, service: &Service, port: &ServicePort, binds_port: bool, bind: Option<&Arc<str>>) {
        let bind_text = bind.map_or("", |bind| bind);
        if !self.client.can_bind(binds_port, bind_text, u32::from(port.number), port.protocol) {
            return;
        }
        let origin = port_origin(service, port);
        if bind.is_none() && self.is_headless(service) && !port.protocol.is_http() {
            self.add_headless(service, port, &origin);
            return;
        }
        self.request(service, port.number, port.protocol, bind.into_iter().cloned().collect(), origin);
    }

    fn is_headless(&self, service: &Service) -> bool {
        service.resolution == Resolution::Passthrough && *address_of(self.client, service).0 == *NO_ADDRESS
    }

    /// A listener for each endpoint, the proxy's own left out (T-307).
    fn add_headless(&mut self, service: &Service, port: &ServicePort, origin: &Origin) {
        let endpoints = self.client.view.endpoints_anywhere(service, port);
        let is_plain_service_entry =
            service.registry != RegistryKind::Kubernetes && service.selector.is_empty();
        if endpoints.is_empty() && is_plain_service_entry {
            self.request(service, port.number, port.protocol, Vec::new(), origin.clone());
            return;
        }
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.health != Health::Terminating) {
            let addresses: Vec<Arc<str>> =
                std::iter::once(&endpoint.address).chain(&endpoint.more_addresses).cloned().collect();
            let ips: Vec<IpAddr> = addresses.iter().filter_map(|address| address.parse().ok()).collect();
            self.client.view.asked(|| Lookup::OwnAddress);
            let is_own = ips.first().is_some_and(|ip| Some(*ip) == self.client.view.proxy().ip);
            if ips.len() == addresses.len() && !is_own {
                self.request(service, port.number, port.protocol, addresses, origin.clone());
            }
        }
    }

    /// Who asked for a listener of a Sidecar: its egress entry.
    fn egress_origin(&self, written: Option<&(usize, IstioEgressListener)>, service: &Service) -> Origin {
        match (&self.client.view.scope().sidecar, written) {
            (Some(sidecar), Some((index, _))) => sidecar.origin(format!("spec.egress[{index}]")),
            _ => Origin::written(&service.provenance, "spec"),
        }
    }

    /// Enters what a service asks for at a place; an empty `binds` is settled by protocol and address (T-200).
    fn request(
        &mut self,
        service: &Service,
        port: u16,
        protocol: Protocol,
        binds: Vec<Arc<str>>,
        origin: Origin,
    ) {
        if service.resolution == Resolution::Alias || protocol == Protocol::Udp {
            return;
        }
        let mut request = Request {
            service,
            port,
            protocol,
            binds,
            cidrs: Vec::new(),
            virtual_services: self.layer4,
            origin,
        };
        if request.binds.is_empty() {
            self.choose_address(&mut request);
        }
        let Some(bind) = request.binds.first().cloned() else { return };
        let key = (bind, port);
        if self.only.is_some_and(|only| !only.contains(&key)) {
            return;
        }
        let mut holder = self.entries.get_mut(&key);
        if let Some(locked) = holder.as_mut().filter(|entry| entry.locked) {
            locked.is_whole = false;
            return;
        }
        let existing = holder.as_ref().map(|entry| entry.protocol);
        // An explicit proxy's listener is the same whatever the services behind it.
        let is_proxy = protocol == Protocol::HttpProxy;
        let meeting = if is_proxy { Meeting::Replace } else { conflicts::meet(protocol, existing) };
        if meeting == Meeting::Nothing {
            // HTTP joins the table that is there; a protocol whose server speaks first is left out.
            if let Some(holder) = holder {
                holder.is_whole = false;
                if !protocol.is_http() || holder.protocol.is_tcp() {
                    holder.tell(&request.origin, &holder.origin, self.report);
                }
            }
            return;
        }
        let told = self.report.len();
        let entry = self.entry(&request, existing, is_proxy);
        conflicts::enter(self.entries, entry, meeting, self.report);
        let is_silent = self.report.len() == told && told < conflicts::TOLD_MAX;
        if let Some(entry) = self.entries.get_mut(&key).filter(|_| !is_silent) {
            entry.is_whole = false;
        }
    }

    fn choose_address(&self, request: &mut Request<'_>) {
        let wildcard = Arc::clone(&self.client.wildcard_text);
        if request.protocol.is_http() {
            request.binds = vec![wildcard];
            return;
        }
        let (address, extra) = address_of(self.client, request.service);
        let has_none = request.service.registry == RegistryKind::External && &*address == NO_ADDRESS;
        let all = std::iter::once(address).chain(extra);
        if has_none {
            request.binds = vec![wildcard];
        } else {
            let all: Vec<_> = all.collect();
            if all.first().is_some_and(|first| first.contains('/')) {
                request.binds = vec![wildcard];
                request.cidrs = all;
            } else {
                request.binds = all;
            }
        }
    }

    fn entry(&mut self, request: &Request<'_>, existing: Option<Protocol>, is_proxy: bool) -> Entry {
        let is_wildcard = *request.bind() == *self.client.wildcard_text;
        let mut entry_protocol = request.protocol;
        let mut chains = Vec::new();
        if request.protocol.is_http() {
            let sniffed = is_wildcard && !is_proxy;
            if sniffed {
                // Other bytes fall through: from now on the port is one whose bytes are looked at.
                entry_protocol = Protocol::Unsupported;
            }
            chains.push(http_chain(request, is_wildcard, sniffed));
        } else {
            chains.extend(tls_chains::build(self.client, request, self.report));
            chains.extend(tcp_chains::build(self.client, request, self.report));
            let is_auto = !request.protocol.is_tcp();
            // A port that is sniffed already has its HTTP chain.
            if is_auto && !existing.is_some_and(|existing| !existing.is_http() && !existing.is_tcp()) {
                chains.push(http_chain(request, is_wildcard, true));
            }
        }
        let mut binds = request.binds.iter().cloned();
        Entry {
            bind: binds.next().unwrap_or_else(|| NO_ADDRESS.into()),
            more_binds: binds.collect(),
            port: request.port,
            binds_port: self.binds_port,
            protocol: entry_protocol,
            locked: false,
            chains,
            origin: request.origin.clone(),
            askers: smallvec![Arc::clone(&request.service.hostname)],
            is_whole: true,
        }
    }
}

/// The HTTP chain of a request; a sniffed service at its own address has a table of its own (T-044).
fn http_chain(request: &Request<'_>, is_wildcard: bool, sniffed: bool) -> Chain {
    let table = if request.port == 0 {
        TableName::Unix(request.bind().into())
    } else if request.protocol.is_unsupported() && !is_wildcard {
        TableName::Service(Arc::clone(&request.service.hostname), request.port)
    } else {
        TableName::Port(request.port)
    };
    Chain {
        name: format!("http|{}", table.to_text()).into(),
        sni_hosts: Vec::new(),
        cidrs: Vec::new(),
        sniffed,
        content: Content::Http(table),
        origin: request.origin.clone(),
    }
}

/// Whether a Sidecar listener is a real socket (T-376).
fn binds_port(listener: &IstioEgressListener) -> bool {
    listener.capture_mode == CaptureMode::None || listener.bind.starts_with(UNIX)
}

/// The address at which a service is dialled, and further ones.
pub(super) fn address_of(
    client: &Client<'_, '_>,
    service: &Service,
) -> (Arc<str>, impl Iterator<Item = Arc<str>> + use<>) {
    let mut addresses = client.view.addresses(service).into_iter();
    let first = addresses.next().unwrap_or_else(|| Arc::clone(&service.default_address));
    (first, addresses)
}

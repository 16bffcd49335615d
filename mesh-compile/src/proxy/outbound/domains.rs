//! The domains of virtual hosts (T-039 to T-043).

use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::owners::Owner;
use crate::proxy::clusters::names::{push_decimal, with_text};
use crate::registry::service::{RegistryKind, Resolution, Service};
use crate::view::View;
use crate::visibility::kubernetes_name;

/// A domain that a virtual host would like to have.
#[derive(Debug, Clone)]
pub(super) struct Name {
    /// As it is derived.
    written: Arc<str>,
    /// The same without capitals.
    pub(super) lower: Arc<str>,
    /// Derived from the name of a service: it gives way to real names.
    gives_way: bool,
    /// A name that only clients of the service's own namespace know it by, and no wildcard.
    pub(super) is_near: bool,
}

impl Name {
    fn new(text: String) -> Self {
        let lower = text.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| text.to_ascii_lowercase());
        let written: Arc<str> = text.into();
        let lower = lower.map_or_else(|| Arc::clone(&written), Arc::from);
        Self { written, lower, gives_way: false, is_near: false }
    }
}

/// The domains of a service for this proxy, in order. `port`: each domain also with this port (tables of all ports, T-041).
pub(super) fn of_service(service: &Service, port: Option<u16>, view: &View<'_>) -> Vec<Name> {
    let mut all = Vec::new();
    let aliases = service.aliases.iter().map(|(alias, _)| alias);
    for hostname in std::iter::once(&service.hostname).chain(aliases) {
        // Not copied: most are in lower case.
        match port {
            None if !hostname.contains(':') && !hostname.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                let (written, lower) = (Arc::clone(hostname), Arc::clone(hostname));
                all.push(Name { written, lower, gives_way: false, is_near: false });
            }
            _ => push(hostname, port, &mut |text| all.push(Name::new(text))),
        }
        each_alternate(hostname, port, &view.proxy().namespace, &mut |text, is_near| {
            all.push(Name { gives_way: true, is_near, ..Name::new(text) });
        });
    }
    if service.resolution == Resolution::Passthrough && service.registry == RegistryKind::Kubernetes {
        let wildcards: Vec<_> = all.iter().map(|name| Name::new(format!("*.{}", name.written))).collect();
        all.extend(wildcards);
    }
    for address in view.addresses(service) {
        // Blocks and "no address" are no host (T-326).
        if !address.is_empty() && &*address != "0.0.0.0" && !address.contains('/') {
            push(&address, port, &mut |text| all.push(Name::new(text)));
        }
    }
    // A text that is derived somewhere is a derived one wherever it stands.
    let derived: Vec<usize> = (0..all.len())
        .filter(|at| {
            let name = all.get(*at);
            all.iter().any(|other| other.gives_way && name.is_some_and(|it| it.written == other.written))
        })
        .collect();
    for at in derived {
        if let Some(name) = all.get_mut(at) {
            name.gives_way = true;
        }
    }
    all
}

/// The domain of a host that no service has: the host itself (T-042).
pub(super) fn of_host(host: &str) -> Vec<Name> {
    vec![Name::new(bracketed(host))]
}

type OfService = (Arc<Service>, Arc<[Name]>);

/// Domains of services without ports: tables of several ports have the same.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By place in memory, with the service, so that no other comes to stand there.
    by_service: HashMap<usize, OfService, RandomState>,
}

impl Known {
    /// The domains of a service, worked out once.
    pub(super) fn of_service(&mut self, service: &Arc<Service>, view: &View<'_>) -> Arc<[Name]> {
        let place = Arc::as_ptr(service) as usize;
        let (_, names) = self
            .by_service
            .entry(place)
            .or_insert_with(|| (Arc::clone(service), of_service(service, None, view).into()));
        Arc::clone(names)
    }
}

/// Who has which domain of a table so far.
#[derive(Debug)]
pub(super) struct Taken<'o> {
    names: HashSet<Arc<str>, RandomState>,
    domains: HashSet<Arc<str>, RandomState>,
    /// Names of services that have a virtual host, without and with port: derived domains never take them (T-043).
    known: HashSet<&'o str, RandomState>,
    known_ports: HashSet<(&'o str, u16), RandomState>,
    /// Names and domains that somebody wanted and did not get.
    contended: HashSet<Arc<str>, RandomState>,
}

impl<'o> Taken<'o> {
    /// Nothing is taken. `port`: the table's, whose domains have none.
    pub(super) fn new(owners: &'o [Owner], port: Option<u16>) -> Self {
        let services = || {
            owners
                .iter()
                .flat_map(|owner| owner.services.iter().map(|(service, _)| (&*service.hostname, owner.port)))
        };
        let room = owners.len();
        let mut known = HashSet::with_capacity_and_hasher(room, RandomState::default());
        known.extend(services().map(|(host, _)| host));
        let has_colon = || known.iter().any(|host: &&str| host.contains(':'));
        let with_ports = port.is_none() || has_colon();
        Self {
            names: HashSet::with_capacity_and_hasher(room, RandomState::default()),
            domains: HashSet::with_capacity_and_hasher(room.saturating_mul(4), RandomState::default()),
            known_ports: services().filter(|_| with_ports).collect(),
            known,
            contended: HashSet::default(),
        }
    }

    /// Takes the name of a virtual host; `false`: it is taken already.
    pub(super) fn take_name(&mut self, name: &Arc<str>) -> bool {
        let is_free = self.names.insert(Arc::clone(name));
        if !is_free {
            self.contended.insert(Arc::clone(name));
        }
        is_free
    }

    /// Takes the domains that are free.
    pub(super) fn take<'n>(&mut self, wanted: &'n [Name]) -> Vec<&'n Name> {
        let mut taken = Vec::with_capacity(wanted.len());
        for name in wanted {
            if !(name.gives_way && self.is_known(&name.written))
                && self.domains.insert(Arc::clone(&name.lower))
            {
                taken.push(name);
            } else if !taken.iter().any(|own: &&Name| own.lower == name.lower) {
                self.contended.insert(Arc::clone(&name.lower));
            }
        }
        taken
    }

    /// Notes that nobody gets these although they are wanted.
    pub(super) fn refuse(&mut self, wanted: &[Name]) {
        self.contended.extend(wanted.iter().map(|name| Arc::clone(&name.lower)));
    }

    /// What somebody wanted and did not get.
    pub(super) fn into_contended(self) -> HashSet<Arc<str>, RandomState> {
        self.contended
    }

    fn is_known(&self, domain: &str) -> bool {
        self.known.contains(domain)
            || (!self.known_ports.is_empty()
                && domain.rsplit_once(':').is_some_and(|(host, port)| {
                    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
                    port.parse().is_ok_and(|port| self.known_ports.contains(&(host, port)))
                }))
    }
}

/// `host:port`, an IPv6 address in brackets.
pub(super) fn with_port(host: &str, port: u16) -> String {
    let mut text = String::with_capacity(host.len() + 8);
    push_with_port(&mut text, host, port);
    text
}

/// The same as the name of a virtual host.
pub(super) fn name_of_host(host: &str, port: u16) -> Arc<str> {
    with_text(|text| push_with_port(text, host, port))
}

fn push_with_port(text: &mut String, host: &str, port: u16) {
    if host.contains(':') {
        text.push('[');
        text.push_str(host);
        text.push(']');
    } else {
        text.push_str(host);
    }
    text.push(':');
    push_decimal(text, port);
}

/// Other names of a hostname, seen from a namespace: with a final dot, and the short forms of Kubernetes names (T-040).
pub(super) fn alternates(hostname: &str, port: Option<u16>, namespace: &str) -> Vec<String> {
    let mut names = Vec::new();
    each_alternate(hostname, port, namespace, &mut |name, _| names.push(name));
    names
}

/// The names with whether each is known to clients of the service's own namespace alone.
fn each_alternate(hostname: &str, port: Option<u16>, namespace: &str, add: &mut dyn FnMut(String, bool)) {
    if hostname.parse::<IpAddr>().is_err() {
        add(format!("{hostname}."), false);
    }
    if let Some(port) = port {
        add(with_port(&format!("{hostname}."), port), false);
    }
    // `name.namespace`; anything shorter is no name of a Kubernetes service.
    let Some((own, (name, service_namespace))) =
        kubernetes_name(hostname).and_then(|own| Some((own, own.split_once('.')?)))
    else {
        return;
    };
    let with_svc = format!("{own}.svc");
    if service_namespace == namespace {
        push(name, port, &mut |text| add(text, true));
        push(&with_svc, port, &mut |text| add(text, false));
        push(own, port, &mut |text| add(text, false));
    } else {
        push(own, port, &mut |text| add(text, false));
        push(&with_svc, port, &mut |text| add(text, false));
    }
}

fn push(domain: &str, port: Option<u16>, add: &mut dyn FnMut(String)) {
    add(bracketed(domain));
    if let Some(port) = port {
        add(with_port(domain, port));
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

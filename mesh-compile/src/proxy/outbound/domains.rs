//! The domains of virtual hosts (T-039 to T-043).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use crate::registry::DOMAIN;
use crate::registry::service::{RegistryKind, Resolution, Service};
use crate::view::View;

/// Domains in order; `alternates` are the derived ones among them, which give way to real names.
#[derive(Debug, Default)]
pub(super) struct Domains {
    pub(super) all: Vec<String>,
    pub(super) alternates: BTreeSet<String>,
}

impl Domains {
    /// Of a service for this proxy. `port`: each domain also with this port (tables of all ports, T-041).
    pub(super) fn of_service(service: &Service, port: Option<u16>, view: &View<'_>) -> Self {
        let mut domains = Self::default();
        let aliases = service.aliases.iter().map(|(alias, _)| alias);
        for hostname in std::iter::once(&service.hostname).chain(aliases) {
            push(&mut domains.all, hostname, port);
            let alternates = alternates(hostname, port, &view.proxy().namespace);
            domains.all.extend(alternates.iter().cloned());
            domains.alternates.extend(alternates);
        }
        if service.resolution == Resolution::Passthrough && service.registry == RegistryKind::Kubernetes {
            let wildcards: Vec<String> = domains.all.iter().map(|domain| format!("*.{domain}")).collect();
            domains.all.extend(wildcards);
        }
        for address in view.addresses(service) {
            // Blocks and "no address" are no host (T-326).
            if !address.is_empty() && &*address != "0.0.0.0" && !address.contains('/') {
                push(&mut domains.all, &address, port);
            }
        }
        domains
    }

    /// Of a host that no service has: the host itself (T-042).
    pub(super) fn of_host(host: &str) -> Self {
        Self { all: vec![bracketed(host)], alternates: BTreeSet::new() }
    }
}

/// Who has which domain of a table so far.
#[derive(Debug, Default)]
pub(super) struct Taken {
    names: HashSet<String, RandomState>,
    domains: HashSet<Arc<str>, RandomState>,
    /// Names of services, with and without port: derived domains never take them (T-043).
    known: HashSet<String, RandomState>,
}

impl Taken {
    /// Remembers the name of a service that has a virtual host.
    pub(super) fn know(&mut self, hostname: &str, port: u16) {
        self.known.insert(hostname.to_owned());
        self.known.insert(with_port(hostname, port));
    }

    /// Takes the name of a virtual host; `false`: it is taken already.
    pub(super) fn take_name(&mut self, name: &str) -> bool {
        self.names.insert(name.to_owned())
    }

    /// Takes the domains that are free.
    pub(super) fn take(&mut self, wanted: &Domains) -> Vec<Arc<str>> {
        wanted
            .all
            .iter()
            .filter(|domain| !(wanted.alternates.contains(*domain) && self.known.contains(*domain)))
            .map(|domain| lower(domain))
            .filter(|domain| self.domains.insert(Arc::clone(domain)))
            .collect()
    }
}

fn lower(domain: &str) -> Arc<str> {
    if domain.bytes().any(|byte| byte.is_ascii_uppercase()) {
        domain.to_ascii_lowercase().into()
    } else {
        domain.into()
    }
}

/// `host:port`, an IPv6 address in brackets.
pub(super) fn with_port(host: &str, port: u16) -> String {
    format!("{}:{port}", bracketed(host))
}

/// Other names of a hostname, seen from a namespace: with a final dot, and the short forms of Kubernetes names (T-040).
pub(super) fn alternates(hostname: &str, port: Option<u16>, namespace: &str) -> Vec<String> {
    let mut names = Vec::new();
    if hostname.parse::<IpAddr>().is_err() {
        names.push(format!("{hostname}."));
    }
    if let Some(port) = port {
        names.push(with_port(&format!("{hostname}."), port));
    }
    let is_kubernetes_name = hostname.strip_suffix(DOMAIN).is_some_and(|rest| rest.ends_with(".svc."));
    if !is_kubernetes_name {
        return names;
    }
    let Some((own, _)) = hostname.split_once(".svc.") else { return names };
    // `name.namespace`; anything shorter is no name of a Kubernetes service.
    let Some((name, service_namespace)) = own.split_once('.') else { return names };
    if own.is_empty() {
        return names;
    }
    let with_svc = format!("{own}.svc");
    let forms: Vec<&str> =
        if service_namespace == namespace { vec![name, &with_svc, own] } else { vec![own, &with_svc] };
    for form in forms {
        push(&mut names, form, port);
    }
    names
}

fn push(domains: &mut Vec<String>, domain: &str, port: Option<u16>) {
    domains.push(bracketed(domain));
    domains.extend(port.map(|port| with_port(domain, port)));
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

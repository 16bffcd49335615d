//! Route tables of a sidecar (Appendix A.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::name::Protocol;
use mesh_model::origin::Origin;

use super::chain::TableName;
use super::client::Client;
use super::domains::{Domains, Taken, with_port};
use super::owners::{Owner, owners_of, services_of};
use super::unknown;
use crate::route_table::{RouteTable, VirtualHost};
use crate::view::EgressScope;

/// The tables of these names, one a listener. What a port's tables share is worked out once.
pub(super) fn build(client: &Client<'_, '_>, names: &[TableName], report: &mut Report) -> Vec<RouteTable> {
    let mut uses: BTreeMap<&TableName, usize> = BTreeMap::new();
    for name in names {
        *uses.entry(name).or_default() += 1;
    }
    let mut by_source: BTreeMap<(u16, &str), Vec<Wanted<'_>>> = BTreeMap::new();
    for (name, uses) in uses {
        let source = match name {
            TableName::Port(port) | TableName::Service(_, port) => (*port, ""),
            TableName::Unix(path) => (0, &**path),
            TableName::HttpProxy => (0, "http_proxy"),
        };
        by_source.entry(source).or_default().push(Wanted { name, is_shared: uses > 1 });
    }
    by_source.into_iter().flat_map(|(source, names)| tables_of(client, source, &names, report)).collect()
}

/// A table that listeners ask for.
struct Wanted<'n> {
    name: &'n TableName,
    /// By several of them.
    is_shared: bool,
}

/// The tables of one port (or Unix path): the shared one and those of sniffed services.
fn tables_of(
    client: &Client<'_, '_>,
    (port, bind): (u16, &str),
    wanted: &[Wanted<'_>],
    report: &mut Report,
) -> Vec<RouteTable> {
    let Some(egress) = client.view.egress_for(u32::from(port), bind) else {
        let only_unknown =
            |wanted: &Wanted<'_>| RouteTable::new(wanted.name.to_text(), vec![unknown::virtual_host(client)]);
        return wanted.iter().map(only_unknown).collect();
    };
    // Explicit proxies and Unix sockets take every port of their services (T-041).
    let port = Some(port).filter(|port| *port != 0 && !is_explicit_proxy(egress));
    let services = services_of(egress, port);
    let owners = owners_of(client.view, egress, &services, port, report);
    let mut drafts = drafts(client, &owners, port);
    if port.is_none() {
        keep_addressable(&mut drafts);
    }
    drafts.sort_by(|a, b| a.name.cmp(&b.name));
    let by_domain = ByDomain::of(&drafts);
    let table = |wanted: &Wanted<'_>| {
        let hosts = match wanted.name {
            // As the control plane generates it: the service's virtual host is given away once, and listeners that
            // share the table (pods of a headless service, T-307) are left with none.
            TableName::Service(..) if wanted.is_shared => Vec::new(),
            TableName::Service(host, port) => by_domain.sniffed(host, *port),
            TableName::Port(_) | TableName::Unix(_) | TableName::HttpProxy => {
                let known = drafts.iter().map(Draft::finish);
                known.chain(std::iter::once(unknown::virtual_host(client))).collect()
            }
        };
        RouteTable::new(wanted.name.to_text(), hosts)
    };
    wanted.iter().map(table).collect()
}

/// A virtual host that has its domains but not yet its index.
struct Draft<'o> {
    port: u16,
    name: String,
    domains: Vec<Arc<str>>,
    owner: &'o Owner,
    origin: Origin,
}

impl Draft<'_> {
    fn finish(&self) -> VirtualHost {
        self.with_domains(self.domains.clone())
    }

    fn with_domains(&self, domains: Vec<Arc<str>>) -> VirtualHost {
        let routes = self.owner.routes.clone();
        VirtualHost::new(self.name.as_str(), domains, false, routes, self.origin.clone())
    }
}

/// Virtual hosts of all owners, each domain given once (T-039).
fn drafts<'o>(client: &Client<'_, '_>, owners: &'o [Owner], port: Option<u16>) -> Vec<Draft<'o>> {
    let mut taken = Taken::default();
    for owner in owners {
        for (service, _) in &owner.services {
            taken.know(&service.hostname, owner.port);
        }
    }
    let mut drafts = Vec::new();
    for owner in owners {
        let foreign =
            owner.hosts.iter().map(|(host, origin)| (host.as_str(), Domains::of_host(host), origin));
        let own = owner.services.iter().map(|(service, origin)| {
            let with_port = port.is_none().then_some(owner.port);
            (&*service.hostname, Domains::of_service(service, with_port, client.view), origin)
        });
        for (hostname, wanted, origin) in foreign.chain(own) {
            let name = with_port(hostname, owner.port);
            if !taken.take_name(&name) {
                continue;
            }
            let domains = taken.take(&wanted);
            if !domains.is_empty() {
                drafts.push(Draft { port: owner.port, name, domains, owner, origin: origin.clone() });
            }
        }
    }
    // A table of one port holds that port's hosts alone.
    drafts.retain(|draft| port.is_none_or(|port| draft.port == port));
    drafts
}

/// In tables of all ports, hosts of ports other than 80 are known with their port only (T-041).
fn keep_addressable(drafts: &mut Vec<Draft<'_>>) {
    for draft in drafts.iter_mut().filter(|draft| draft.port != 80) {
        draft.domains.retain(|domain| domain.contains(':'));
    }
    drafts.retain(|draft| !draft.domains.is_empty());
}

/// Drafts by domain; a domain is held by one draft only.
struct ByDomain<'d, 'o> {
    drafts: BTreeMap<&'d str, &'d Draft<'o>>,
}

impl<'d, 'o> ByDomain<'d, 'o> {
    fn of(drafts: &'d [Draft<'o>]) -> Self {
        let pairs =
            drafts.iter().flat_map(|draft| draft.domains.iter().map(move |domain| (&**domain, draft)));
        Self { drafts: pairs.collect() }
    }

    /// What one sniffed service's table holds: its virtual host alone, for every host that is asked for (T-044, T-487).
    fn sniffed(&self, host: &str, port: u16) -> Vec<VirtualHost> {
        let full_name = format!("{host}:{port}");
        let plain = self.drafts.get(host);
        let other = self.drafts.get(full_name.as_str());
        let other = other.filter(|other| plain.is_none_or(|plain| plain.name != other.name));
        match (plain, other) {
            (Some(only), None) | (None, Some(only)) => vec![only.with_domains(vec!["*".into()])],
            (plain, other) => plain.into_iter().chain(other).map(|draft| draft.finish()).collect(),
        }
    }
}

fn is_explicit_proxy(egress: &EgressScope) -> bool {
    egress
        .listener
        .as_ref()
        .and_then(|(_, listener)| listener.port.as_ref())
        .is_some_and(|port| Protocol::parse(&port.protocol) == Protocol::HttpProxy)
}

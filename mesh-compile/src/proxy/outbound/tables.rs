//! Route tables of a sidecar (Appendix A.1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::name::Protocol;
use mesh_model::origin::Origin;

use super::cache::RouteCache;
use super::chain::TableName;
use super::client::Client;
use super::domains::{Domains, Taken, with_port};
use super::earlier::{Hosts, is_unchanged, keep_table};
use super::owners::{Owner, Services, Source, as_in_table, services_of};
use super::unknown;
use crate::merge::virtual_service::MergedVirtualService;
use crate::registry::service::{Service, ServicePort};
use crate::route_table::{RouteList, RouteTable, VirtualHost};
use crate::view::{EgressScope, View};

/// A table that listeners ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    name: TableName,
    /// By several of them.
    is_shared: bool,
}

/// The tables of one port (or Unix path): the shared one and those of sniffed services, with what they are made from.
#[derive(Debug)]
pub struct PortTables {
    /// 0 for what is no port.
    port: u16,
    /// Empty for a port.
    bind: Arc<str>,
    wanted: Vec<Wanted>,
    /// Whether a listener of the scope serves the port; otherwise every host is unknown.
    is_served: bool,
    services: Services,
    /// By name.
    drafts: Vec<Draft>,
    /// VirtualServices that have routes here, by namespace and name.
    contributing: BTreeSet<(Arc<str>, Arc<str>)>,
    /// For hosts that nobody knows.
    unknown: Arc<VirtualHost>,
    /// In the order of `wanted`.
    tables: Vec<Arc<RouteTable>>,
}

/// The tables of these names, one a listener. What a port's tables share is worked out once, and what an earlier
/// revision had is taken over where it is the same.
pub(super) fn build(
    client: &Client<'_, '_>,
    names: &[TableName],
    earlier: Vec<PortTables>,
    cache: &mut dyn RouteCache,
    report: &mut Report,
) -> Vec<PortTables> {
    let mut uses: BTreeMap<&TableName, usize> = BTreeMap::new();
    for name in names {
        *uses.entry(name).or_default() += 1;
    }
    let mut by_source: BTreeMap<(u16, &str), Vec<Wanted>> = BTreeMap::new();
    for (name, uses) in uses {
        let source = match name {
            TableName::Port(port) | TableName::Service(_, port) => (*port, ""),
            TableName::Unix(path) => (0, &**path),
            TableName::HttpProxy => (0, "http_proxy"),
        };
        by_source.entry(source).or_default().push(Wanted { name: name.clone(), is_shared: uses > 1 });
    }
    let mut earlier: BTreeMap<(u16, Arc<str>), PortTables> =
        earlier.into_iter().map(|tables| ((tables.port, Arc::clone(&tables.bind)), tables)).collect();
    by_source
        .into_iter()
        .map(|((port, bind), wanted)| {
            let before = earlier.remove(&(port, Arc::from(bind)));
            PortTables::build(client, (port, bind), wanted, before, cache, report)
        })
        .collect()
}

impl PortTables {
    /// The finished tables.
    pub fn tables(&self) -> &[Arc<RouteTable>] {
        &self.tables
    }

    fn build(
        client: &Client<'_, '_>,
        (port, bind): (u16, &str),
        wanted: Vec<Wanted>,
        before: Option<Self>,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Self {
        let mut tables = Self {
            port,
            bind: bind.into(),
            wanted,
            is_served: false,
            services: Services::new(),
            drafts: Vec::new(),
            contributing: BTreeSet::new(),
            unknown: Arc::new(unknown::virtual_host(client)),
            tables: Vec::new(),
        };
        if let Some(egress) = client.view.egress_for(u32::from(port), bind) {
            tables.is_served = true;
            tables.plan(client.view, egress, cache, report);
        }
        if let Some(before) = &before
            && is_unchanged(&before.unknown, &tables.unknown)
        {
            tables.unknown = Arc::clone(&before.unknown);
        }
        tables.finish(&before.map(|before| before.tables).unwrap_or_default());
        tables
    }

    /// Works out which virtual hosts there are.
    fn plan(
        &mut self,
        view: &View<'_>,
        egress: &EgressScope,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) {
        let port = self.port_of(egress);
        self.services = services_of(egress, port);
        let source = Source { view, egress, services: &self.services, port, bind: &self.bind };
        let owners = source.owners(cache, report);
        self.contributing =
            owners.iter().filter_map(|owner| owner.virtual_service.as_deref()).map(name_of).collect();
        self.drafts = drafts(view, &owners, port);
        if port.is_none() {
            keep_addressable(&mut self.drafts);
        }
        self.drafts.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// The port that services must have: explicit proxies and Unix sockets take every port of theirs (T-041).
    fn port_of(&self, egress: &EgressScope) -> Option<u16> {
        Some(self.port).filter(|port| *port != 0 && !is_explicit_proxy(egress))
    }

    /// Makes the tables; virtual hosts and tables that are the same as in an earlier revision are taken over.
    fn finish(&mut self, earlier: &[Arc<RouteTable>]) {
        let old_hosts = Hosts::of(earlier);
        let by_domain = self.sniffs().then(|| ByDomain::of(&self.drafts));
        let table = |wanted: &Wanted| {
            let name = wanted.name.to_text();
            let hosts = match &wanted.name {
                // As the control plane generates it: the service's virtual host is given away once, and listeners
                // that share the table (pods of a headless service, T-307) are left with none.
                TableName::Service(..) if self.is_served && wanted.is_shared => Vec::new(),
                TableName::Service(host, port) if self.is_served => {
                    by_domain.as_ref().map(|drafts| drafts.sniffed(host, *port)).unwrap_or_default()
                }
                _ => {
                    let known = self.drafts.iter().map(|draft| draft.finish(None));
                    known.chain(std::iter::once(Arc::clone(&self.unknown))).collect()
                }
            };
            let hosts: Vec<_> = hosts.into_iter().map(|host| old_hosts.keep(&name, host)).collect();
            keep_table(earlier, &name, hosts)
        };
        self.tables = self.wanted.iter().map(table).collect();
    }

    /// Whether some tables are of one sniffed service.
    fn sniffs(&self) -> bool {
        self.wanted.iter().any(|wanted| matches!(wanted.name, TableName::Service(..)))
    }

    /// Takes in another version of a VirtualService whose hosts, age and visibility are those of the version before.
    pub(super) fn rewrite(
        &mut self,
        view: &View<'_>,
        virtual_service: &Arc<MergedVirtualService>,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Rewritten {
        let Some(egress) = view.egress_for(u32::from(self.port), &self.bind) else {
            return Rewritten::Untouched;
        };
        let source =
            Source { view, egress, services: &self.services, port: self.port_of(egress), bind: &self.bind };
        let owners = if source.considers(virtual_service) {
            source.owned_by(virtual_service, cache, report)
        } else {
            Vec::new()
        };
        let key = name_of(virtual_service);
        if self.contributing.contains(&key) == owners.is_empty() {
            return Rewritten::PlanAnew;
        }
        let mut changed: BTreeMap<usize, (RouteList, Origin)> = BTreeMap::new();
        for owner in owners {
            for (hostname, origin) in owner.hostnames() {
                let name = with_port(hostname, owner.port);
                let Ok(position) = self.drafts.binary_search_by(|draft| (*draft.name).cmp(name.as_str()))
                else {
                    continue;
                };
                let is_own =
                    self.drafts.get(position).is_some_and(|draft| draft.owner.as_ref() == Some(&key));
                if is_own {
                    changed.entry(position).or_insert_with(|| (owner.routes.clone(), origin.clone()));
                }
            }
        }
        if changed.is_empty() {
            return Rewritten::Untouched;
        }
        let positions: Vec<usize> = changed.keys().copied().collect();
        for (position, (routes, origin)) in changed {
            if let Some(draft) = self.drafts.get_mut(position) {
                draft.routes = routes;
                draft.origin = origin;
            }
        }
        self.replace_hosts(&positions)
    }

    /// Takes in another version of a service with the same ports, addresses and names.
    pub(super) fn rewrite_service(
        &mut self,
        view: &View<'_>,
        service: &Arc<Service>,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Rewritten {
        let Some(egress) = view.egress_for(u32::from(self.port), &self.bind) else {
            return Rewritten::Untouched;
        };
        let port = self.port_of(egress);
        let Some(own) = as_in_table(service, port) else { return Rewritten::Untouched };
        let Some(slot) = self.services.get_mut(&own.hostname) else { return Rewritten::Untouched };
        *slot = Arc::clone(&own);
        // Where a VirtualService has the host, its routes stand, and where they were written.
        let position_of = |port: &ServicePort| {
            let name = with_port(&own.hostname, port.number);
            let position = self.drafts.binary_search_by(|draft| (*draft.name).cmp(name.as_str())).ok()?;
            self.drafts.get(position).is_some_and(|draft| draft.owner.is_none()).then_some(position)
        };
        let positions: Vec<usize> = own.ports.iter().filter_map(position_of).collect();
        if positions.is_empty() {
            return Rewritten::Untouched;
        }
        let source = Source { view, egress, services: &self.services, port, bind: &self.bind };
        for owner in source.defaults_of(&own.hostname, &own, cache, report) {
            for (hostname, origin) in owner.hostnames() {
                let name = with_port(hostname, owner.port);
                for position in &positions {
                    if let Some(draft) = self.drafts.get_mut(*position).filter(|it| *it.name == *name) {
                        draft.routes = owner.routes.clone();
                        draft.origin = origin.clone();
                    }
                }
            }
        }
        self.replace_hosts(&positions)
    }

    /// Makes the tables with other virtual hosts at these positions of the drafts.
    fn replace_hosts(&mut self, positions: &[usize]) -> Rewritten {
        if self.sniffs() {
            let earlier = std::mem::take(&mut self.tables);
            self.finish(&earlier);
            return Rewritten::Changed;
        }
        let mut tables = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            let replaced = positions
                .iter()
                .filter_map(|position| Some((*position, self.drafts.get(*position)?.finish(None))));
            let Some(table) = table.with_replaced(replaced) else { return Rewritten::PlanAnew };
            tables.push(Arc::new(table));
        }
        self.tables = tables;
        Rewritten::Changed
    }
}

/// What became of the tables of a port when a VirtualService was rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewritten {
    /// They are the same.
    Untouched,
    /// Some virtual hosts are others.
    Changed,
    /// They must be planned anew.
    PlanAnew,
}

fn name_of(virtual_service: &MergedVirtualService) -> (Arc<str>, Arc<str>) {
    (Arc::clone(&virtual_service.namespace), Arc::clone(&virtual_service.name))
}

/// A virtual host that has its domains but is not yet part of a table.
#[derive(Debug)]
struct Draft {
    port: u16,
    name: Arc<str>,
    domains: Vec<Arc<str>>,
    /// The VirtualService whose routes it has.
    owner: Option<(Arc<str>, Arc<str>)>,
    routes: RouteList,
    origin: Origin,
}

impl Draft {
    /// With its own domains, or with others.
    fn finish(&self, domains: Option<Vec<Arc<str>>>) -> Arc<VirtualHost> {
        let domains = domains.unwrap_or_else(|| self.domains.clone());
        Arc::new(VirtualHost {
            name: Arc::clone(&self.name),
            domains,
            require_tls: false,
            routes: self.routes.clone(),
            origin: self.origin.clone(),
        })
    }
}

/// Virtual hosts of all owners, each domain given once (T-039).
fn drafts(view: &View<'_>, owners: &[Owner], port: Option<u16>) -> Vec<Draft> {
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
            (&*service.hostname, Domains::of_service(service, with_port, view), origin)
        });
        for (hostname, wanted, origin) in foreign.chain(own) {
            let name = with_port(hostname, owner.port);
            if !taken.take_name(&name) {
                continue;
            }
            let domains = taken.take(&wanted);
            if !domains.is_empty() {
                drafts.push(Draft {
                    port: owner.port,
                    name: name.into(),
                    domains,
                    owner: owner.virtual_service.as_deref().map(name_of),
                    routes: owner.routes.clone(),
                    origin: origin.clone(),
                });
            }
        }
    }
    // A table of one port holds that port's hosts alone.
    drafts.retain(|draft| port.is_none_or(|port| draft.port == port));
    drafts
}

/// In tables of all ports, hosts of ports other than 80 are known with their port only (T-041).
fn keep_addressable(drafts: &mut Vec<Draft>) {
    for draft in drafts.iter_mut().filter(|draft| draft.port != 80) {
        draft.domains.retain(|domain| domain.contains(':'));
    }
    drafts.retain(|draft| !draft.domains.is_empty());
}

/// Drafts by domain; a domain is held by one draft only.
struct ByDomain<'d> {
    drafts: BTreeMap<&'d str, &'d Draft>,
}

impl<'d> ByDomain<'d> {
    fn of(drafts: &'d [Draft]) -> Self {
        let pairs =
            drafts.iter().flat_map(|draft| draft.domains.iter().map(move |domain| (&**domain, draft)));
        Self { drafts: pairs.collect() }
    }

    /// What one sniffed service's table holds: its virtual host alone, for every host that is asked for (T-044, T-487).
    fn sniffed(&self, host: &str, port: u16) -> Vec<Arc<VirtualHost>> {
        let full_name = format!("{host}:{port}");
        let plain = self.drafts.get(host);
        let other = self.drafts.get(full_name.as_str());
        let other = other.filter(|other| plain.is_none_or(|plain| plain.name != other.name));
        match (plain, other) {
            (Some(only), None) | (None, Some(only)) => vec![only.finish(Some(vec!["*".into()]))],
            (plain, other) => plain.into_iter().chain(other).map(|draft| draft.finish(None)).collect(),
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

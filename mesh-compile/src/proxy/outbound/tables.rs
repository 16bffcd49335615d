//! Route tables of a sidecar (Appendix A.1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use mesh_model::diagnostic::Report;
use mesh_model::name::Protocol;
use mesh_model::origin::Origin;

use super::cache::RouteCache;
use super::chain::TableName;
use super::client::Client;
use super::domains::{Known, with_port};
use super::drafts::{Draft, drafts};
use super::earlier::{Hosts, is_unchanged, keep_table};
use super::owners::{Services, Source, as_in_table, services_of};
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

/// The tables of one port (or Unix path): the shared one and those of sniffed services, with what they are made from
/// (T-044, T-045).
#[derive(Debug, Clone)]
pub struct PortTables {
    /// 0 for what is no port.
    pub(super) port: u16,
    /// Empty for a port.
    pub(super) bind: Arc<str>,
    wanted: Arc<[Wanted]>,
    /// Whether a listener of the scope serves the port; otherwise every host is unknown.
    is_served: bool,
    pub(super) services: Arc<Services>,
    /// By name.
    pub(super) drafts: Arc<Vec<Arc<Draft>>>,
    /// VirtualServices that have routes here, by namespace and name.
    pub(super) contributing: Arc<BTreeSet<(Arc<str>, Arc<str>)>>,
    /// Names of virtual hosts and domains that somebody wanted and did not get: what they hang on is planned anew.
    pub(super) contended: Arc<HashSet<Arc<str>, RandomState>>,
    /// For hosts that nobody knows.
    unknown: Arc<VirtualHost>,
    /// In the order of `wanted`.
    pub(super) tables: Vec<Arc<RouteTable>>,
    /// Whether they are to be planned anew.
    is_stale: bool,
}

/// The tables of these names, one a listener. What a port's tables share is worked out once; what an earlier revision had
/// is kept where it is not stale, and taken over where it is the same.
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
    let mut known = Known::default();
    let mut earlier: BTreeMap<(u16, Arc<str>), PortTables> =
        earlier.into_iter().map(|tables| ((tables.port, Arc::clone(&tables.bind)), tables)).collect();
    by_source
        .into_iter()
        .map(|((port, bind), wanted)| {
            let before = earlier.remove(&(port, Arc::from(bind)));
            if let Some(before) = before.as_ref().filter(|it| !it.is_stale && *it.wanted == *wanted) {
                return before.clone();
            }
            PortTables::build(
                client,
                (port, bind),
                wanted,
                before,
                &mut Making { cache, known: &mut known, report },
            )
        })
        .collect()
}

/// What tables are made with.
struct Making<'m> {
    cache: &'m mut dyn RouteCache,
    known: &'m mut Known,
    report: &'m mut Report,
}

impl PortTables {
    /// Has them planned anew the next time that tables are asked for.
    pub fn make_stale(&mut self) {
        self.is_stale = true;
    }

    /// Whether they are to be planned anew.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// The port, 0 for what is no port, and the Unix path, empty for a port.
    pub fn place(&self) -> (u16, &Arc<str>) {
        (self.port, &self.bind)
    }

    /// The finished tables.
    pub fn tables(&self) -> &[Arc<RouteTable>] {
        &self.tables
    }

    fn build(
        client: &Client<'_, '_>,
        (port, bind): (u16, &str),
        wanted: Vec<Wanted>,
        before: Option<Self>,
        making: &mut Making<'_>,
    ) -> Self {
        let mut tables = Self {
            port,
            bind: bind.into(),
            wanted: wanted.into(),
            is_served: false,
            services: Arc::default(),
            drafts: Arc::default(),
            contributing: Arc::default(),
            contended: Arc::default(),
            unknown: Arc::new(unknown::virtual_host(client)),
            tables: Vec::new(),
            is_stale: false,
        };
        if let Some(egress) = client.view.egress_for(u32::from(port), bind) {
            tables.is_served = true;
            tables.plan(client.view, egress, making);
        }
        if let Some(before) = &before {
            tables.take_over(before);
        }
        tables.finish(&before.map(|before| before.tables).unwrap_or_default());
        tables
    }

    /// Takes over what is the same as before.
    fn take_over(&mut self, before: &Self) {
        if is_unchanged(&before.unknown, &self.unknown) {
            self.unknown = Arc::clone(&before.unknown);
        }
        for draft in Arc::make_mut(&mut self.drafts) {
            let earlier = before.drafts.binary_search_by(|it| it.host.name.cmp(&draft.host.name));
            let earlier = earlier.ok().and_then(|position| before.drafts.get(position));
            if let Some(earlier) = earlier.filter(|it| it.is_same_as(draft)) {
                *draft = Arc::clone(earlier);
            }
        }
    }

    /// Works out which virtual hosts there are.
    fn plan(&mut self, view: &View<'_>, egress: &EgressScope, making: &mut Making<'_>) {
        let port = self.port_of(egress);
        self.services = Arc::new(services_of(egress, port));
        let source = Source { view, egress, services: &self.services, port, bind: &self.bind };
        let owners = source.owners(making.cache, making.report);
        self.contributing = Arc::new(
            owners.iter().filter_map(|owner| owner.virtual_service.as_deref()).map(name_of).collect(),
        );
        let (mut drafts, contended) = drafts(view, &owners, port, making.known);
        drafts.sort_by(|a, b| a.host.name.cmp(&b.host.name));
        self.drafts = Arc::new(drafts.into_iter().map(Arc::new).collect());
        self.contended = Arc::new(contended);
    }

    /// The port that services must have: explicit proxies and Unix sockets take every port of theirs (T-041).
    pub(super) fn port_of(&self, egress: &EgressScope) -> Option<u16> {
        Some(self.port).filter(|port| *port != 0 && !is_explicit_proxy(egress))
    }

    /// Makes the tables; virtual hosts and tables that are the same as in an earlier revision are taken over.
    pub(super) fn finish(&mut self, earlier: &[Arc<RouteTable>]) {
        // Those of sniffed services have domains of their own; all others are taken over as drafts.
        let old_hosts = self.sniffs().then(|| Hosts::of(earlier));
        let by_domain = self.sniffs().then(|| ByDomain::of(&self.drafts));
        let table = |wanted: &Wanted| {
            let name = wanted.name.to_text();
            let mut apart = Vec::new();
            let hosts = match &wanted.name {
                // As the control plane generates it: the service's virtual host is given away once, and listeners
                // that share the table (pods of a headless service, T-307) are left with none.
                TableName::Service(..) if self.is_served && wanted.is_shared => Vec::new(),
                TableName::Service(host, port) if self.is_served => {
                    by_domain.as_ref().map(|drafts| drafts.sniffed(host, *port)).unwrap_or_default()
                }
                _ => {
                    apart = (0..)
                        .zip(&*self.drafts)
                        .flat_map(|(at, draft)| draft.near.iter().map(move |name| (at, Arc::clone(name))))
                        .collect();
                    let known = self.drafts.iter().map(|draft| Arc::clone(&draft.host));
                    known.chain(std::iter::once(Arc::clone(&self.unknown))).collect()
                }
            };
            let hosts: Vec<_> = match &old_hosts {
                Some(old) => hosts.into_iter().map(|host| old.keep(&name, host)).collect(),
                None => hosts,
            };
            keep_table(earlier, &name, hosts, apart)
        };
        self.tables = self.wanted.iter().map(table).collect();
    }

    /// Whether some tables are of one sniffed service.
    pub(super) fn sniffs(&self) -> bool {
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
                let Ok(position) = self.position(&name) else { continue };
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
        let drafts = Arc::make_mut(&mut self.drafts);
        for (position, (routes, origin)) in changed {
            if let Some(draft) = drafts.get_mut(position) {
                *draft = Arc::new(draft.with_routes(routes, origin));
            }
        }
        self.replace_hosts(&positions)
    }

    /// Where the virtual host of this name stands, or would.
    pub(super) fn position(&self, name: &str) -> Result<usize, usize> {
        self.drafts.binary_search_by(|draft| (*draft.host.name).cmp(name))
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
        let Some(slot) = Arc::make_mut(&mut self.services).get_mut(&own.hostname) else {
            return Rewritten::Untouched;
        };
        *slot = Arc::clone(&own);
        self.route_by_default(view, egress, &own.hostname, cache, report)
    }

    /// Makes the default routes of a service again.
    pub(super) fn rewrite_defaults(
        &mut self,
        view: &View<'_>,
        hostname: &str,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Rewritten {
        match view.egress_for(u32::from(self.port), &self.bind) {
            Some(egress) => self.route_by_default(view, egress, hostname, cache, report),
            None => Rewritten::Untouched,
        }
    }

    fn route_by_default(
        &mut self,
        view: &View<'_>,
        egress: &EgressScope,
        hostname: &str,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Rewritten {
        let port = self.port_of(egress);
        let Some((hostname, own)) = self.services.get_key_value(hostname) else {
            return Rewritten::Untouched;
        };
        // Where a VirtualService has the host, its routes stand, and where they were written.
        let position_of = |port: &ServicePort| {
            let position = self.position(&with_port(&own.hostname, port.number)).ok()?;
            self.drafts.get(position).is_some_and(|draft| draft.owner.is_none()).then_some(position)
        };
        let positions: Vec<usize> = own.ports.iter().filter_map(position_of).collect();
        if positions.is_empty() {
            return Rewritten::Untouched;
        }
        let source = Source { view, egress, services: &self.services, port, bind: &self.bind };
        let owners = source.defaults_of(hostname, own, cache, report);
        let drafts = Arc::make_mut(&mut self.drafts);
        for owner in owners {
            for (hostname, origin) in owner.hostnames() {
                let name = with_port(hostname, owner.port);
                for position in &positions {
                    if let Some(draft) = drafts.get_mut(*position).filter(|it| *it.host.name == *name) {
                        *draft = Arc::new(draft.with_routes(owner.routes.clone(), origin.clone()));
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
                .filter_map(|position| Some((*position, Arc::clone(&self.drafts.get(*position)?.host))));
            let Some(table) = table.with_replaced(replaced) else { return Rewritten::PlanAnew };
            tables.push(Arc::new(table));
        }
        self.tables = tables;
        Rewritten::Changed
    }
}

/// What became of the tables of a port when a VirtualService was rewritten.
/// Ours: a table whose plan holds is mended in place of being made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewritten {
    /// They are the same.
    Untouched,
    /// Some virtual hosts are others.
    Changed,
    /// They must be planned anew.
    PlanAnew,
}

impl Rewritten {
    /// What a further step makes of it; nothing where all is planned anew anyway.
    #[must_use]
    pub fn then(self, step: impl FnOnce() -> Self) -> Self {
        if self == Self::PlanAnew {
            return self;
        }
        match step() {
            Self::Untouched => self,
            other => other,
        }
    }
}

/// Whether a virtual host of a table has this very domain.
pub(super) fn has_domain(table: &RouteTable, domain: &str) -> bool {
    table.virtual_host(domain).is_some_and(|host| host.domains.iter().any(|it| **it == *domain))
}

pub(super) fn name_of(virtual_service: &MergedVirtualService) -> (Arc<str>, Arc<str>) {
    (Arc::clone(&virtual_service.namespace), Arc::clone(&virtual_service.name))
}

/// Drafts by domain; a domain is held by one draft only.
struct ByDomain<'d> {
    drafts: BTreeMap<&'d str, &'d Draft>,
}

impl<'d> ByDomain<'d> {
    fn of(drafts: &'d [Arc<Draft>]) -> Self {
        let pairs = drafts
            .iter()
            .flat_map(|draft| draft.host.domains.iter().map(move |domain| (&**domain, &**draft)));
        Self { drafts: pairs.collect() }
    }

    /// What one sniffed service's table holds: its virtual host alone, for every host that is asked for (T-044, T-487).
    fn sniffed(&self, host: &str, port: u16) -> Vec<Arc<VirtualHost>> {
        let full_name = format!("{host}:{port}");
        let plain = self.drafts.get(host);
        let other = self.drafts.get(full_name.as_str());
        let other = other.filter(|other| plain.is_none_or(|plain| plain.host.name != other.host.name));
        match (plain, other) {
            (Some(only), None) | (None, Some(only)) => vec![only.answering(vec!["*".into()])],
            (plain, other) => plain.into_iter().chain(other).map(|draft| Arc::clone(&draft.host)).collect(),
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

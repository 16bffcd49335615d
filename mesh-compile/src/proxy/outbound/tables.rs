//! Route tables of a sidecar (Appendix A.1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use mesh_model::diagnostic::Report;
use mesh_model::name::Protocol;

use super::cache::RouteCache;
use super::chain::TableName;
use super::client::Client;
use super::domains::Known;
use super::drafts::{Draft, drafts};
use super::earlier::{is_unchanged, keep_table};
use super::owners::{Services, Source, services_of};
use super::unknown;
use crate::merge::virtual_service::MergedVirtualService;
use crate::route_table::{RouteTable, VirtualHost};
use crate::view::{EgressScope, View};

/// A table that listeners ask for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    pub(super) name: TableName,
    /// By several of them.
    pub(super) is_shared: bool,
}

/// The tables of one port (or Unix path): the shared one and those of sniffed services, with what they are made from
/// (T-044, T-045).
#[derive(Debug, Clone)]
pub struct PortTables {
    /// 0 for what is no port.
    pub(super) port: u16,
    /// Empty for a port.
    pub(super) bind: Arc<str>,
    /// In order.
    pub(super) wanted: Arc<[Wanted]>,
    /// Whether a listener of the scope serves the port; otherwise every host is unknown.
    pub(super) is_served: bool,
    pub(super) services: Arc<Services>,
    /// By name.
    pub(super) drafts: Arc<Vec<Arc<Draft>>>,
    /// VirtualServices that have routes here, by namespace and name.
    pub(super) contributing: Arc<BTreeSet<(Arc<str>, Arc<str>)>>,
    /// Names of virtual hosts and domains that somebody wanted and did not get: what they hang on is planned anew.
    pub(super) contended: Arc<HashSet<Arc<str>, RandomState>>,
    /// For hosts that nobody knows.
    pub(super) unknown: Arc<VirtualHost>,
    /// The shared table: the virtual hosts of `drafts`, then `unknown`. It is here, to look domains up in it, also where
    /// sniffed services alone are asked for.
    pub(super) all: Arc<RouteTable>,
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
        .map(|((port, bind), wanted)| match earlier.remove(&(port, Arc::from(bind))) {
            Some(before) if !before.is_stale => before.wanted_as(wanted),
            before => {
                let making = &mut Making { cache, known: &mut known, report };
                PortTables::build(client, (port, bind), wanted, before.as_ref(), making)
            }
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
        before: Option<&Self>,
        making: &mut Making<'_>,
    ) -> Self {
        let shared = wanted.iter().find(|it| !it.is_of_service()).map(|it| it.name.clone());
        let name = shared.unwrap_or(TableName::Port(port)).to_text();
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
            all: Arc::new(RouteTable::new(name, Vec::new())),
            tables: Vec::new(),
            is_stale: false,
        };
        if let Some(egress) = client.view.egress_for(u32::from(port), bind) {
            tables.is_served = true;
            tables.plan(client.view, egress, making);
        }
        if let Some(before) = before {
            tables.take_over(before);
        }
        tables.index(before.map(|before| &before.all));
        let earlier = |wanted: &Wanted| before?.table(&wanted.name);
        tables.tables = tables.wanted.iter().map(|it| tables.make(it, earlier(it))).collect();
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

    /// Makes the shared table; it is the earlier one where it has the same virtual hosts.
    pub(super) fn index(&mut self, earlier: Option<&Arc<RouteTable>>) {
        let near = |(at, draft): (u32, &Arc<Draft>)| -> Vec<_> {
            draft.near.iter().map(|name| (at, Arc::clone(name))).collect()
        };
        let apart = (0..).zip(&*self.drafts).flat_map(near).collect();
        let known = self.drafts.iter().map(|draft| Arc::clone(&draft.host));
        let hosts = known.chain(std::iter::once(Arc::clone(&self.unknown))).collect();
        self.all = keep_table(earlier, &self.all.name, hosts, apart);
    }

    /// Where the virtual host of this name stands, or would.
    pub(super) fn position(&self, name: &str) -> Result<usize, usize> {
        self.drafts.binary_search_by(|draft| (*draft.host.name).cmp(name))
    }
}

pub(super) fn name_of(virtual_service: &MergedVirtualService) -> (Arc<str>, Arc<str>) {
    (Arc::clone(&virtual_service.namespace), Arc::clone(&virtual_service.name))
}

fn is_explicit_proxy(egress: &EgressScope) -> bool {
    egress
        .listener
        .as_ref()
        .and_then(|(_, listener)| listener.port.as_ref())
        .is_some_and(|port| Protocol::parse(&port.protocol) == Protocol::HttpProxy)
}

//! Route tables of a gateway: per table, the VirtualServices bound to its servers (T-105, T-413 to T-422).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::name::compare_specificity;
use mesh_model::origin::Origin;

use super::hosts;
use super::merge::Merged;
use super::servers::GatewayServer;
use crate::merge::virtual_service::MergedVirtualService;
use crate::proxy::listener::{Listener, Network};
use crate::proxy::routes::{RouteContext, http_routes, sort_catch_all};
use crate::route_table::{Route, RouteTable, VirtualHost};
use crate::view::View;

/// The tables that the listeners refer to, in order of their names.
pub(super) fn tables(
    view: &View<'_>,
    merged: &Merged<'_, '_>,
    listeners: &[Listener],
    report: &mut Report,
) -> Vec<Arc<RouteTable>> {
    let used: BTreeSet<Arc<str>> = listeners
        .iter()
        .flat_map(|listener| &listener.filter_chains)
        .filter_map(|chain| match &chain.network {
            Network::Http(manager) => Some(Arc::clone(&manager.route_table)),
            Network::Tcp(_) => None,
        })
        .collect();
    used.into_iter()
        .filter_map(|name| {
            let servers = merged.by_table.get(&name)?;
            Some(Arc::new(Table::new(view).with_servers(servers, report).finish(name)))
        })
        .collect()
}

/// A virtual host in the making.
struct Draft {
    name: String,
    requires_tls: bool,
    /// Indices into [`Table::routes`], in T-102 order per server.
    contributions: Vec<usize>,
    origin: Origin,
}

/// A VirtualService at a Gateway: `ns/name` of the Gateway, namespace and name.
type Binding = (Arc<str>, Arc<str>, Arc<str>);

/// What virtual hosts share: whether they redirect, and their contributions.
type Content = (bool, Vec<usize>);

/// A route table in the making.
struct Table<'v, 's> {
    view: &'v View<'s>,
    /// By domain, lower case: every domain belongs to one virtual host (T-417).
    hosts: BTreeMap<String, Draft>,
    /// Compiled routes of one VirtualService for one Gateway.
    routes: Vec<Vec<Route>>,
    /// Position in `routes`: compiled once, for the first server that had any (T-418).
    compiled: BTreeMap<Binding, usize>,
    /// `blackhole:PORT`, and where the first server was written.
    empty: Option<(String, Origin)>,
}

impl<'v, 's> Table<'v, 's> {
    fn new(view: &'v View<'s>) -> Self {
        Self { view, hosts: BTreeMap::new(), routes: Vec::new(), compiled: BTreeMap::new(), empty: None }
    }

    fn with_servers(mut self, servers: &[&GatewayServer<'_>], report: &mut Report) -> Self {
        let mut bound: BTreeMap<&str, Vec<Arc<MergedVirtualService>>> = BTreeMap::new();
        self.empty =
            servers.first().map(|server| (format!("blackhole:{}", server.number), server.origin.clone()));
        for server in servers {
            let services = bound
                .entry(&server.gateway)
                .or_insert_with(|| self.view.gateway_virtual_services(&server.gateway));
            for service in services.iter() {
                self.add(server, service, report);
            }
            self.add_redirects(server);
        }
        self
    }

    /// Binds a VirtualService to a server (T-416, T-417).
    fn add(&mut self, server: &GatewayServer<'_>, service: &MergedVirtualService, report: &mut Report) {
        let common = hosts::intersection(&server.hosts, &service.spec.hosts, &service.namespace);
        if common.is_empty() {
            return;
        }
        let Some(routes) = self.routes_of(server, service, report) else { return };
        for host in common {
            let draft = self.draft(server, host);
            draft.contributions.push(routes);
            draft.requires_tls |= server.redirects_to_https();
        }
    }

    /// The routes of a VirtualService for a Gateway; `None`: it has none (T-420).
    fn routes_of(
        &mut self,
        server: &GatewayServer<'_>,
        service: &MergedVirtualService,
        report: &mut Report,
    ) -> Option<usize> {
        let key = (Arc::clone(&server.gateway), Arc::clone(&service.namespace), Arc::clone(&service.name));
        if let Some(position) = self.compiled.get(&key) {
            return Some(*position);
        }
        let view = self.view;
        let known =
            |hostname: &str| view.service_near(hostname, &service.namespace).map(|service| &**service);
        let context = RouteContext {
            view,
            port: server.number,
            gateway: &server.gateway,
            // E-062: any `tls` block makes it a TLS server, also that of a redirecting HTTP server.
            tls: server.tls().is_some(),
            known: &known,
        };
        let routes = http_routes(service, &context, report);
        if routes.is_empty() {
            return None;
        }
        let position = self.routes.len();
        self.routes.push(routes);
        self.compiled.insert(key, position);
        Some(position)
    }

    /// Hosts that redirect have a virtual host also where no VirtualService is bound (T-422). A namespace in front
    /// stays part of the domain, which then matches nothing.
    fn add_redirects(&mut self, server: &GatewayServer<'_>) {
        if server.redirects_to_https() {
            for host in &server.hosts {
                self.draft(server, host).requires_tls = true;
            }
        }
    }

    fn draft(&mut self, server: &GatewayServer<'_>, host: &str) -> &mut Draft {
        let domain = host.to_ascii_lowercase();
        let name = format!("{domain}:{}", server.number);
        self.hosts.entry(domain).or_insert_with(|| Draft {
            name,
            requires_tls: false,
            contributions: Vec::new(),
            origin: server.origin.clone(),
        })
    }

    /// Domains with the same routes share a virtual host, named after the most specific; a table without any answers
    /// 404 to all (T-419).
    fn finish(self, name: Arc<str>) -> RouteTable {
        let Self { hosts, routes, empty, .. } = self;
        let mut shared: BTreeMap<Content, (Draft, Vec<Arc<str>>)> = BTreeMap::new();
        let mut hosts = Vec::from_iter(hosts);
        hosts.sort_by(|(a, _), (b, _)| compare_specificity(a, b));
        for (domain, draft) in hosts {
            let key = (draft.requires_tls, draft.contributions.clone());
            shared.entry(key).or_insert_with(|| (draft, Vec::new())).1.push(domain.into());
        }
        let mut virtual_hosts: Vec<VirtualHost> = shared
            .into_values()
            .map(|(draft, domains)| {
                let of_all = draft.contributions.iter().filter_map(|position| routes.get(*position));
                let merged = sort_catch_all(of_all.flatten().cloned().collect());
                VirtualHost::new(draft.name, domains, draft.requires_tls, merged, draft.origin)
            })
            .collect();
        if let (true, Some((blackhole, origin))) = (virtual_hosts.is_empty(), empty) {
            virtual_hosts.push(VirtualHost::new(blackhole, vec!["*".into()], false, Vec::new(), origin));
        }
        RouteTable::new(name, virtual_hosts)
    }
}

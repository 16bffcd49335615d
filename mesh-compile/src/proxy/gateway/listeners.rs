//! Listeners of a gateway: the chains of every server at one address and port (T-405, T-411, T-421).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::name::Protocol;
use mesh_model::origin::Origin;

use super::merge::{Group, GroupKey, Merged};
use super::passthrough::{self, TakenNames};
use super::servers::GatewayServer;
use super::{tcp, tls};
use crate::proxy::listener::{
    ChainMatch, Direction, FilterChain, HttpLimits, HttpManager, Listener, Network,
};
use crate::proxy::policies::Policies;
use crate::proxy::proxy_headers::ProxyHeaders;
use crate::proxy::settings;
use crate::view::View;

/// Ports below this one need a privilege (T-405).
const FIRST_UNPRIVILEGED: u16 = 1024;

/// The listeners that have at least one chain, by address and port.
pub(super) fn build(
    view: &View<'_>,
    merged: &Merged<'_, '_>,
    policies: &Policies,
    report: &mut Report,
) -> Vec<Listener> {
    let builder = Builder {
        view,
        policies,
        unprivileged: settings::metadata(view, "UNPRIVILEGED_POD").is_some_and(is_true),
        headers: settings::headers(view, Direction::Gateway),
    };
    let proxy_protocol = view.proxy_config().proxy_protocol();
    let mut taken = TakenNames::default();
    let mut drafts: BTreeMap<(Bind, u16), Draft> = BTreeMap::new();
    for group in &merged.groups {
        let Some(bind) = builder.bind(group, report) else { continue };
        let chains = builder.chains(group, &mut taken, report);
        let Some(origin) = chains.first().map(|chain| chain.origin.clone()) else { continue };
        let port = group.key.port;
        let draft = drafts.entry((bind.clone(), port)).or_insert_with(|| Draft {
            listener: Listener { proxy_protocol, ..listener(&bind, port, origin) },
            conditions: BTreeMap::new(),
            is_refused: false,
        });
        let has_chain = |server: &GatewayServer<'_>| chains.iter().any(|chain| chain.origin == server.origin);
        for server in group.servers.iter().filter(|server| tls::is_refused(server) && has_chain(server)) {
            draft.is_refused = true;
            let message = format!("the data plane refuses every server of port {port} for this one");
            let origin = server.origin.child(".tls.subjectAltNames");
            let help =
                "names of clients are checked with MUTUAL; remove `subjectAltNames`, or change the mode";
            report.push(Diagnostic::new(Code::ServerRejected, &origin, message).help(help));
        }
        for chain in chains {
            draft.add(chain, report);
        }
    }
    drafts.into_values().filter(|draft| !draft.is_refused).map(|draft| draft.listener).collect()
}

/// Server names and application protocols: all that chains of gateways ask for.
type Conditions = (Vec<Arc<str>>, Vec<Arc<str>>);

/// A listener in the making.
struct Draft {
    listener: Listener,
    /// Conditions that chains have, and where those were written.
    conditions: BTreeMap<Conditions, Origin>,
    /// The data plane takes none of it.
    is_refused: bool,
}

impl Draft {
    /// Of chains with equal conditions the first stays: the data plane accepts no two (T-412).
    fn add(&mut self, chain: FilterChain, report: &mut Report) {
        let ChainMatch { server_names, application_protocols, .. } = &chain.matches;
        let conditions = (server_names.clone(), application_protocols.clone());
        if let Some(first) = self.conditions.get(&conditions) {
            let message = format!("another server takes the same connections on port {}", self.listener.port);
            report.push(
                Diagnostic::new(Code::ServerRejected, &chain.origin, message)
                    .help(format!("the first is {first}")),
            );
            return;
        }
        self.conditions.insert(conditions, chain.origin.clone());
        self.listener.filter_chains.push(chain);
    }
}

/// Go's spellings of true.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "True" | "TRUE")
}

/// Where a listener is bound.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Bind {
    Address(IpAddr),
    UnixPath(String),
}

fn listener(bind: &Bind, port: u16, origin: Origin) -> Listener {
    let (name, address, port) = match bind {
        Bind::Address(address) => (format!("{address}_{port}"), *address, port),
        Bind::UnixPath(path) => (format!("{path}_{port}"), IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    };
    Listener {
        name: name.into(),
        direction: Direction::Gateway,
        address,
        port,
        catch_all: false,
        binds_port: true,
        http_inspector: false,
        http10: false,
        proxy_protocol: false,
        buffer_bytes: None,
        filter_chains: Vec::new(),
        default_chain: None,
        origin,
    }
}

struct Builder<'v, 's> {
    view: &'v View<'s>,
    policies: &'v Policies,
    unprivileged: bool,
    headers: Arc<ProxyHeaders>,
}

impl Builder<'_, '_> {
    /// Where a group listens; `None`: nowhere, which is reported (T-405).
    fn bind(&self, group: &Group<'_, '_>, report: &mut Report) -> Option<Bind> {
        let GroupKey { port, bind, .. } = group.key;
        let mut reject = |reason: String| {
            for server in &group.servers {
                let help = "use another port or address; the other servers work";
                report.push(Diagnostic::new(Code::ServerRejected, &server.origin, reason.clone()).help(help));
            }
            None
        };
        if self.unprivileged && port < FIRST_UNPRIVILEGED {
            return reject(format!("an unprivileged proxy cannot listen on port {port}"));
        }
        if bind.is_empty() {
            return Some(Bind::Address(self.view.proxy().families().wildcard()));
        }
        if bind.starts_with("unix://") {
            return Some(Bind::UnixPath(bind.to_owned()));
        }
        match bind.parse() {
            Ok(address) => Some(Bind::Address(address)),
            Err(_) => reject(format!("`{bind}` is not an address to listen at")),
        }
    }

    fn chains(&self, group: &Group<'_, '_>, taken: &mut TakenNames, report: &mut Report) -> Vec<FilterChain> {
        if Protocol::parse(group.key.protocol).is_http() {
            let first = group.servers.first().copied();
            return first
                .zip(group.route_table.clone())
                .map(|(server, table)| self.http_chain(server, table))
                .into_iter()
                .collect();
        }
        let mut chains = Vec::new();
        for server in &group.servers {
            chains.extend(self.server_chains(server, taken, report));
        }
        chains
    }

    /// The chains of a server that is not plaintext HTTP (T-425 to T-428).
    fn server_chains(
        &self,
        server: &GatewayServer<'_>,
        taken: &mut TakenNames,
        report: &mut Report,
    ) -> Vec<FilterChain> {
        if server.terminates_https()
            && let Some(table) = server.route_table()
        {
            return vec![self.http_chain(server, table)];
        }
        if server.passes_through() {
            return passthrough::chains(self.view, server, self.policies, taken, report);
        }
        let Some(proxy) = tcp::first_route(self.view, server, self.policies, report) else {
            return Vec::new();
        };
        vec![self.chain(server, Network::Tcp(Box::new(proxy)))]
    }

    fn http_chain(&self, server: &GatewayServer<'_>, route_table: Arc<str>) -> FilterChain {
        let manager = HttpManager {
            route_table,
            authn: self.policies.authn.clone(),
            authz: self.policies.http.clone(),
            normalization: settings::path_normalization(self.view),
            http10: settings::http10(self.view),
            use_remote_address: true,
            trusted_hops: settings::trusted_hops(self.view),
            headers: Arc::clone(&self.headers),
            limits: HttpLimits::default(),
            filters: None,
        };
        self.chain(server, Network::Http(Box::new(manager)))
    }

    /// A chain of the server's own: TLS that it terminates is chosen by its hosts, plaintext takes everything.
    fn chain(&self, server: &GatewayServer<'_>, network: Network) -> FilterChain {
        let tls = tls::downstream(self.view, server);
        let server_names = if tls.is_some() { server.server_names() } else { Vec::new() };
        FilterChain {
            name: format!("{} {}", server.gateway, server.port.name).into(),
            matches: ChainMatch { server_names, ..ChainMatch::default() },
            tls,
            network,
            max_connections: None,
            origin: server.origin.clone(),
        }
    }
}

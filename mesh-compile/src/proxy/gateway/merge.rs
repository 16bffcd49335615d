//! Which servers share a port, and which are turned away (T-411, T-412).
//!
//! A port is held by what is written first. Plaintext shares with plaintext HTTP only; TLS shares with TLS by server
//! name; plaintext may join TLS, but not the other way round; another `bind` is another listener.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::name::Protocol;
use mesh_model::part::ServerTlsMode;

use super::servers::GatewayServer;

/// What servers are gathered under: the protocol as written counts (`HTTP` and `GRPC` meet through the plaintext holder).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupKey<'a> {
    /// Port of the proxy.
    pub port: u16,
    /// `port.protocol` of the first server.
    pub protocol: &'a str,
    /// `bind`; empty: every address.
    pub bind: &'a str,
}

/// Servers of one port, bind and protocol.
#[derive(Debug)]
pub(super) struct Group<'a, 's> {
    /// What they share.
    pub key: GroupKey<'a>,
    /// The table of plaintext HTTP.
    pub route_table: Option<Arc<str>>,
    /// In the order of their acceptance; never empty.
    pub servers: Vec<&'a GatewayServer<'s>>,
}

/// Servers that were accepted.
#[derive(Debug, Default)]
pub(super) struct Merged<'a, 's> {
    /// In the order in which their listeners were asked for.
    pub groups: Vec<Group<'a, 's>>,
    /// Servers whose requests go to a table, by its name (T-413).
    pub by_table: BTreeMap<Arc<str>, Vec<&'a GatewayServer<'s>>>,
    /// Whether a server forwards by server name alone (T-427). As in Istio one counts that loses its port to another, but
    /// not one whose hosts are served already.
    pub forwards_by_name: bool,
}

/// Visits servers in order and accepts or rejects each (T-411); rejections are reported with the holder of the port.
pub(super) fn merge<'a, 's>(servers: &'a [GatewayServer<'s>], report: &mut Report) -> Merged<'a, 's> {
    let mut state = State::default();
    for server in servers {
        if let Err(rejection) = state.visit(server) {
            let mut diagnostic = Diagnostic::new(Code::ServerRejected, &server.origin, rejection.reason);
            diagnostic = diagnostic.help(match rejection.holder {
                Some(holder) => format!("the port is held by {}", holder.origin),
                None => "correct the server; the others work".to_owned(),
            });
            report.push(diagnostic);
        }
    }
    state.merged
}

struct Rejection<'a, 's> {
    reason: String,
    holder: Option<&'a GatewayServer<'s>>,
}

#[derive(Default)]
struct State<'a, 's> {
    merged: Merged<'a, 's>,
    /// Ports that any server was accepted on.
    taken: BTreeSet<u16>,
    /// The latest group of plaintext per port: it is what later servers are compared with.
    plaintext: BTreeMap<u16, GroupKey<'a>>,
    /// Hosts of servers with `tls`, by port, bind and host as written (T-412).
    hosts: BTreeMap<(u16, &'a str, String), &'a GatewayServer<'s>>,
    /// Server names of TLS that is terminated: two chains cannot have the same (T-412).
    server_names: BTreeMap<(u16, &'a str, String), &'a GatewayServer<'s>>,
}

impl<'a, 's> State<'a, 's> {
    fn visit(&mut self, server: &'a GatewayServer<'s>) -> Result<(), Rejection<'a, 's>> {
        self.claim_hosts(server)?;
        self.merged.forwards_by_name |=
            server.tls().is_some_and(|tls| tls.mode == ServerTlsMode::AutoPassthrough);
        let port = server.listen_port;
        let key = GroupKey { port, protocol: &server.port.protocol, bind: server.bind() };
        if self.taken.insert(port) {
            self.open(key, server);
            return Ok(());
        }
        match self.plaintext.get(&port).copied() {
            Some(holder) if holder.bind == key.bind => self.join_plaintext(holder, server),
            Some(_) => {
                self.open_or_join(key, server);
                Ok(())
            }
            None if server.is_tls() => self.join_tls(key, server),
            None => {
                self.open(key, server);
                Ok(())
            }
        }
    }

    /// T-412: every server with a `tls` block claims its hosts, also one that only redirects.
    fn claim_hosts(&mut self, server: &'a GatewayServer<'s>) -> Result<(), Rejection<'a, 's>> {
        if server.tls().is_none() {
            return Ok(());
        }
        let of = |host: &str| (server.listen_port, server.bind(), host.to_owned());
        let taken = |holder: Option<&&'a GatewayServer<'s>>, host: &str| match holder {
            None => Ok(()),
            Some(holder) => Err(Rejection {
                reason: format!("host `{host}` is already served with TLS on port {}", server.listen_port),
                holder: Some(holder),
            }),
        };
        for host in &server.hosts {
            taken(self.hosts.get(&of(host)), host)?;
        }
        // `ns/x.com`, `x.com` and `X.com` ask for the same server name, which the data plane refuses.
        let names = match server.server_names() {
            _ if !server.is_tls() || server.passes_through() => Vec::new(),
            names if names.is_empty() => vec!["*".into()],
            names => names,
        };
        for name in &names {
            taken(self.server_names.get(&of(name)), name)?;
        }
        self.hosts.extend(server.hosts.iter().map(|host| (of(host), server)));
        self.server_names.extend(names.iter().map(|name| (of(name), server)));
        Ok(())
    }

    /// A group of its own; of two with one key the later takes the place.
    fn open(&mut self, key: GroupKey<'a>, server: &'a GatewayServer<'s>) {
        if !server.is_tls() {
            self.plaintext.insert(key.port, key);
        }
        let route_table = server.route_table();
        if let Some(table) = &route_table {
            self.merged.by_table.insert(Arc::clone(table), vec![server]);
        }
        let group = Group { key, route_table, servers: vec![server] };
        match self.merged.groups.iter_mut().find(|existing| existing.key == key) {
            Some(existing) => *existing = group,
            None => self.merged.groups.push(group),
        }
    }

    /// Another bind than that of the plaintext holder.
    fn open_or_join(&mut self, key: GroupKey<'a>, server: &'a GatewayServer<'s>) {
        match self.merged.groups.iter_mut().find(|group| group.key == key) {
            None => self.open(key, server),
            Some(group) => {
                group.route_table = server.route_table();
                group.servers.push(server);
                self.add_to_table(server);
            }
        }
    }

    /// The bind of the plaintext holder: HTTP joins HTTP, all else is turned away.
    fn join_plaintext(
        &mut self,
        holder: GroupKey<'a>,
        server: &'a GatewayServer<'s>,
    ) -> Result<(), Rejection<'a, 's>> {
        let Some(group) = self.merged.groups.iter_mut().find(|group| group.key == holder) else {
            return Ok(());
        };
        if !(server.protocol.is_http() && Protocol::parse(holder.protocol).is_http()) {
            return Err(Rejection {
                reason: format!(
                    "protocol `{}` cannot share port {} with plaintext `{}`",
                    server.port.protocol, holder.port, holder.protocol
                ),
                holder: group.servers.first().copied(),
            });
        }
        group.servers.push(server);
        self.add_to_table(server);
        Ok(())
    }

    /// TLS where only TLS is: told apart by server name; each HTTPS server has a table of its own (T-413).
    fn join_tls(
        &mut self,
        key: GroupKey<'a>,
        server: &'a GatewayServer<'s>,
    ) -> Result<(), Rejection<'a, 's>> {
        if let Some(table) = server.route_table() {
            if let Some(holders) = self.merged.by_table.get(&table) {
                return Err(Rejection {
                    reason: format!("port name `{}` is not unique in the gateway", server.port.name),
                    holder: holders.first().copied(),
                });
            }
            self.merged.by_table.insert(table, vec![server]);
        }
        match self.merged.groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.servers.push(server),
            None => self.merged.groups.push(Group { key, route_table: None, servers: vec![server] }),
        }
        Ok(())
    }

    fn add_to_table(&mut self, server: &'a GatewayServer<'s>) {
        if let Some(table) = server.route_table() {
            self.merged.by_table.entry(table).or_default().push(server);
        }
    }
}

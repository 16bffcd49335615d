//! What becomes of traffic that nothing else takes (T-480 to T-488).

use std::sync::Arc;

use mesh_model::mesh_config::OutboundMode;
use mesh_model::origin::Origin;

use super::chain::SNIFFED_HTTP;
use super::client::Client;
use crate::proxy::clusters::names::{ALLOW_ANY_DYNAMIC_DNS as DYNAMIC_DNS, BLACK_HOLE, PASSTHROUGH};
use crate::proxy::listener::{ChainMatch, Direction, FilterChain, Listener, Network, TcpProxy, Transport};
use crate::route_table::action::{Destination, DirectResponse, Forward, HeaderOps, RouteAction};
use crate::route_table::{Route, RouteTable, VirtualHost};

/// Name of the virtual host and table of unknown HTTP that is resolved by name.
const DYNAMIC_DNS_TABLE: &str = "allow_any_dynamic_dns";

/// The virtual host for hosts that a table does not know (T-480, T-482, T-485).
pub(super) fn virtual_host(client: &Client<'_, '_>) -> VirtualHost {
    let origin = client.policy.origin.clone();
    let (name, action) = match client.policy.mode {
        OutboundMode::AllowAnyDynamicDns => (DYNAMIC_DNS_TABLE, forward(DYNAMIC_DNS.into(), origin.clone())),
        OutboundMode::AllowAny => ("allow_any", forward(egress_cluster(client), origin.clone())),
        OutboundMode::RegistryOnly => {
            ("block_all", RouteAction::Respond(DirectResponse { status: 502, body: None }))
        }
    };
    let route = Route::to_everything(name, action, origin.clone());
    VirtualHost::new(name, vec!["*".into()], false, vec![route], origin)
}

/// The chain for bytes that fit no other chain of a listener (T-484).
pub(super) fn fall_through(client: &Client<'_, '_>) -> FilterChain {
    chain("PassthroughFilterChain", ChainMatch::default(), egress_cluster(client), &client.policy.origin)
}

/// The listener that takes what no other does, and the one that is in the way of port 15006; with a table where unknown
/// HTTP is resolved by name (T-481, T-485, T-488, E-054, E-055).
pub(super) fn virtual_listeners(client: &Client<'_, '_>) -> (Vec<Listener>, Option<RouteTable>) {
    let mesh = client.view.mesh();
    let mut listeners = Vec::new();
    let dynamic_dns = client.policy.mode == OutboundMode::AllowAnyDynamicDns;
    if let Ok(port) = u16::try_from(mesh.proxy_listen_port()) {
        let mut chains = vec![own_port(port, "virtualOutbound-blackhole")];
        if dynamic_dns {
            chains.push(FilterChain {
                name: "virtualOutbound-catchall-tcp-http".into(),
                matches: ChainMatch {
                    transport: Some(Transport::RawBuffer),
                    application_protocols: SNIFFED_HTTP.into_iter().map(Arc::from).collect(),
                    ..ChainMatch::default()
                },
                tls: None,
                network: Network::Http(Box::new(client.http_manager(DYNAMIC_DNS_TABLE))),
                max_connections: None,
                origin: client.policy.origin.clone(),
            });
        }
        let rest = chain(
            "virtualOutbound-catchall-tcp",
            ChainMatch::default(),
            egress_cluster(client),
            &client.policy.origin,
        );
        listeners.push(Listener {
            name: "virtualOutbound".into(),
            direction: Direction::Outbound,
            address: client.wildcard,
            port,
            catch_all: true,
            binds_port: true,
            http_inspector: dynamic_dns,
            http10: false,
            proxy_protocol: false,
            buffer_bytes: None,
            filter_chains: chains,
            default_chain: Some(rest),
            origin: client.policy.origin.clone(),
        });
    }
    // The inbound capture port is a real listener: what is sent to that port of any address meets it (E-055).
    if let Ok(port) = u16::try_from(mesh.proxy_inbound_listen_port()) {
        let blocked = own_port(port, "virtualInbound-blackhole");
        listeners.push(Listener {
            name: "virtualInbound".into(),
            direction: Direction::Outbound,
            address: client.wildcard,
            port,
            catch_all: false,
            // The inbound direction's is the one with the socket.
            binds_port: false,
            http_inspector: false,
            http10: false,
            proxy_protocol: false,
            buffer_bytes: None,
            origin: blocked.origin.clone(),
            filter_chains: vec![blocked],
            default_chain: None,
        });
    }
    let table = dynamic_dns.then(|| RouteTable::new(DYNAMIC_DNS_TABLE, vec![virtual_host(client)]));
    (listeners, table)
}

/// Where unknown bytes go: through, to the egress proxy (T-483), or nowhere.
fn egress_cluster(client: &Client<'_, '_>) -> Arc<str> {
    match (client.policy.mode, &client.policy.egress_proxy) {
        (OutboundMode::RegistryOnly, _) => BLACK_HOLE.into(),
        (_, Some(proxy)) => Arc::clone(proxy),
        (_, None) => PASSTHROUGH.into(),
    }
}

/// The proxy's own capture port is never passed on: it would come back (T-488).
fn own_port(port: u16, name: &'static str) -> FilterChain {
    let matches = ChainMatch { destination_port: Some(port), ..ChainMatch::default() };
    chain(name, matches, BLACK_HOLE.into(), &Origin::built_in("traffic to the proxy's own port (T-488)"))
}

fn chain(name: &str, matches: ChainMatch, cluster: Arc<str>, origin: &Origin) -> FilterChain {
    FilterChain {
        name: name.into(),
        matches,
        tls: None,
        network: Network::Tcp(Box::new(TcpProxy::to(cluster, origin.clone()))),
        max_connections: None,
        origin: origin.clone(),
    }
}

/// Without timeout and retries.
fn forward(cluster: Arc<str>, origin: Origin) -> RouteAction {
    RouteAction::Forward(Box::new(Forward::to(Destination {
        cluster,
        weight: 100,
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        authority: None,
        origin,
    })))
}

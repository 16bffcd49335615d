//! Listeners out of entries (T-200, T-484), and the explicit HTTP proxy's (T-468).

use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::origin::Origin;

use super::chain::{Chain, Content, TableName};
use super::client::Client;
use super::conflicts::Entry;
use super::unknown;
use crate::proxy::listener::{Direction, FilterChain, Listener};

/// The listener of an entry; one more for each further address.
pub(super) fn build(client: &Client<'_, '_>, entry: Entry) -> Vec<Listener> {
    let http_inspector = entry.chains.iter().any(|chain| chain.sniffed);
    let (general, conditional): (Vec<_>, Vec<_>) = entry.chains.into_iter().partition(Chain::takes_all);
    let filter_chains: Vec<FilterChain> = conditional.into_iter().map(|chain| chain.finish(client)).collect();
    // A chain without conditions is the fall-back; where there is none, bytes are unknown traffic (T-484).
    let default_chain = general
        .into_iter()
        .next_back()
        .map_or_else(|| unknown::fall_through(client), |chain| chain.finish(client));
    let is_unix = entry.port == 0;
    std::iter::once(&entry.bind)
        .chain(&entry.more_binds)
        .filter_map(|bind| {
            let address = match bind.parse::<IpAddr>() {
                Ok(address) => address,
                // A path has no address; nothing that is dialled by address reaches it.
                Err(_) if is_unix => client.wildcard,
                Err(_) => return None,
            };
            Some(Listener {
                name: if is_unix { Arc::clone(bind) } else { format!("{bind}_{}", entry.port).into() },
                direction: Direction::Outbound,
                address,
                port: entry.port,
                catch_all: false,
                binds_port: entry.binds_port,
                http_inspector,
                http10: false,
                proxy_protocol: false,
                buffer_bytes: None,
                filter_chains: filter_chains.clone(),
                default_chain: Some(default_chain.clone()),
                origin: entry.origin.clone(),
            })
        })
        .collect()
}

/// The listener for clients that name the proxy as theirs, with its table; `None`: no port is set.
pub(super) fn explicit_proxy(client: &Client<'_, '_>) -> Option<(Listener, TableName)> {
    let own = client.view.proxy().metadata.get("HTTP_PROXY_PORT").and_then(|port| port.parse().ok());
    let port =
        own.or_else(|| client.view.mesh().proxy_http_port().and_then(|port| u16::try_from(port).ok()))?;
    if port == 0 {
        return None;
    }
    let origin = Origin::built_in("MeshConfig.proxyHttpPort (T-468)");
    let chain = Chain {
        name: "http_proxy".into(),
        sni_hosts: Vec::new(),
        cidrs: Vec::new(),
        sniffed: false,
        content: Content::Http(TableName::HttpProxy),
        origin: origin.clone(),
    };
    let listener = Listener {
        name: format!("{}_{port}", client.localhost).into(),
        direction: Direction::Outbound,
        address: client.localhost,
        port,
        catch_all: false,
        binds_port: true,
        http_inspector: false,
        http10: false,
        proxy_protocol: false,
        buffer_bytes: None,
        filter_chains: Vec::new(),
        default_chain: Some(chain.finish(client)),
        origin,
    };
    Some((listener, TableName::HttpProxy))
}

//! Which security resources are in force where.

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::{FilterChain, Listener, Network};
use serde_json::{Value, json};

/// Per listener and chain: what a client must present, and which resources judge it.
pub fn policies(config: &ProxyConfig) -> Value {
    config.listeners.iter().map(|listener| listener_policies(listener)).collect()
}

fn listener_policies(listener: &Listener) -> Value {
    let chains = listener.filter_chains.iter().chain(&listener.default_chain).map(chain).collect::<Vec<_>>();
    json!({"listener": &*listener.name, "chains": chains})
}

fn chain(chain: &FilterChain) -> Value {
    let (authn, authz) = match &chain.network {
        Network::Http(manager) => (manager.authn.as_deref(), manager.authz.as_deref()),
        Network::Tcp(proxy) => (None, proxy.authz.as_deref()),
    };
    json!({
        "chain": &*chain.name,
        "port": chain.matches.destination_port,
        "mtls": chain.tls.is_some(),
        "peer_authentication": chain.origin,
        "request_authentication": authn.is_some(),
        "authorization": authz.is_some(),
    })
}

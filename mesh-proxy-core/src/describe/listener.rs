//! Listeners and filter chains as data.

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::{
    ChainMatch, ClientCertificate, Direction, DownstreamTls, FilterChain, Listener, Network, Transport,
};
use serde_json::{Value, json};

/// Every listener, in order.
pub fn listeners(config: &ProxyConfig) -> Value {
    config.listeners.iter().map(|listener| listener_json(listener)).collect()
}

fn listener_json(listener: &Listener) -> Value {
    let direction = match listener.direction {
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
        Direction::Gateway => "gateway",
    };
    json!({
        "name": &*listener.name,
        "direction": direction,
        "address": listener.address.to_string(),
        "port": listener.port,
        "catch_all": listener.catch_all,
        "http_inspector": listener.http_inspector,
        "filter_chains": listener.filter_chains.iter().map(chain).collect::<Vec<_>>(),
        "default_chain": listener.default_chain.as_ref().map(chain),
        "origin": listener.origin,
    })
}

fn chain(chain: &FilterChain) -> Value {
    json!({
        "name": &*chain.name,
        "matches": conditions(&chain.matches),
        "tls": chain.tls.as_deref().map(tls),
        "network": network(&chain.network),
        "origin": chain.origin,
    })
}

fn conditions(matches: &ChainMatch) -> Value {
    json!({
        "destination_port": matches.destination_port,
        "destinations": matches.destinations.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "server_names": matches.server_names,
        "transport": matches.transport.map(|transport| match transport {
            Transport::Tls => "tls",
            Transport::RawBuffer => "raw_buffer",
        }),
        "application_protocols": matches.application_protocols,
    })
}

fn tls(tls: &DownstreamTls) -> Value {
    json!({
        "client_certificate": match tls.client_certificate {
            ClientCertificate::None => "none",
            ClientCertificate::Optional => "optional",
            ClientCertificate::Required => "required",
        },
        "trust_domains": tls.trust_domains,
        "subject_alt_names": tls.subject_alt_names,
        "certificates": tls.certificates,
        "root": tls.root,
        "alpn": tls.alpn,
        "min_version": &*tls.min_version,
        "max_version": &*tls.max_version,
        "cipher_suites": tls.cipher_suites,
        "key_hashes": tls.key_hashes,
        "certificate_hashes": tls.certificate_hashes,
    })
}

fn network(network: &Network) -> Value {
    match network {
        Network::Http(manager) => json!({
            "http": {
                "route_table": &*manager.route_table,
                "authentication": manager.authn.is_some(),
                "authorization": manager.authz.is_some(),
                "http10": manager.http10,
                "use_remote_address": manager.use_remote_address,
                "trusted_hops": manager.trusted_hops,
            }
        }),
        Network::Tcp(proxy) => json!({
            "tcp": {
                "clusters": proxy
                    .destinations
                    .iter()
                    .map(|destination| json!({"cluster": &*destination.cluster, "weight": destination.weight}))
                    .collect::<Vec<_>>(),
                "authorization": proxy.authz.is_some(),
                "sni_cluster": proxy.sni_cluster,
                "idle_timeout_ms": proxy.idle_timeout_ms,
                "tunnel": proxy.tunnel.as_ref().map(|tunnel| json!({
                    "method": tunnel.method.as_str(),
                    "target": &*tunnel.target,
                    "origin": tunnel.origin,
                })),
            }
        }),
    }
}

//! Listeners and filter chains as data. Ours: what is compiled can be read without knowing the types.

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::http_filters::{FilterEffect, HttpFilters};
use mesh_compile::proxy::listener::{
    ChainMatch, ClientCertificate, Direction, DownstreamTls, FilterChain, HttpLimits, Listener, Network,
    PathNormalization, Transport,
};
use mesh_compile::proxy::proxy_headers::{
    ClientCertificateDetails, ClientCertificateHeader, ProxyHeaders, ServerHeader,
};
use serde_json::{Value, json};

use crate::decision_format::{hash_policy, header_ops, rate_limit};

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
        "binds_port": listener.binds_port,
        "http_inspector": listener.http_inspector,
        "proxy_protocol": listener.proxy_protocol,
        "buffer_bytes": listener.buffer_bytes,
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
        "max_connections": chain.max_connections,
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
        "crl": tls.crl,
        "ecdh_curves": tls.ecdh_curves,
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
                "path_normalization": match manager.normalization {
                    PathNormalization::None => "NONE",
                    PathNormalization::Base => "BASE",
                    PathNormalization::MergeSlashes => "MERGE_SLASHES",
                    PathNormalization::DecodeAndMergeSlashes => "DECODE_AND_MERGE_SLASHES",
                },
                "use_remote_address": manager.use_remote_address,
                "trusted_hops": manager.trusted_hops,
                "headers": headers(&manager.headers),
                "limits": limits(manager.limits),
                "filters": manager.filters.as_deref().map(filters),
            }
        }),
        Network::Tcp(proxy) => json!({
            "tcp": {
                "clusters": proxy
                    .destinations
                    .iter()
                    .map(|destination| json!({"cluster": &*destination.cluster, "weight": destination.weight}))
                    .collect::<Vec<_>>(),
                "hash_policy": proxy.hash_policy.iter().map(hash_policy).collect::<Vec<_>>(),
                "authorization": proxy.authz.is_some(),
                "sni_cluster": proxy.sni_cluster,
                "idle_timeout_ms": proxy.idle_timeout_ms,
                "max_connection_ms": proxy.max_connection_ms,
                "tunnel": proxy.tunnel.as_ref().map(|tunnel| json!({
                    "method": tunnel.method.as_str(),
                    "target": &*tunnel.target,
                    "origin": tunnel.origin,
                })),
            }
        }),
    }
}

/// Headers that the proxy itself adds, takes off or passes on.
fn headers(headers: &ProxyHeaders) -> Value {
    let ProxyHeaders {
        client_certificate,
        request_id,
        server,
        attempt_count,
        debug,
        forwarded_host,
        forwarded_port,
        metadata_in_mesh_only,
    } = headers;
    let (mode, details) = match client_certificate {
        ClientCertificateHeader::Sanitize => ("SANITIZE", None),
        ClientCertificateHeader::ForwardOnly => ("FORWARD_ONLY", None),
        ClientCertificateHeader::AppendForward(details) => ("APPEND_FORWARD", Some(details)),
        ClientCertificateHeader::SanitizeSet(details) => ("SANITIZE_SET", Some(details)),
        ClientCertificateHeader::AlwaysForwardOnly => ("ALWAYS_FORWARD_ONLY", None),
    };
    let details = details.map(|ClientCertificateDetails { cert, chain, subject, uri, dns }| {
        json!({"cert": cert, "chain": chain, "subject": subject, "uri": uri, "dns": dns})
    });
    json!({
        "client_certificate": mode,
        "client_certificate_details": details,
        "request_id": request_id,
        "server": match server {
            ServerHeader::Named(name) => Some(&**name),
            ServerHeader::PassThrough => None,
        },
        "attempt_count": attempt_count,
        "debug": debug,
        "forwarded_host": forwarded_host,
        "forwarded_port": forwarded_port,
        "metadata_in_mesh_only": metadata_in_mesh_only,
    })
}

/// Those that are set.
fn limits(limits: HttpLimits) -> Value {
    let HttpLimits { idle_timeout_ms, stream_idle_timeout_ms, request_timeout_ms, max_request_headers_kb } =
        limits;
    if limits == HttpLimits::default() {
        return Value::Null;
    }
    json!({
        "idle_timeout_ms": idle_timeout_ms,
        "stream_idle_timeout_ms": stream_idle_timeout_ms,
        "request_timeout_ms": request_timeout_ms,
        "max_request_headers_kb": max_request_headers_kb,
    })
}

/// Filters in order, where they are not those that Istio puts there.
fn filters(filters: &HttpFilters) -> Value {
    let does = |does: &FilterEffect| match does {
        FilterEffect::Own => Value::Null,
        FilterEffect::RateLimit(None) => "a local rate limit where a route has one".into(),
        FilterEffect::RateLimit(Some(limit)) => json!({"local_rate_limit": rate_limit(limit)}),
        FilterEffect::Headers { request, response } => {
            json!({"request_headers": header_ops(&request.ops), "response_headers": header_ops(&response.ops)})
        }
        FilterEffect::Buffer { max_request_bytes } => json!({"max_request_bytes": max_request_bytes}),
        FilterEffect::Unknown => "not known here".into(),
    };
    filters
        .order
        .iter()
        .map(|filter| match &filter.does {
            FilterEffect::Own => json!(&*filter.name),
            effect => json!({"name": &*filter.name, "does": does(effect), "origin": filter.origin}),
        })
        .collect()
}

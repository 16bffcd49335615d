//! Clusters in Envoy's own form: how endpoints are found, which there are, TLS towards them. Everything else is merged as
//! into a cluster that is there.
// Spec: envoyproxy/envoy api/envoy/config/cluster/v3/cluster.proto and config/endpoint/v3/endpoint.proto.

use std::sync::Arc;

use mesh_model::origin::Origin;
use serde_json::{Map, Value};

use super::filter_value::typed;
use super::value::{count, field, fields};
use crate::proxy::cluster::{
    Cluster, ClusterEndpoint, Discovery, LbPolicy, Limits, UpstreamTls, UpstreamTlsContext,
};
use crate::proxy::clusters::socket_address;

/// Fields that are read here.
pub(super) const FIELDS: [&str; 7] =
    ["name", "alt_stat_name", "type", "load_assignment", "hosts", "transport_socket", "metadata"];

const TLS: &str = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// A cluster with Envoy's defaults.
///
/// # Errors
/// Why it cannot be had here.
pub(super) fn cluster(value: &Map<String, Value>, origin: &Origin) -> Result<Cluster, &'static str> {
    let name = field(value, "name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or("a cluster needs a name")?;
    let discovery = match field(value, "type").map_or(Some("STATIC"), Value::as_str) {
        _ if field(value, "cluster_type").is_some() => {
            return Err("clusters of extensions find their endpoints in ways that are not known here");
        }
        Some("STATIC") => Discovery::Static,
        Some("STRICT_DNS") => Discovery::StrictDns,
        Some("LOGICAL_DNS") => Discovery::LogicalDns,
        Some("ORIGINAL_DST") => Discovery::OriginalDst,
        Some("EDS") => return Err("nobody tells this cluster's endpoints"),
        _ => return Err("its type is none that is known"),
    };
    let lb = match discovery {
        Discovery::OriginalDst => LbPolicy::ClusterProvided,
        _ => LbPolicy::RoundRobin,
    };
    let mut cluster = Cluster::bare(name, discovery, lb);
    cluster.connect_timeout_ms = 5_000;
    cluster.limits = Limits {
        max_connections: Some(1_024),
        max_pending_requests: Some(1_024),
        max_requests: Some(1_024),
        max_retries: Some(3),
    };
    if matches!(discovery, Discovery::StrictDns | Discovery::LogicalDns) {
        cluster.dns_family = Some("ALL");
    }
    for setting in ["cluster", "type", "endpoints"] {
        cluster.origins.insert(setting, origin.clone());
    }
    if field(value, "hosts").is_some() {
        return Err("`hosts` is of an API that Envoy has no longer");
    }
    if let Some(assignment) = field(value, "load_assignment") {
        endpoints(&mut cluster, assignment).ok_or("its endpoints cannot be read")?;
    }
    if let Some(socket) = field(value, "transport_socket") {
        // Plaintext in place of something that is not understood would be another cluster.
        let tls = transport(socket).ok_or("its transport socket has more than is known here")?;
        cluster.tls = UpstreamTls::Tls(Box::new(tls));
        cluster.origins.insert("tls", origin.child(".transport_socket"));
    }
    Ok(cluster)
}

fn endpoints(cluster: &mut Cluster, assignment: &Value) -> Option<()> {
    for (name, groups) in fields(assignment.as_object()?) {
        if name != "endpoints" {
            continue;
        }
        for group in groups.as_array()? {
            let group = group.as_object()?;
            let priority = field(group, "priority").map_or(Some(0), count)?;
            let weight = field(group, "load_balancing_weight").map_or(Some(0), count)?;
            let locality = locality(field(group, "locality"))?;
            for endpoint in field(group, "lb_endpoints")?.as_array()? {
                let endpoint = endpoint.as_object()?;
                let address = field(field(endpoint, "endpoint")?.as_object()?, "address")?.as_object()?;
                let health = field(endpoint, "health_status").map_or(Some("UNKNOWN"), Value::as_str)?;
                cluster.endpoints.push(ClusterEndpoint {
                    address: self::address(address)?,
                    priority,
                    weight: field(endpoint, "load_balancing_weight").map_or(Some(1), count)?,
                    healthy: matches!(health, "UNKNOWN" | "HEALTHY"),
                    draining: health == "DRAINING",
                    mtls: false,
                    locality: Arc::clone(&locality),
                    workload: None,
                });
            }
            cluster.localities.push((locality, priority, weight));
        }
    }
    cluster.localities.sort();
    Some(())
}

fn address(address: &Map<String, Value>) -> Option<Arc<str>> {
    if let Some(pipe) = field(address, "pipe") {
        return Some(field(pipe.as_object()?, "path")?.as_str()?.into());
    }
    let socket = field(address, "socket_address")?.as_object()?;
    let port = u16::try_from(count(field(socket, "port_value")?)?).ok()?;
    Some(socket_address(field(socket, "address")?.as_str()?, port))
}

/// `region/zone/subzone`; what is not written is empty.
fn locality(written: Option<&Value>) -> Option<Arc<str>> {
    let Some(written) = written else { return Some("".into()) };
    let map = written.as_object()?;
    let part = |name: &str| field(map, name).map_or(Some(""), Value::as_str);
    let whole = [part("region")?, part("zone")?, part("sub_zone")?].join("/");
    Some(whole.trim_end_matches('/').into())
}

/// TLS with a server name, protocols, certificates and authorities from files; `None`: it says more.
fn transport(socket: &Value) -> Option<UpstreamTlsContext> {
    let (kind, written) = typed(field(socket.as_object()?, "typed_config")?.as_object()?)?;
    let mut tls = UpstreamTlsContext::default();
    if kind != TLS {
        return None;
    }
    for (name, value) in fields(written).filter(|(name, _)| name != "@type") {
        match name.as_str() {
            "sni" => tls.sni = value.as_str()?.into(),
            "common_tls_context" => common(&mut tls, value.as_object()?)?,
            _ => return None,
        }
    }
    Some(tls)
}

fn common(tls: &mut UpstreamTlsContext, written: &Map<String, Value>) -> Option<()> {
    let file = |value: &Value| Some(field(value.as_object()?, "filename")?.as_str()?.to_owned());
    for (name, value) in fields(written) {
        match name.as_str() {
            "alpn_protocols" => {
                let names = value.as_array()?.iter().map(|it| it.as_str().map(Arc::from));
                tls.alpn = names.collect::<Option<_>>()?;
            }
            "validation_context" => {
                let all: Vec<_> = fields(value.as_object()?).collect();
                let [(name, authorities)] = all.as_slice() else { return None };
                let path = (name == "trusted_ca").then(|| file(authorities)).flatten()?;
                tls.root = Some(format!("file-root:{path}").into());
            }
            "tls_certificates" => {
                let [only] = value.as_array()?.as_slice() else { return None };
                let only = only.as_object()?;
                let (chain, key) = (field(only, "certificate_chain")?, field(only, "private_key")?);
                tls.certificate = Some(format!("file-cert:{}~{}", file(chain)?, file(key)?).into());
            }
            _ => return None,
        }
    }
    Some(())
}

//! Clusters and endpoints as data. The keys are those of `clusters.json` in the decision format; `origins` says where
//! each setting came from. Ours: what is compiled can be read without knowing the types.

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::cluster::{
    Cluster, ClusterEndpoint, Discovery, HttpOptions, LbPolicy, Limits, Outlier, UpstreamProtocol,
    UpstreamTls, UpstreamTlsContext,
};
use mesh_compile::workload_names::WorkloadNames;
use serde_json::{Map, Value, json};

use crate::decision_format::number;

/// Every cluster by name.
pub fn clusters(config: &ProxyConfig) -> Value {
    config
        .clusters
        .iter()
        .map(|(name, cluster)| (name.to_string(), cluster_json(cluster)))
        .collect::<Map<_, _>>()
        .into()
}

/// The endpoints of every cluster that has some, with what telemetry calls their workloads.
pub fn endpoints(config: &ProxyConfig) -> Value {
    config
        .clusters
        .iter()
        .filter(|(_, cluster)| !cluster.endpoints.is_empty())
        .map(|(name, cluster)| (name.to_string(), sorted(cluster, endpoint_and_workload)))
        .collect::<Map<_, _>>()
        .into()
}

fn cluster_json(cluster: &Cluster) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            out.insert(key.to_owned(), value);
        }
    };
    put("type", discovery(cluster.discovery).into());
    let (lb, hash) = lb(cluster.lb);
    put("lb", lb.into());
    put("hash", hash);
    put("connect_timeout_ms", cluster.connect_timeout_ms.into());
    put("tcp_keepalive", keepalive(cluster));
    put("limits", limits(&cluster.limits));
    put("outlier", cluster.outlier.as_ref().map_or(Value::Null, |written| outlier(written)));
    put("panic_threshold", cluster.panic_threshold.map_or(Value::Null, number));
    put("locality_weighted", if cluster.locality_weighted { true.into() } else { Value::Null });
    put("slow_start", slow_start(cluster));
    put("tls", tls(&cluster.tls));
    put("http", http(&cluster.http));
    put("retry_budget", retry_budget(cluster));
    put("proxy_protocol", cluster.proxy_protocol.map_or(Value::Null, Into::into));
    put("port_override", cluster.port_override.map_or(Value::Null, Into::into));
    put("zone_aware", zone_aware(cluster));
    put("dns_family", cluster.dns_family.map_or(Value::Null, Into::into));
    put("dns_refresh_ms", cluster.dns_refresh_ms.map_or(Value::Null, Into::into));
    put("endpoints", sorted(cluster, endpoint));
    let localities: Vec<Value> = cluster
        .localities
        .iter()
        .map(|(locality, priority, weight)| json!([&**locality, priority, weight]))
        .collect();
    put("localities", localities.into());
    put("origins", json!(cluster.origins));
    out.into()
}

fn discovery(discovery: Discovery) -> &'static str {
    match discovery {
        Discovery::Eds => "EDS",
        Discovery::StrictDns => "STRICT_DNS",
        Discovery::LogicalDns => "LOGICAL_DNS",
        Discovery::Static => "STATIC",
        Discovery::OriginalDst => "ORIGINAL_DST",
        Discovery::Custom => "CUSTOM",
    }
}

fn lb(policy: LbPolicy) -> (&'static str, Value) {
    let sized = |key: &str, size: Option<u64>| {
        let mut hash = Map::new();
        if let Some(size) = size {
            hash.insert(key.to_owned(), size.into());
        }
        Value::from(hash)
    };
    match policy {
        LbPolicy::RoundRobin => ("ROUND_ROBIN", Value::Null),
        LbPolicy::LeastRequest => ("LEAST_REQUEST", Value::Null),
        LbPolicy::Random => ("RANDOM", Value::Null),
        LbPolicy::RingHash { minimum_ring_size } => {
            ("RING_HASH", sized("minimum_ring_size", minimum_ring_size))
        }
        LbPolicy::Maglev { table_size } => ("MAGLEV", sized("table_size", table_size)),
        LbPolicy::ClusterProvided => ("CLUSTER_PROVIDED", Value::Null),
    }
}

/// An object of the entries that are set.
fn present<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    entries
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| (key.to_owned(), value)))
        .collect::<Map<_, _>>()
        .into()
}

fn keepalive(cluster: &Cluster) -> Value {
    cluster.tcp_keepalive.map_or(Value::Null, |keepalive| {
        present([
            ("keepalive_probes", keepalive.probes.map(Into::into)),
            ("keepalive_time", keepalive.time.map(Into::into)),
            ("keepalive_interval", keepalive.interval.map(Into::into)),
        ])
    })
}

fn limits(limits: &Limits) -> Value {
    present([
        ("max_connections", limits.max_connections.map(Into::into)),
        ("max_pending_requests", limits.max_pending_requests.map(Into::into)),
        ("max_requests", limits.max_requests.map(Into::into)),
        ("max_retries", limits.max_retries.map(Into::into)),
    ])
}

fn outlier(outlier: &Outlier) -> Value {
    let mut out: Map<String, Value> =
        outlier.settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    if outlier.split_external_local_origin_errors {
        out.insert("split_external_local_origin_errors".to_owned(), true.into());
    }
    if !outlier.http_error_codes.is_empty() {
        let codes: Vec<Value> = outlier.http_error_codes.iter().map(|code| (&**code).into()).collect();
        out.insert("http_error_codes".to_owned(), codes.into());
    }
    out.into()
}

fn slow_start(cluster: &Cluster) -> Value {
    cluster.slow_start.map_or(Value::Null, |slow_start| {
        present([
            ("slow_start_window_ms", Some(slow_start.window_ms.into())),
            ("aggression", slow_start.aggression.map(number)),
            ("min_weight_percent", slow_start.min_weight_percent.map(number)),
        ])
    })
}

fn tls(tls: &UpstreamTls) -> Value {
    match tls {
        UpstreamTls::Plaintext => "plaintext".into(),
        UpstreamTls::Tls(context) => tls_context(context),
    }
}

fn tls_context(context: &UpstreamTlsContext) -> Value {
    let text = |value: &Option<std::sync::Arc<str>>| value.as_deref().map_or(Value::Null, Into::into);
    let mut out = Map::new();
    out.insert("sni".to_owned(), (&*context.sni).into());
    out.insert("alpn".to_owned(), context.alpn.iter().map(|alpn| Value::from(&**alpn)).collect());
    out.insert("certificate".to_owned(), text(&context.certificate));
    out.insert("root".to_owned(), text(&context.root));
    out.insert("sans".to_owned(), context.sans.iter().map(|san| Value::from(&**san)).collect());
    let params: Map<String, Value> =
        context.params.iter().map(|(key, value)| ((*key).to_owned(), (&**value).into())).collect();
    out.insert("params".to_owned(), params.into());
    if let Some(crl) = &context.crl {
        out.insert("crl".to_owned(), (&**crl).into());
    }
    if context.auto {
        out.insert("auto".to_owned(), true.into());
    }
    out.into()
}

fn http(options: &HttpOptions) -> Value {
    let protocol = match options.protocol {
        UpstreamProtocol::Http1 => "http1",
        UpstreamProtocol::Http2 => "http2",
        UpstreamProtocol::Downstream => "downstream",
        UpstreamProtocol::Alpn => "alpn",
    };
    present([
        ("protocol", Some(protocol.into())),
        ("idle_timeout_ms", options.idle_timeout_ms.map(Into::into)),
        ("max_requests_per_connection", options.max_requests_per_connection.map(Into::into)),
        ("max_connection_duration_ms", options.max_connection_duration_ms.map(Into::into)),
        ("max_concurrent_streams", options.max_concurrent_streams.map(Into::into)),
        (
            "keepalive",
            options
                .keepalive_ms
                .map(|(interval, timeout)| json!({"interval_ms": interval, "timeout_ms": timeout})),
        ),
        ("auto_sni", options.auto_sni.then(|| true.into())),
        ("auto_san_validation", options.auto_san_validation.then(|| true.into())),
    ])
}

fn retry_budget(cluster: &Cluster) -> Value {
    cluster.retry_budget.map_or(Value::Null, |budget| {
        present([
            ("budget_percent", Some(number(budget.budget_percent))),
            ("min_retry_concurrency", Some(budget.min_retry_concurrency.into())),
            ("budget_interval_ms", budget.budget_interval_ms.map(Into::into)),
        ])
    })
}

fn zone_aware(cluster: &Cluster) -> Value {
    cluster.zone_aware.map_or(Value::Null, |zone_aware| {
        present([
            ("min_cluster_size", zone_aware.min_cluster_size.map(Into::into)),
            ("routing_enabled", zone_aware.routing_enabled.map(number)),
        ])
    })
}

/// Endpoints in the order of their JSON text.
fn sorted(cluster: &Cluster, shown: impl Fn(&ClusterEndpoint) -> Value) -> Value {
    let mut endpoints: Vec<Value> = cluster.endpoints.iter().map(shown).collect();
    endpoints.sort_by_cached_key(Value::to_string);
    endpoints.into()
}

fn endpoint(endpoint: &ClusterEndpoint) -> Value {
    json!({
        "address": shown_address(&endpoint.address),
        "priority": endpoint.priority,
        "weight": endpoint.weight,
        "health": match (endpoint.draining, endpoint.healthy) {
            (true, _) => "DRAINING",
            (false, true) => "HEALTHY",
            (false, false) => "UNHEALTHY",
        },
        "tls": if endpoint.mtls { "istio" } else { "disabled" },
        "locality": &*endpoint.locality,
    })
}

fn endpoint_and_workload(endpoint: &ClusterEndpoint) -> Value {
    let mut shown = self::endpoint(endpoint);
    if let (Some(names), Some(shown)) = (endpoint.workload.as_deref(), shown.as_object_mut()) {
        let WorkloadNames { workload, namespace, service, revision, cluster } = names;
        let parts = [workload, namespace, service, revision, cluster].map(|part| &**part);
        let names = ["name", "namespace", "service", "revision", "cluster"].into_iter().zip(parts);
        let known = names.filter(|(_, part)| !part.is_empty());
        let known: Map<_, _> = known.map(|(name, part)| (name.to_owned(), part.into())).collect();
        shown.insert("workload".to_owned(), known.into());
    }
    shown
}

/// The address in the words of the decision format: IPv6 without brackets, Unix paths marked.
fn shown_address(address: &str) -> String {
    match address.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some((ip, port)) => format!("{ip}:{port}"),
        None if address.starts_with('/') || address.starts_with('@') => format!("unix:{address}"),
        None => address.to_owned(),
    }
}

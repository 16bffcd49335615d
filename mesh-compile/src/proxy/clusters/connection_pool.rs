//! Connection pools, circuit breakers, keep-alive and the protocol towards the upstream (T-270 to T-274).

use mesh_model::mesh_config::{H2UpgradePolicy as MeshUpgrade, MeshConfig};
use mesh_model::name::Protocol;
use mesh_model::origin::Origin;
use mesh_model::part::{
    ConnectionPoolSettings, H2UpgradePolicy, HttpSettings, RetryBudget, TcpKeepalive as WrittenKeepalive,
};

use super::policy::{Block, Policy};
use crate::proxy::cluster::{Cluster, RetryBudget as ClusterBudget, TcpKeepalive, UpstreamProtocol};

/// The protocol that a port's name asks for: HTTP/2 where it says so, the client's on sniffed ports of sidecars (T-199).
pub(super) fn protocol_of_port(protocol: Protocol, sidecar: bool) -> UpstreamProtocol {
    if protocol.is_http2() {
        UpstreamProtocol::Http2
    } else if protocol.is_unsupported() && sidecar {
        UpstreamProtocol::Downstream
    } else {
        UpstreamProtocol::Http1
    }
}

/// `h2UpgradePolicy`: a cluster that would speak HTTP/1.1 speaks HTTP/2 (T-270). A sniffed port of a sidecar already
/// follows its client, which an upgrade does not change.
pub(super) fn apply_h2_upgrade(
    cluster: &mut Cluster,
    policy: &Policy<'_>,
    protocol: Protocol,
    mesh: &MeshConfig,
) {
    // A configured header case pins HTTP/1.1.
    let pinned = preserves_header_case(mesh) && (protocol.is_http() || protocol.is_unsupported());
    let Some(origin) = upgrade(policy, protocol, mesh) else { return };
    if cluster.http.protocol == UpstreamProtocol::Http1 && !pinned {
        cluster.http.protocol = UpstreamProtocol::Http2;
        cluster.origins.insert("http.protocol", origin);
    }
}

fn preserves_header_case(mesh: &MeshConfig) -> bool {
    let headers = mesh.default_config().proxy_headers.as_ref();
    headers.and_then(|headers| headers.preserve_http1_header_case).unwrap_or(false)
}

/// Who asks for HTTP/2, if someone does.
fn upgrade(policy: &Policy<'_>, protocol: Protocol, mesh: &MeshConfig) -> Option<Origin> {
    let block = policy.connection_pool.as_ref();
    if let Some((http, block)) = block.and_then(|block| block.value.http.as_ref().map(|http| (http, block))) {
        if http.use_client_protocol {
            return None;
        }
        match http.h2_upgrade_policy {
            H2UpgradePolicy::Upgrade => return Some(block.child(&[".http.h2UpgradePolicy"])),
            H2UpgradePolicy::DoNotUpgrade => return None,
            H2UpgradePolicy::Default => {}
        }
    }
    let by_mesh = protocol.is_http() && mesh.h2_upgrade_policy() == MeshUpgrade::Upgrade;
    by_mesh.then(|| Origin::built_in("MeshConfig h2UpgradePolicy (T-463)"))
}

/// Limits, timeouts and keep-alive of `policy` over the mesh's.
pub(super) fn apply(cluster: &mut Cluster, policy: &Policy<'_>, mesh: &MeshConfig) {
    cluster.connect_timeout_ms = mesh.connect_timeout().as_millis();
    cluster.origins.insert("connect_timeout_ms", Origin::built_in("MeshConfig connectTimeout (T-460)"));
    if let Some(keepalive) = &mesh.tcp_keepalive {
        add_keepalive(cluster, keepalive, Origin::built_in("MeshConfig tcpKeepalive (T-460)"));
    }
    if let Some(budget) = &policy.retry_budget {
        apply_budget(cluster, budget);
    }
    if let Some(pool) = &policy.connection_pool {
        apply_tcp(cluster, pool);
        apply_http(cluster, pool);
    }
}

/// What is set for every connection, whatever it carries.
fn apply_tcp(cluster: &mut Cluster, pool: &Block<'_, ConnectionPoolSettings>) {
    let Some(tcp) = &pool.value.tcp else { return };
    let at = |field: &str| pool.child(&[".tcp.", field]);
    if let Some(timeout) = tcp.connect_timeout {
        cluster.connect_timeout_ms = timeout.as_millis();
        cluster.origins.insert("connect_timeout_ms", at("connectTimeout"));
    }
    if let Some(limit) = positive(tcp.max_connections) {
        cluster.limits.max_connections = Some(limit);
        cluster.origins.insert("limits.max_connections", at("maxConnections"));
    }
    if let Some(duration) = tcp.max_connection_duration {
        cluster.http.max_connection_duration_ms = Some(duration.as_millis());
        cluster.origins.insert("http.max_connection_duration_ms", at("maxConnectionDuration"));
    }
    if let Some(idle) = tcp.idle_timeout {
        cluster.http.idle_timeout_ms = Some(idle.as_millis());
        cluster.origins.insert("http.idle_timeout_ms", at("idleTimeout"));
    }
    if let Some(keepalive) = &tcp.tcp_keepalive {
        add_keepalive(cluster, keepalive, at("tcpKeepalive"));
    }
}

/// What is set for HTTP; its idle timeout wins over that of TCP.
fn apply_http(cluster: &mut Cluster, pool: &Block<'_, ConnectionPoolSettings>) {
    let Some(http) = &pool.value.http else { return };
    let at = |field: &str| pool.child(&[".http.", field]);
    if let Some(limit) = positive(http.http2_max_requests) {
        cluster.limits.max_requests = Some(limit);
        cluster.origins.insert("limits.max_requests", at("http2MaxRequests"));
    }
    if let Some(limit) = positive(http.http1_max_pending_requests) {
        cluster.limits.max_pending_requests = Some(limit);
        cluster.origins.insert("limits.max_pending_requests", at("http1MaxPendingRequests"));
    }
    if let Some(limit) = positive(http.max_retries) {
        cluster.limits.max_retries = Some(limit);
        cluster.origins.insert("limits.max_retries", at("maxRetries"));
    }
    if let Some(limit) = positive(http.max_requests_per_connection) {
        cluster.http.max_requests_per_connection = Some(limit);
        cluster.origins.insert("http.max_requests_per_connection", at("maxRequestsPerConnection"));
    }
    if let Some(idle) = http.idle_timeout {
        cluster.http.idle_timeout_ms = Some(idle.as_millis());
        cluster.origins.insert("http.idle_timeout_ms", at("idleTimeout"));
    }
    if http.use_client_protocol {
        cluster.http.protocol = UpstreamProtocol::Downstream;
        cluster.origins.insert("http.protocol", at("useClientProtocol"));
    } else if cluster.http.protocol == UpstreamProtocol::Http2 {
        apply_http2(cluster, http, at);
    }
}

/// Settings that only an HTTP/2 upstream knows.
fn apply_http2(cluster: &mut Cluster, http: &HttpSettings, at: impl Fn(&str) -> Origin) {
    if let Some(limit) = positive(http.max_concurrent_streams) {
        cluster.http.max_concurrent_streams = Some(limit);
        cluster.origins.insert("http.max_concurrent_streams", at("maxConcurrentStreams"));
    }
    if let Some(ping) = &http.http2_keep_alive {
        let millis = |duration: Option<mesh_model::value::Duration>| {
            duration.map_or(0, mesh_model::value::Duration::as_millis)
        };
        cluster.http.keepalive_ms = Some((millis(ping.interval), millis(ping.timeout)));
        cluster.origins.insert("http.keepalive", at("http2KeepAlive"));
    }
}

/// Attribute by attribute over what is set already (T-270).
fn add_keepalive(cluster: &mut Cluster, written: &WrittenKeepalive, origin: Origin) {
    let seconds = |duration: mesh_model::value::Duration| {
        u32::try_from(duration.as_millis() / 1000).unwrap_or(u32::MAX)
    };
    let below = cluster.tcp_keepalive.unwrap_or_default();
    cluster.tcp_keepalive = Some(TcpKeepalive {
        probes: Some(written.probes).filter(|probes| *probes > 0).or(below.probes),
        time: written.time.map(seconds).or(below.time),
        interval: written.interval.map(seconds).or(below.interval),
    });
    cluster.origins.insert("tcp_keepalive", origin);
}

/// T-273
fn apply_budget(cluster: &mut Cluster, budget: &Block<'_, RetryBudget>) {
    let written = budget.value;
    cluster.retry_budget = Some(ClusterBudget {
        budget_percent: written.percent.unwrap_or(20.0),
        min_retry_concurrency: if written.min_retry_concurrency > 0 {
            written.min_retry_concurrency
        } else {
            3
        },
        budget_interval_ms: written.budget_interval.map(mesh_model::value::Duration::as_millis),
    });
    cluster.origins.insert("retry_budget", budget.origin());
}

/// Whole numbers at or below zero count as unset (T-270).
fn positive(number: i32) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| *number > 0)
}

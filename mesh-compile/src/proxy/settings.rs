//! Settings of the mesh and of one proxy that shape its HTTP connection managers.

use std::sync::Arc;

use mesh_model::mesh_config::{InterceptionMode, PathNormalizationType};
use mesh_model::value::Duration;

use super::listener::{Direction, PathNormalization};
use super::proxy_headers::ProxyHeaders;
use crate::view::View;

/// Prefix of proxy metadata where it is written as an environment variable.
const ENVIRONMENT: &str = "ISTIO_META_";

/// A value of the proxy's metadata: its own, else `proxyMetadata` of its settings.
pub(crate) fn metadata<'v>(view: &'v View<'_>, name: &str) -> Option<&'v str> {
    let own = &view.proxy().metadata;
    let long = format!("{ENVIRONMENT}{name}");
    let settings = &view.proxy_config().proxy_metadata;
    [own.get(name), own.get(&long), settings.get(&long)].into_iter().flatten().next().map(String::as_str)
}

/// Whether traffic is redirected to the proxy; otherwise clients and the application name it as theirs (T-376).
pub(crate) fn captures(view: &View<'_>) -> bool {
    match metadata(view, "INTERCEPTION_MODE").filter(|mode| !mode.is_empty()) {
        Some(mode) => mode != "NONE",
        None => view.proxy_config().interception_mode() != InterceptionMode::None,
    }
}

/// Whether the proxy may not listen on ports below 1024.
pub(crate) fn is_unprivileged(view: &View<'_>) -> bool {
    metadata(view, "UNPRIVILEGED_POD") == Some("true")
}

/// Whether HTTP/1.0 is served (T-564).
pub(crate) fn http10(view: &View<'_>) -> bool {
    metadata(view, "HTTP10") == Some("1")
}

/// How paths are normalised (T-453).
pub(crate) fn path_normalization(view: &View<'_>) -> PathNormalization {
    match view.mesh().path_normalization() {
        PathNormalizationType::None => PathNormalization::None,
        PathNormalizationType::Default | PathNormalizationType::Base => PathNormalization::Base,
        PathNormalizationType::MergeSlashes => PathNormalization::MergeSlashes,
        PathNormalizationType::DecodeAndMergeSlashes => PathNormalization::DecodeAndMergeSlashes,
    }
}

/// Trusted hops of X-Forwarded-For (T-440).
pub(crate) fn trusted_hops(view: &View<'_>) -> u32 {
    view.proxy_config().num_trusted_proxies()
}

/// How often names of clusters are looked up, where that is not once a minute (T-461).
pub(crate) fn dns_refresh_ms(view: &View<'_>) -> Option<i64> {
    const MINUTE: Duration = Duration::from_secs(60);
    Some(view.mesh().dns_refresh_rate()).filter(|rate| *rate != MINUTE).map(Duration::as_millis)
}

/// Headers that the proxy itself adds, takes off or passes on (T-473).
pub(crate) fn headers(view: &View<'_>, direction: Direction) -> Arc<ProxyHeaders> {
    Arc::new(ProxyHeaders::of(direction, view.proxy_config()))
}

/// Proxy metadata that names ports of the proxy's own listeners for health and metrics (T-494).
const STATIC_PORTS: [&str; 4] = [
    "ENVOY_STATUS_PORT",
    "ENVOY_PROMETHEUS_PORT",
    "ENVOY_SECURE_METRICS_PORT",
    "ENVOY_SECURE_MERGED_METRICS_PORT",
];

/// Whether a port is one of the proxy's own listeners for health and metrics (T-494).
pub(crate) fn is_static_port(view: &View<'_>, port: u32) -> bool {
    static_ports(view).any(|own| own == port)
}

/// The ports of the proxy's own listeners for health and metrics (T-494).
pub(crate) fn static_ports(view: &View<'_>) -> impl Iterator<Item = u32> {
    STATIC_PORTS.iter().filter_map(|name| metadata(view, name)?.parse().ok())
}

/// Whether a port is one that captured traffic comes in on (T-494).
pub(crate) fn is_capture_port(view: &View<'_>, port: u32) -> bool {
    let mesh = view.mesh();
    [mesh.proxy_listen_port(), mesh.proxy_inbound_listen_port()]
        .iter()
        .any(|own| u32::try_from(*own) == Ok(port))
}

/// The idle timeout of TCP that the proxy's metadata asks for, in milliseconds (T-272).
pub(crate) fn idle_timeout_ms(view: &View<'_>) -> Option<i64> {
    metadata(view, "IDLE_TIMEOUT")?.parse::<Duration>().ok().map(Duration::as_millis)
}

//! What every part of the client side needs to know of the proxy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mesh_model::mesh_config::{InterceptionMode, PathNormalizationType};
use mesh_model::name::Protocol;
use mesh_model::value::Duration;

use crate::proxy::listener::{HttpManager, PathNormalization};
use crate::view::{OutboundPolicy, View};

/// Proxy metadata that names ports of the proxy's own listeners for health and metrics (T-494).
const STATIC_PORTS: [&str; 4] = [
    "ENVOY_STATUS_PORT",
    "ENVOY_PROMETHEUS_PORT",
    "ENVOY_SECURE_METRICS_PORT",
    "ENVOY_SECURE_MERGED_METRICS_PORT",
];

/// The proxy whose client side is compiled.
pub(super) struct Client<'v, 's> {
    pub(super) view: &'v View<'s>,
    /// How unknown traffic is treated.
    pub(super) policy: OutboundPolicy,
    /// Any address, in the proxy's family.
    pub(super) wildcard: IpAddr,
    /// The loopback address, in the proxy's family.
    pub(super) localhost: IpAddr,
    /// Traffic is redirected to the proxy; otherwise listeners bind real ports and there is no virtual one (T-376).
    pub(super) captures: bool,
    /// HTTP/1.0 is served (T-564). Sniffing never counts it as HTTP (E-050).
    http10: bool,
    unprivileged: bool,
}

impl<'v, 's> Client<'v, 's> {
    pub(super) fn of(view: &'v View<'s>) -> Self {
        let proxy = view.proxy();
        let is_v6 = proxy.ip.is_some_and(|ip| ip.is_ipv6());
        let metadata = |key: &str| proxy.metadata.get(key).map(String::as_str);
        let mode = metadata("INTERCEPTION_MODE").unwrap_or_else(|| {
            match view.mesh().default_config().interception_mode() {
                InterceptionMode::None => "NONE",
                _ => "REDIRECT",
            }
        });
        Self {
            view,
            policy: view.outbound_policy(),
            wildcard: if is_v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() },
            localhost: if is_v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() },
            captures: mode != "NONE",
            http10: metadata("HTTP10").or_else(|| metadata("ISTIO_META_HTTP10")) == Some("1"),
            unprivileged: metadata("UNPRIVILEGED_POD") == Some("true"),
        }
    }

    /// HTTP on a connection that the sidecar's own application opened: no policies, addresses as they are.
    pub(super) fn http_manager(&self, table: &str) -> HttpManager {
        HttpManager {
            route_table: table.into(),
            authn: None,
            authz: None,
            normalization: match self.view.mesh().path_normalization() {
                PathNormalizationType::None => PathNormalization::None,
                PathNormalizationType::Default | PathNormalizationType::Base => PathNormalization::Base,
                PathNormalizationType::MergeSlashes => PathNormalization::MergeSlashes,
                PathNormalizationType::DecodeAndMergeSlashes => PathNormalization::DecodeAndMergeSlashes,
            },
            http10: self.http10,
            use_remote_address: false,
            trusted_hops: 0,
            network_authz: None,
        }
    }

    /// The idle timeout of TCP that the proxy's metadata asks for.
    pub(super) fn idle_timeout_ms(&self) -> Option<i64> {
        let text = self.view.proxy().metadata.get("IDLE_TIMEOUT")?;
        text.parse::<Duration>().ok().map(Duration::as_millis)
    }

    /// Whether a listener may stand there beside the proxy's own (T-494). `bind` is empty where none is asked for.
    pub(super) fn can_bind(&self, binds_port: bool, bind: &str, port: u32, protocol: Protocol) -> bool {
        if binds_port && self.unprivileged && (1..1024).contains(&port) {
            return false;
        }
        let is_wildcard =
            if bind.is_empty() { protocol.is_http() } else { bind == self.wildcard.to_string() };
        !(is_wildcard && self.is_reserved(port))
    }

    fn is_reserved(&self, port: u32) -> bool {
        let mesh = self.view.mesh();
        let metadata = &self.view.proxy().metadata;
        let is_static = |key: &&str| metadata.get(*key).is_some_and(|own| own.parse() == Ok(port));
        let capture = [mesh.proxy_listen_port(), mesh.proxy_inbound_listen_port()];
        STATIC_PORTS.iter().any(is_static) || capture.iter().any(|own| u32::try_from(*own) == Ok(port))
    }
}

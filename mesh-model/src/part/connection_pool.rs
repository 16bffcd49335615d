//! `ConnectionPoolSettings`: how much a client may open towards a service (T-270..T-274).

use serde::{Deserialize, Serialize};

use super::is_default;
use super::proto_enum::proto_enum;
use crate::value::Duration;

/// Limits and timeouts of the connections to a service; whole numbers ≤ 0 count as unset (T-270).
/// API: networking.istio.io/v1 `ConnectionPoolSettings`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ConnectionPoolSettings {
    /// For every connection, whatever it carries.
    #[serde(skip_serializing_if = "is_default")]
    pub tcp: Option<Box<TcpSettings>>,
    /// For connections that carry HTTP.
    #[serde(skip_serializing_if = "is_default")]
    pub http: Option<Box<HttpSettings>>,
}

/// The limits below HTTP. API: networking.istio.io/v1 `ConnectionPoolSettings.TCPSettings` (T-270, T-272).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TcpSettings {
    /// Connections per cluster and proxy process; unset: 2³²−1.
    #[serde(skip_serializing_if = "is_default")]
    pub max_connections: i32,
    /// Time to establish a connection; unset: the mesh's `connectTimeout`, 10 s as delivered.
    #[serde(skip_serializing_if = "is_default")]
    pub connect_timeout: Option<Duration>,
    /// Keep-alive probes; laid over the mesh's, attribute by attribute.
    #[serde(skip_serializing_if = "is_default")]
    pub tcp_keepalive: Option<Box<TcpKeepalive>>,
    /// How long a connection may live; unset: for ever.
    #[serde(skip_serializing_if = "is_default")]
    pub max_connection_duration: Option<Duration>,
    /// How long a connection may carry nothing; for HTTP only where `http.idleTimeout` is unset.
    #[serde(skip_serializing_if = "is_default")]
    pub idle_timeout: Option<Duration>,
}

/// `SO_KEEPALIVE` and its three knobs.
/// API: networking.istio.io/v1 `ConnectionPoolSettings.TCPSettings.TcpKeepalive` (T-270).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TcpKeepalive {
    /// Unanswered probes before the connection counts as dead; unset: the operating system's.
    #[serde(skip_serializing_if = "is_default")]
    pub probes: u32,
    /// Idle time before the first probe; unset: the operating system's.
    #[serde(skip_serializing_if = "is_default")]
    pub time: Option<Duration>,
    /// Time between two probes; unset: the operating system's.
    #[serde(skip_serializing_if = "is_default")]
    pub interval: Option<Duration>,
}

/// The limits of HTTP. API: networking.istio.io/v1 `ConnectionPoolSettings.HTTPSettings` (T-270, T-271).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpSettings {
    /// Requests that wait for a connection, in HTTP/2 as well; unset: 2³²−1.
    #[serde(skip_serializing_if = "is_default")]
    pub http1_max_pending_requests: i32,
    /// Requests under way, in HTTP/1.1 as well; unset: 2³²−1.
    #[serde(skip_serializing_if = "is_default")]
    pub http2_max_requests: i32,
    /// Requests per connection, 1: no keep-alive; unset: no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub max_requests_per_connection: i32,
    /// Retries under way in the whole cluster; unset: 2³²−1 (T-273).
    #[serde(skip_serializing_if = "is_default")]
    pub max_retries: i32,
    /// How long a connection may be without a request; unset: one hour, `0s`: never closed.
    #[serde(skip_serializing_if = "is_default")]
    pub idle_timeout: Option<Duration>,
    /// Whether HTTP/1.1 requests travel as HTTP/2.
    #[serde(skip_serializing_if = "is_default")]
    pub h2_upgrade_policy: H2UpgradePolicy,
    /// Whether the upstream speaks what the client speaks; cancels the upgrade.
    #[serde(skip_serializing_if = "is_default")]
    pub use_client_protocol: bool,
    /// Streams at once on one HTTP/2 connection; unset: the data plane's default.
    #[serde(skip_serializing_if = "is_default")]
    pub max_concurrent_streams: i32,
    /// HTTP/2 pings; unset: none.
    #[serde(skip_serializing_if = "is_default")]
    pub http2_keep_alive: Option<Box<ConnectionKeepalive>>,
}

/// HTTP/2 pings. API: networking.istio.io/v1 `ConnectionPoolSettings.HTTPSettings.ConnectionKeepalive` (T-270).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ConnectionKeepalive {
    /// Time between two pings.
    #[serde(skip_serializing_if = "is_default")]
    pub interval: Option<Duration>,
    /// Time to wait for the answer.
    #[serde(skip_serializing_if = "is_default")]
    pub timeout: Option<Duration>,
}

proto_enum! {
    /// Whether HTTP/1.1 requests travel as HTTP/2.
    /// API: networking.istio.io/v1 `ConnectionPoolSettings.HTTPSettings.H2UpgradePolicy` (T-270).
    pub enum H2UpgradePolicy {
        /// As the mesh's `h2UpgradePolicy` says, and only on ports named HTTP.
        Default = "DEFAULT" = 0,
        /// Never.
        DoNotUpgrade = "DO_NOT_UPGRADE" = 1,
        /// Always, on sniffed and TCP-named ports too.
        Upgrade = "UPGRADE" = 2,
    }
}

//! `LoadBalancerSettings`: which endpoint takes the next request (T-245..T-251).

use serde::{Deserialize, Serialize};

use super::proto_enum::proto_enum;
use super::{LocalityLoadBalancerSetting, ZoneAwareLoadBalancerSetting, is_default};
use crate::value::Duration;

/// How an endpoint is chosen; at most one of `simple`, `consistentHash`, `backendUtilization`.
/// API: networking.istio.io/v1 `LoadBalancerSettings` (T-245..T-250).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LoadBalancerSettings {
    /// A policy without parameters; unset: `LEAST_REQUEST` (T-245).
    #[serde(skip_serializing_if = "is_default")]
    pub simple: Option<SimpleLb>,
    /// The same key goes to the same endpoint (T-246).
    #[serde(skip_serializing_if = "is_default")]
    pub consistent_hash: Option<Box<ConsistentHashLb>>,
    /// Weights that follow the load that endpoints report.
    #[serde(skip_serializing_if = "is_default")]
    pub backend_utilization: Option<Box<BackendUtilization>>,
    /// Preference for near endpoints; replaces the mesh's (T-255).
    #[serde(skip_serializing_if = "is_default")]
    pub locality_lb_setting: Option<Box<LocalityLoadBalancerSetting>>,
    /// Preference for the own zone; goes before `localityLbSetting` (T-255).
    #[serde(skip_serializing_if = "is_default")]
    pub zone_aware_lb_setting: Option<Box<ZoneAwareLoadBalancerSetting>>,
    /// Deprecated length of the slow start; used only without `warmup` (T-250).
    #[serde(skip_serializing_if = "is_default")]
    pub warmup_duration_secs: Option<Duration>,
    /// Slow start of new endpoints (T-250).
    #[serde(skip_serializing_if = "is_default")]
    pub warmup: Option<Box<WarmupConfiguration>>,
}

proto_enum! {
    /// A policy without parameters. API: networking.istio.io/v1 `LoadBalancerSettings.SimpleLB` (T-245).
    pub enum SimpleLb {
        /// Left to Istio, which takes `LEAST_REQUEST` (T-245).
        Unspecified = "UNSPECIFIED" = 0,
        /// Deprecated name of `LEAST_REQUEST`.
        LeastConn = "LEAST_CONN" = 1,
        /// Any healthy endpoint.
        Random = "RANDOM" = 2,
        /// The address the client asked for.
        Passthrough = "PASSTHROUGH" = 3,
        /// One after the other.
        RoundRobin = "ROUND_ROBIN" = 4,
        /// The less busy of two drawn at random.
        LeastRequest = "LEAST_REQUEST" = 5,
    }
}

/// The key, at most one of `httpHeaderName`, `httpCookie`, `useSourceIp`, `httpQueryParameterName`, and the
/// algorithm, at most one of `ringHash`, `maglev` (T-246, T-247).
/// API: networking.istio.io/v1 `LoadBalancerSettings.ConsistentHashLB`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ConsistentHashLb {
    /// The key is this request header.
    #[serde(skip_serializing_if = "is_default")]
    pub http_header_name: Option<String>,
    /// The key is a cookie.
    #[serde(skip_serializing_if = "is_default")]
    pub http_cookie: Option<HttpCookie>,
    /// The key is the client's address.
    #[serde(skip_serializing_if = "is_default")]
    pub use_source_ip: Option<bool>,
    /// The key is this query parameter.
    #[serde(skip_serializing_if = "is_default")]
    pub http_query_parameter_name: Option<String>,
    /// A ring; the default algorithm.
    #[serde(skip_serializing_if = "is_default")]
    pub ring_hash: Option<RingHash>,
    /// Maglev's table.
    #[serde(skip_serializing_if = "is_default")]
    pub maglev: Option<MagLev>,
    /// Deprecated place of `ringHash.minimumRingSize`.
    #[serde(skip_serializing_if = "is_default")]
    pub minimum_ring_size: u64,
}

/// A cookie as the key; where `ttl` is written, a missing cookie is created.
/// API: networking.istio.io/v1 `LoadBalancerSettings.ConsistentHashLB.HTTPCookie` (T-247).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpCookie {
    /// The cookie's name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// The cookie's path.
    #[serde(skip_serializing_if = "is_default")]
    pub path: String,
    /// The cookie's life; `0s`: a session cookie.
    #[serde(skip_serializing_if = "is_default")]
    pub ttl: Option<Duration>,
    /// More attributes of a created cookie.
    #[serde(skip_serializing_if = "is_default")]
    pub attributes: Vec<HttpCookieAttribute>,
}

/// An attribute of a created cookie, such as `SameSite`.
/// API: networking.istio.io/v1 `LoadBalancerSettings.ConsistentHashLB.HTTPCookie.Attribute`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpCookieAttribute {
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Its value; empty for attributes without one.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// Ring hashing. API: networking.istio.io/v1 `LoadBalancerSettings.ConsistentHashLB.RingHash`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RingHash {
    /// Fewest points on the ring; 0: the data plane's 1024 (T-246).
    #[serde(skip_serializing_if = "is_default")]
    pub minimum_ring_size: u64,
}

/// Maglev hashing. API: networking.istio.io/v1 `LoadBalancerSettings.ConsistentHashLB.MagLev`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MagLev {
    /// Size of the table, a prime; 0: the data plane's 65537 (T-246).
    #[serde(skip_serializing_if = "is_default")]
    pub table_size: u64,
}

/// Weights from the utilisation that endpoints report with their answers.
/// API: networking.istio.io/v1 `LoadBalancerSettings.backendUtilization`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BackendUtilization {
    /// How much an error rate adds to the utilisation, in percent.
    #[serde(skip_serializing_if = "is_default")]
    pub error_utilization_penalty_percent: u32,
    /// Metrics that stand for the utilisation where the application reports none.
    #[serde(skip_serializing_if = "is_default")]
    pub metric_names_for_computing_utilization: Vec<String>,
    /// Age at which a report no longer counts.
    #[serde(skip_serializing_if = "is_default")]
    pub weight_expiration_period: Option<Duration>,
    /// How long an endpoint must have reported before its weight counts.
    #[serde(skip_serializing_if = "is_default")]
    pub weight_stabilization_period: Option<Duration>,
    /// Time between two computations of the weights.
    #[serde(skip_serializing_if = "is_default")]
    pub weight_update_period: Option<Duration>,
}

/// Slow start: a new endpoint's weight grows to its full size. API: networking.istio.io/v1 `WarmupConfiguration`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct WarmupConfiguration {
    /// How long it grows (T-250).
    #[serde(skip_serializing_if = "is_default")]
    pub duration: Option<Duration>,
    /// Its first weight in percent; unset: 10 (T-250).
    #[serde(skip_serializing_if = "is_default")]
    pub minimum_percent: Option<f64>,
    /// The bend of the curve; unset: 1, a straight line (T-250).
    #[serde(skip_serializing_if = "is_default")]
    pub aggression: Option<f64>,
}

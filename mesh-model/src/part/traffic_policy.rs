//! `TrafficPolicy`: how clients treat a service, or one subset of it (T-232..T-237).

use serde::{Deserialize, Serialize};

use super::proto_enum::proto_enum;
use super::{
    ClientTlsSettings, ConnectionPoolSettings, LoadBalancerSettings, OutlierDetection, PortSelector,
    is_default,
};
use crate::value::Duration;

/// The blocks are inherited whole or not at all (T-236). API: networking.istio.io/v1 `TrafficPolicy`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TrafficPolicy {
    /// Which endpoint takes the next request.
    #[serde(skip_serializing_if = "is_default")]
    pub load_balancer: Option<Box<LoadBalancerSettings>>,
    /// How much may be opened.
    #[serde(skip_serializing_if = "is_default")]
    pub connection_pool: Option<Box<ConnectionPoolSettings>>,
    /// Which endpoints are left out.
    #[serde(skip_serializing_if = "is_default")]
    pub outlier_detection: Option<Box<OutlierDetection>>,
    /// TLS to the service; unset: auto mTLS (T-284).
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Option<Box<ClientTlsSettings>>,
    /// Policies of single ports, which inherit nothing of the first four blocks (T-232).
    #[serde(skip_serializing_if = "is_default")]
    pub port_level_settings: Vec<PortTrafficPolicy>,
    /// TCP through an HTTP proxy (T-290).
    #[serde(skip_serializing_if = "is_default")]
    pub tunnel: Option<Box<TunnelSettings>>,
    /// A PROXY protocol header in front of every connection (T-288).
    #[serde(skip_serializing_if = "is_default")]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Retries under way as a share of requests under way (T-273).
    #[serde(skip_serializing_if = "is_default")]
    pub retry_budget: Option<Box<RetryBudget>>,
}

/// The policy of one port. API: networking.istio.io/v1 `TrafficPolicy.PortTrafficPolicy` (T-232).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PortTrafficPolicy {
    /// The service's port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: Option<PortSelector>,
    /// Which endpoint takes the next request.
    #[serde(skip_serializing_if = "is_default")]
    pub load_balancer: Option<Box<LoadBalancerSettings>>,
    /// How much may be opened.
    #[serde(skip_serializing_if = "is_default")]
    pub connection_pool: Option<Box<ConnectionPoolSettings>>,
    /// Which endpoints are left out.
    #[serde(skip_serializing_if = "is_default")]
    pub outlier_detection: Option<Box<OutlierDetection>>,
    /// TLS to the port; unset: auto mTLS (T-284).
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Option<Box<ClientTlsSettings>>,
}

/// TCP through an HTTP proxy, which is the service itself (T-290).
/// API: networking.istio.io/v1 `TrafficPolicy.TunnelSettings`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TunnelSettings {
    /// `CONNECT` or `POST`; empty: `CONNECT`.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: String,
    /// The host behind the proxy.
    #[serde(skip_serializing_if = "is_default")]
    pub target_host: String,
    /// The port behind the proxy.
    #[serde(skip_serializing_if = "is_default")]
    pub target_port: u32,
}

/// The PROXY protocol (T-288). API: networking.istio.io/v1 `TrafficPolicy.ProxyProtocol`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProxyProtocol {
    /// Its version.
    #[serde(skip_serializing_if = "is_default")]
    pub version: ProxyProtocolVersion,
}

proto_enum! {
    /// A version of the PROXY protocol. API: networking.istio.io/v1 `TrafficPolicy.ProxyProtocol.VERSION` (T-288).
    pub enum ProxyProtocolVersion {
        /// The textual one.
        V1 = "V1" = 0,
        /// The binary one.
        V2 = "V2" = 1,
    }
}

/// The limit of retries under way; replaces `maxRetries` (T-273).
/// API: networking.istio.io/v1 `TrafficPolicy.RetryBudget`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RetryBudget {
    /// Share of the requests under way, in percent; unset: 20.
    #[serde(skip_serializing_if = "is_default")]
    pub percent: Option<f64>,
    /// Time over which requests are counted as under way; unset: the present moment only.
    #[serde(skip_serializing_if = "is_default")]
    pub budget_interval: Option<Duration>,
    /// Retries always allowed; 0: the data plane's 3.
    #[serde(skip_serializing_if = "is_default")]
    pub min_retry_concurrency: u32,
}

//! `ProxyConfig` of the mesh (`defaultConfig`, the `proxy.istio.io/config` annotation), as it is written.
//!
//! Scalars are `Option`s for the same reason as in [`MeshConfig`](super::MeshConfig). Not to be confused with the
//! `ProxyConfig` resource of `networking.istio.io`, which can set three of these fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::connection_settings::ConnectionSettings;
use super::proxy_headers::{ForwardClientCertDetails, ProxyHeaders};
use super::tracing::Tracing;
use crate::diagnostic::Report;
use crate::object::{Body, Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{ClientTlsSettings, ReadinessProbe, TcpKeepalive, is_default};
use crate::value::Duration;

/// Settings of a proxy. API: mesh/v1alpha1 `ProxyConfig`; defaults of T-472, layers of T-470.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProxyConfig {
    /// Directory of the proxy's files; `./etc/istio/proxy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_path: Option<String>,
    /// Envoy's binary; `/usr/local/bin/envoy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_path: Option<String>,
    /// Name of the proxy's own service; `istio-proxy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_cluster: Option<String>,
    /// How spans name the service; excludes `serviceCluster`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing_service_name: Option<TracingServiceName>,
    /// Time for connections to end on a hot restart or listener change; 45 s (T-472).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_duration: Option<Duration>,
    /// Address of the control plane; `istiod.istio-system.svc:15012`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_address: Option<String>,
    /// No longer used; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_refresh_delay: Option<Duration>,
    /// Zipkin's address; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zipkin_address: Option<String>,
    /// Address that gets statsd metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statsd_udp_address: Option<String>,
    /// Address of a metrics service; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_metrics_service_address: Option<String>,
    /// Port of Envoy's admin interface on the loopback; 15000 (T-472).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_admin_port: Option<i32>,
    /// No longer used; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// How the control plane is spoken to; `MUTUAL_TLS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane_auth_policy: Option<AuthenticationPolicy>,
    /// Envoy bootstrap that replaces the generated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_config_file: Option<String>,
    /// Longest metric name; 189.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stat_name_length: Option<i32>,
    /// Worker threads; unset: by CPU limit, 0: all cores (T-472).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<i32>,
    /// Template of the bootstrap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_bootstrap_template_path: Option<String>,
    /// How inbound traffic is captured; `REDIRECT` (T-472).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interception_mode: Option<InterceptionMode>,
    /// Tracing (T-466).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
    /// No longer used; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sds: Option<Sds>,
    /// Service that gets access logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_access_log_service: Option<RemoteService>,
    /// Service that gets metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_metrics_service: Option<RemoteService>,
    /// Environment of the agent and metadata of the proxy; merged key by key (T-470).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub proxy_metadata: BTreeMap<String, String>,
    /// Envoy's runtime flags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runtime_values: BTreeMap<String, String>,
    /// Port of health checks and merged metrics; 15020 (T-472).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_port: Option<i32>,
    /// Further tags of Istio's metrics; deprecated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_stat_tags: Vec<String>,
    /// What stands before a gateway (T-440).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_topology: Option<Topology>,
    /// Time for connections to end when the pod ends; 5 s (T-573).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_drain_duration: Option<Duration>,
    /// Identifier of the mesh; empty: the trust domain (T-472).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mesh_id: Option<String>,
    /// Health check of a VM's application, as in a WorkloadGroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<ReadinessProbe>,
    /// Metrics that are kept besides the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_stats_matcher: Option<ProxyStatsMatcher>,
    /// Whether containers wait for the proxy; false (T-572).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_application_until_proxy_starts: Option<bool>,
    /// Further roots of trust in PEM.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ca_certificates_pem: Vec<String>,
    /// Image of the proxy (T-470).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ProxyImage>,
    /// Hardware that does the handshakes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key_provider: Option<PrivateKeyProvider>,
    /// Headers that the proxy adds (T-473).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_headers: Option<ProxyHeaders>,
    /// How often log files are flushed; unset: 10 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_flush_interval: Option<Duration>,
    /// Kibibytes that are flushed at once; unset: 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_flush_min_size_kb: Option<u32>,
    /// Whether scraped metrics may be compressed; unset: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats_compression: Option<bool>,
    /// Limits and strictness of connections (T-442).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_settings: Option<ConnectionSettings>,
}

impl Kind for ProxyConfig {
    const KIND: &'static str = "ProxyConfig";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1alpha1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::proxy_config(object, report);
    }
}

proto_enum! {
    /// How spans name the service. API: mesh/v1alpha1 `ProxyConfig.TracingServiceName`.
    pub enum TracingServiceName {
        /// `app` label and namespace.
        AppLabelAndNamespace = "APP_LABEL_AND_NAMESPACE" = 0,
        /// Canonical name.
        CanonicalNameOnly = "CANONICAL_NAME_ONLY" = 1,
        /// Canonical name and namespace.
        CanonicalNameAndNamespace = "CANONICAL_NAME_AND_NAMESPACE" = 2,
    }
}

proto_enum! {
    /// How the control plane is spoken to. API: mesh/v1alpha1 `AuthenticationPolicy`.
    pub enum AuthenticationPolicy {
        /// In plaintext.
        None = "NONE" = 0,
        /// Over mutual TLS.
        MutualTls = "MUTUAL_TLS" = 1,
        /// As its parent says.
        Inherit = "INHERIT" = 1000,
    }
}

proto_enum! {
    /// How inbound traffic is captured. API: mesh/v1alpha1 `ProxyConfig.InboundInterceptionMode` (T-472).
    pub enum InterceptionMode {
        /// By NAT: the application sees the proxy as its peer.
        Redirect = "REDIRECT" = 0,
        /// By TPROXY: the peer's address is kept.
        Tproxy = "TPROXY" = 1,
        /// Not at all.
        None = "NONE" = 2,
    }
}

/// No longer used; deprecated. API: mesh/v1alpha1 `SDS`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Sds {
    /// No longer used.
    #[serde(skip_serializing_if = "is_default")]
    pub enabled: bool,
    /// No longer used.
    #[serde(skip_serializing_if = "is_default")]
    pub k8s_sa_jwt_path: String,
}

/// A service that the proxy reports to. API: mesh/v1alpha1 `RemoteService`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RemoteService {
    /// `HOST:PORT`.
    #[serde(skip_serializing_if = "is_default")]
    pub address: String,
    /// TLS towards it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_settings: Option<ClientTlsSettings>,
    /// TCP keep-alive towards it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_keepalive: Option<TcpKeepalive>,
}

/// What stands before a gateway (T-440). API: mesh/v1alpha1 `Topology`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Topology {
    /// Trusted hops in front, counted in `X-Forwarded-For` from the right; 0 (S-219).
    #[serde(skip_serializing_if = "is_default")]
    pub num_trusted_proxies: u32,
    /// What is done with `x-forwarded-client-cert`; unset: `SANITIZE_SET` at gateways (S-350).
    #[serde(skip_serializing_if = "is_default")]
    pub forward_client_cert_details: ForwardClientCertDetails,
    /// Set: every connection to a gateway begins with a PROXY protocol header (S-222).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<ProxyProtocolConfiguration>,
}

/// PROXY protocol; it has no settings. API: mesh/v1alpha1 `Topology.ProxyProtocolConfiguration` (S-222).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProxyProtocolConfiguration {}

/// Metrics that are kept besides the usual ones. API: mesh/v1alpha1 `ProxyConfig.ProxyStatsMatcher`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProxyStatsMatcher {
    /// By prefix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inclusion_prefixes: Vec<String>,
    /// By suffix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inclusion_suffixes: Vec<String>,
    /// By regular expression.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inclusion_regexps: Vec<String>,
}

/// Image of the proxy. API: networking.istio.io/v1beta1 `ProxyImage`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProxyImage {
    /// `default`, `debug` or `distroless`.
    #[serde(skip_serializing_if = "is_default")]
    pub image_type: String,
}

/// Hardware that does the handshakes; one of the two. API: mesh/v1alpha1 `PrivateKeyProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PrivateKeyProvider {
    /// CPU instructions for many keys at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cryptomb: Option<KeyAccelerator>,
    /// QuickAssist cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qat: Option<KeyAccelerator>,
}

/// Settings of an accelerator. API: mesh/v1alpha1 `PrivateKeyProvider.CryptoMb` and `PrivateKeyProvider.QAT`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct KeyAccelerator {
    /// How long operations are gathered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_delay: Option<Duration>,
    /// Whether the usual way is taken where the hardware is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<bool>,
}

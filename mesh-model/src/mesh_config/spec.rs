//! `MeshConfig` as it is written.
//!
//! Scalars are `Option`s although protobuf has no presence for them: overlaying needs to tell "not written" from
//! "written as zero" (T-471). `MeshConfig::default()` therefore has nothing written.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::layers::MeshLayers;
use super::provider::ExtensionProvider;
use super::proxy_config::ProxyConfig;
use super::settings::{
    AccessLogEncoding, CertificateAuthority, CertificateData, ConfigSource, DefaultProviders,
    DefaultTrafficPolicy, DnsCertificate, H2UpgradePolicy, InboundTrafficPolicy, IngressControllerMode,
    OutboundTrafficPolicy, PathNormalization, ServiceEntryVisibility, ServiceScopeConfig, ServiceSettings,
    TlsConfig,
};
use crate::diagnostic::Report;
use crate::object::{Body, Kind, Object};
use crate::origin::Provenance;
use crate::part::{
    HttpRetry, LabelSelector, LocalityLoadBalancerSetting, TcpKeepalive, ZoneAwareLoadBalancerSetting,
};
use crate::value::Duration;

/// Settings of the whole mesh, one document without `apiVersion` and `kind`.
/// API: mesh/v1alpha1 `MeshConfig`; defaults of T-450 to T-469.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MeshConfig {
    /// Port of captured outbound traffic; 15001 (T-468).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_listen_port: Option<i32>,
    /// Port of captured inbound traffic; 15006 (T-468).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_inbound_listen_port: Option<i32>,
    /// Port of an explicit HTTP proxy; 0: none (T-468).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_http_port: Option<i32>,
    /// Time to connect to an upstream; 10 s (T-460).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Duration>,
    /// Idle time after which an HBONE connection is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hbone_idle_timeout: Option<Duration>,
    /// Time to wait for bytes that show the protocol; 0 s: without end (T-462).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_detection_timeout: Option<Duration>,
    /// TCP keep-alive towards upstreams; unset: the system's (T-460).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// Class of the Ingress objects that are served; `istio` (T-469).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_class: Option<String>,
    /// Service whose address Ingress objects report; `istio-ingressgateway`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_service: Option<String>,
    /// Which Ingress objects are served; `STRICT` (T-469).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_controller_mode: Option<IngressControllerMode>,
    /// `istio` label of the gateway pods that serve Ingress; `ingressgateway` (T-469).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_selector: Option<String>,
    /// Whether spans are made where a provider exists; true (T-466).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_tracing: Option<bool>,
    /// File that gets the access log; empty: no log (T-465).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_file: Option<String>,
    /// Format of a line; empty: the built-in one (T-465).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_format: Option<String>,
    /// Text or JSON lines; text (T-465).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_encoding: Option<AccessLogEncoding>,
    /// Whether records go to `defaultConfig.envoyAccessLogService`; false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_envoy_access_log_service: Option<bool>,
    /// Whether connections that no filter chain takes go unlogged; false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_envoy_listener_log: Option<bool>,
    /// Settings of every proxy, overlaid on the built-in ones (T-470).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_config: Option<ProxyConfig>,
    /// What happens to traffic for unknown hosts (T-451).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
    /// Where traffic for unknown ports goes (T-452).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound_traffic_policy: Option<InboundTrafficPolicy>,
    /// Where configuration is read from; empty: the Kubernetes API.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config_sources: Vec<ConfigSource>,
    /// Whether clients use mutual TLS towards endpoints that can; true (T-457).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_auto_mtls: Option<bool>,
    /// Trust domain of the mesh's identities; `cluster.local` (T-458).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// Trust domains that count as the mesh's own (T-458).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust_domain_aliases: Vec<String>,
    /// Further roots of trust.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ca_certificates: Vec<CertificateData>,
    /// `exportTo` of services that have none; `["*"]` (T-454).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_service_export_to: Option<Vec<String>>,
    /// `exportTo` of virtual services that have none; `["*"]` (T-454).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_virtual_service_export_to: Option<Vec<String>>,
    /// `exportTo` of destination rules that have none; `["*"]` (T-454).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_destination_rule_export_to: Option<Vec<String>>,
    /// Namespace whose policies apply to the mesh; `istio-system` (T-450).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_namespace: Option<String>,
    /// Locality load balancing; `enabled: true` (T-459).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality_lb_setting: Option<LocalityLoadBalancerSetting>,
    /// Zone aware load balancing; unset: off (T-459).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_aware_lb_setting: Option<ZoneAwareLoadBalancerSetting>,
    /// Pause after a failed DNS look-up; 60 s (T-461).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_refresh_rate: Option<Duration>,
    /// Whether HTTP/1.1 is sent upstream as HTTP/2; no (T-463).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub h2_upgrade_policy: Option<H2UpgradePolicy>,
    /// Name pattern of inbound clusters in metrics; empty: the cluster name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound_cluster_stat_name: Option<String>,
    /// Name pattern of outbound clusters in metrics; empty: the cluster name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound_cluster_stat_name: Option<String>,
    /// Certificates that the control plane once signed; deprecated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<DnsCertificate>,
    /// Settings of single services (T-464).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_settings: Vec<ServiceSettings>,
    /// Scope of services in ambient meshes (T-464).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_scope_configs: Vec<ServiceScopeConfig>,
    /// Whether the agent merges the application's metrics with the proxy's; true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_prometheus_merge: Option<bool>,
    /// Whether clients check server names by default; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_certificate_at_client: Option<bool>,
    /// An outside certificate authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<CertificateAuthority>,
    /// Named services for authorization, tracing, metrics and logs; merged by name (T-467).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extension_providers: Vec<ExtensionProvider>,
    /// Providers used where no Telemetry names one (T-467).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_providers: Option<DefaultProviders>,
    /// Namespaces that the control plane watches; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub discovery_selectors: Vec<LabelSelector>,
    /// How request paths are normalised before any match (T-453).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_normalization: Option<PathNormalization>,
    /// Replaces the built-in retry policy (T-455).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_http_retry_policy: Option<HttpRetry>,
    /// Retries of sidecars towards their own workload; unset or without attempts: none (T-169).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_inbound_http_retry_policy: Option<HttpRetry>,
    /// TLS parameters inside the mesh.
    #[serde(rename = "meshMTLS", skip_serializing_if = "Option::is_none")]
    pub mesh_mtls: Option<TlsConfig>,
    /// TLS parameters at gateways and for outside hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_defaults: Option<TlsConfig>,
    /// Traffic settings under every DestinationRule (T-456).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_traffic_policy: Option<DefaultTrafficPolicy>,
    /// How far service entries reach by default (T-330).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_entry_visibility: Option<ServiceEntryVisibility>,
    /// The documents that this was read from: no setting, never written.
    /// Ours: a setting can be traced to the document it was written in.
    #[serde(skip)]
    pub layers: MeshLayers,
}

impl Kind for MeshConfig {
    const KIND: &'static str = "MeshConfig";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1alpha1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::mesh_config(object, report);
    }

    fn placed(self, provenance: &Arc<Provenance>) -> Self {
        self.read_from(provenance)
    }
}

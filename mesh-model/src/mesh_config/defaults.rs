//! What holds where nothing is written.

use std::sync::LazyLock;

use super::{
    AccessLogEncoding, AuthenticationPolicy, DefaultProviders, ExtensionProvider, FileAccessLogProvider,
    InboundTrafficPolicy, IngressControllerMode, MeshConfig, OutboundMode, OutboundTrafficPolicy,
    PrometheusProvider, ProxyConfig, StackdriverProvider,
};
use crate::part::LocalityLoadBalancerSetting;
use crate::value::Duration;

/// Istio's defaults, for accessors that hand out references.
pub(super) static DEFAULTS: LazyLock<MeshConfig> = LazyLock::new(MeshConfig::with_defaults);
/// Istio's proxy defaults, for accessors that hand out references.
pub(super) static PROXY_DEFAULTS: LazyLock<ProxyConfig> = LazyLock::new(ProxyConfig::with_defaults);

impl MeshConfig {
    /// Istio's defaults (T-450 to T-469), the document that a user's is put over.
    pub fn with_defaults() -> Self {
        let everywhere = || Some(vec!["*".to_owned()]);
        Self {
            enable_tracing: Some(true),
            access_log_file: Some(String::new()),
            access_log_encoding: Some(AccessLogEncoding::Text),
            access_log_format: Some(String::new()),
            enable_envoy_access_log_service: Some(false),
            protocol_detection_timeout: Some(Duration::ZERO),
            ingress_service: Some("istio-ingressgateway".to_owned()),
            ingress_controller_mode: Some(IngressControllerMode::Strict),
            ingress_class: Some("istio".to_owned()),
            trust_domain: Some("cluster.local".to_owned()),
            enable_auto_mtls: Some(true),
            // The zero value is REGISTRY_ONLY, so the mode must be named.
            outbound_traffic_policy: Some(OutboundTrafficPolicy { mode: OutboundMode::AllowAny, tls: None }),
            inbound_traffic_policy: Some(InboundTrafficPolicy::default()),
            locality_lb_setting: Some(LocalityLoadBalancerSetting {
                enabled: Some(true),
                ..LocalityLoadBalancerSetting::default()
            }),
            default_config: Some(ProxyConfig::with_defaults()),
            root_namespace: Some("istio-system".to_owned()),
            proxy_listen_port: Some(15001),
            proxy_inbound_listen_port: Some(15006),
            connect_timeout: Some(Duration::from_secs(10)),
            default_service_export_to: everywhere(),
            default_virtual_service_export_to: everywhere(),
            default_destination_rule_export_to: everywhere(),
            dns_refresh_rate: Some(Duration::from_secs(60)),
            enable_prometheus_merge: Some(true),
            default_providers: Some(DefaultProviders::default()),
            extension_providers: extension_providers(),
            ..Self::default()
        }
    }
}

impl ProxyConfig {
    /// Istio's defaults (T-472): the lowest layer of T-470.
    pub fn with_defaults() -> Self {
        Self {
            config_path: Some("./etc/istio/proxy".to_owned()),
            binary_path: Some("/usr/local/bin/envoy".to_owned()),
            service_cluster: Some("istio-proxy".to_owned()),
            drain_duration: Some(Duration::from_secs(45)),
            termination_drain_duration: Some(Duration::from_secs(5)),
            proxy_admin_port: Some(15000),
            control_plane_auth_policy: Some(AuthenticationPolicy::MutualTls),
            discovery_address: Some("istiod.istio-system.svc:15012".to_owned()),
            stat_name_length: Some(189),
            status_port: Some(15020),
            ..Self::default()
        }
    }
}

/// The three providers that are always there (T-467).
fn extension_providers() -> Vec<ExtensionProvider> {
    vec![
        ExtensionProvider {
            name: "prometheus".to_owned(),
            prometheus: Some(PrometheusProvider {}),
            ..ExtensionProvider::default()
        },
        ExtensionProvider {
            name: "stackdriver".to_owned(),
            stackdriver: Some(StackdriverProvider::default()),
            ..ExtensionProvider::default()
        },
        ExtensionProvider {
            name: "envoy".to_owned(),
            envoy_file_access_log: Some(FileAccessLogProvider {
                path: "/dev/stdout".to_owned(),
                ..FileAccessLogProvider::default()
            }),
            ..ExtensionProvider::default()
        },
    ]
}

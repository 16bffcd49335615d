//! The settings as they hold: what is written, else Istio's default.
//!
//! A value that is written as zero stays zero (`rootNamespace: ""` is no root namespace), as in Istio.

use super::defaults::{DEFAULTS, PROXY_DEFAULTS};
use super::{
    AccessLogEncoding, H2UpgradePolicy, InboundMode, IngressControllerMode, InterceptionMode, MeshConfig,
    OutboundMode, PathNormalizationType, ProxyConfig,
};
use crate::part::LocalityLoadBalancerSetting;
use crate::value::Duration;

const DEFAULT_INGRESS_SERVICE: &str = "istio-ingressgateway";

impl MeshConfig {
    /// Namespace whose policies apply to the mesh; `istio-system` (T-450).
    pub fn root_namespace(&self) -> &str {
        self.root_namespace.as_deref().unwrap_or("istio-system")
    }

    /// Trust domain of the mesh's identities; `cluster.local` (T-458).
    pub fn trust_domain(&self) -> &str {
        self.trust_domain.as_deref().unwrap_or("cluster.local")
    }

    /// What happens to traffic for unknown hosts; `ALLOW_ANY`, but `REGISTRY_ONLY` where a policy names no mode (T-451).
    pub fn outbound_mode(&self) -> OutboundMode {
        self.outbound_traffic_policy.as_ref().map_or(OutboundMode::AllowAny, |policy| policy.mode)
    }

    /// Where inbound traffic is sent; `PASSTHROUGH` (T-452).
    pub fn inbound_mode(&self) -> InboundMode {
        self.inbound_traffic_policy.as_ref().map_or(InboundMode::Passthrough, |policy| policy.mode)
    }

    /// How request paths are normalised; `DEFAULT` is read as `BASE` (T-453).
    pub fn path_normalization(&self) -> PathNormalizationType {
        match self.path_normalization.as_ref().map(|path| path.normalization) {
            None | Some(PathNormalizationType::Default) => PathNormalizationType::Base,
            Some(normalization) => normalization,
        }
    }

    /// `exportTo` of services that have none; `["*"]` (T-454).
    pub fn default_service_export_to(&self) -> &[String] {
        or_default(self, |mesh| mesh.default_service_export_to.as_deref())
    }

    /// `exportTo` of virtual services that have none; `["*"]` (T-454).
    pub fn default_virtual_service_export_to(&self) -> &[String] {
        or_default(self, |mesh| mesh.default_virtual_service_export_to.as_deref())
    }

    /// `exportTo` of destination rules that have none; `["*"]` (T-454).
    pub fn default_destination_rule_export_to(&self) -> &[String] {
        or_default(self, |mesh| mesh.default_destination_rule_export_to.as_deref())
    }

    /// Whether clients use mutual TLS towards endpoints that can; true (T-457).
    pub fn enable_auto_mtls(&self) -> bool {
        self.enable_auto_mtls.unwrap_or(true)
    }

    /// Locality load balancing; on without further settings (T-459).
    pub fn locality_lb_setting(&self) -> Option<&LocalityLoadBalancerSetting> {
        self.locality_lb_setting.as_ref().or(DEFAULTS.locality_lb_setting.as_ref())
    }

    /// Time to connect to an upstream; 10 s (T-460).
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout.unwrap_or(Duration::from_secs(10))
    }

    /// Pause after a failed DNS look-up; 60 s (T-461).
    pub fn dns_refresh_rate(&self) -> Duration {
        self.dns_refresh_rate.unwrap_or(Duration::from_secs(60))
    }

    /// Time to wait for bytes that show the protocol; zero: without end (T-462).
    pub fn protocol_detection_timeout(&self) -> Duration {
        self.protocol_detection_timeout.unwrap_or(Duration::ZERO)
    }

    /// Whether HTTP/1.1 is sent upstream as HTTP/2; no (T-463).
    pub fn h2_upgrade_policy(&self) -> H2UpgradePolicy {
        self.h2_upgrade_policy.unwrap_or_default()
    }

    /// File that gets the access log; empty: no log (T-465).
    pub fn access_log_file(&self) -> &str {
        self.access_log_file.as_deref().unwrap_or_default()
    }

    /// Format of a log line; empty: the built-in one (T-465).
    pub fn access_log_format(&self) -> &str {
        self.access_log_format.as_deref().unwrap_or_default()
    }

    /// Text or JSON lines; text (T-465).
    pub fn access_log_encoding(&self) -> AccessLogEncoding {
        self.access_log_encoding.unwrap_or_default()
    }

    /// Whether spans are made where a provider exists; true (T-466).
    pub fn enable_tracing(&self) -> bool {
        self.enable_tracing.unwrap_or(true)
    }

    /// Port of captured outbound traffic; 15001 (T-468).
    pub fn proxy_listen_port(&self) -> i32 {
        self.proxy_listen_port.unwrap_or(15001)
    }

    /// Port of captured inbound traffic; 15006 (T-468).
    pub fn proxy_inbound_listen_port(&self) -> i32 {
        self.proxy_inbound_listen_port.unwrap_or(15006)
    }

    /// Port of an explicit HTTP proxy; `None` where there is none (T-468).
    pub fn proxy_http_port(&self) -> Option<i32> {
        self.proxy_http_port.filter(|port| *port > 0)
    }

    /// Class of the Ingress objects that are served; `istio` (T-469).
    pub fn ingress_class(&self) -> &str {
        self.ingress_class.as_deref().unwrap_or("istio")
    }

    /// Which Ingress objects are served; `STRICT` (T-469).
    pub fn ingress_controller_mode(&self) -> IngressControllerMode {
        self.ingress_controller_mode.unwrap_or(IngressControllerMode::Strict)
    }

    /// Service whose address Ingress objects report; `istio-ingressgateway`.
    pub fn ingress_service(&self) -> &str {
        self.ingress_service.as_deref().unwrap_or(DEFAULT_INGRESS_SERVICE)
    }

    /// `istio` label of the pods that serve Ingress objects: the selector, else the service unless it is the
    /// default one, else `ingressgateway` (T-469).
    pub fn ingress_selector(&self) -> &str {
        let selector = self.ingress_selector.as_deref().unwrap_or_default();
        let service = Some(self.ingress_service()).filter(|service| *service != DEFAULT_INGRESS_SERVICE);
        [Some(selector), service]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty())
            .unwrap_or("ingressgateway")
    }

    /// Settings of every proxy, with no layer above `defaultConfig` (T-470).
    pub fn default_config(&self) -> &ProxyConfig {
        self.default_config.as_ref().unwrap_or(&PROXY_DEFAULTS)
    }

    /// The extension provider called `name`, the first where several are (T-467).
    pub fn extension_provider(&self, name: &str) -> Option<&super::ExtensionProvider> {
        self.extension_providers.iter().find(|provider| provider.name == name)
    }
}

impl ProxyConfig {
    /// Address of the control plane; `istiod.istio-system.svc:15012`.
    pub fn discovery_address(&self) -> &str {
        self.discovery_address.as_deref().unwrap_or("istiod.istio-system.svc:15012")
    }

    /// Port of health checks and merged metrics; 15020 (T-472).
    pub fn status_port(&self) -> i32 {
        self.status_port.unwrap_or(15020)
    }

    /// Port of the admin interface; 15000 (T-472).
    pub fn proxy_admin_port(&self) -> i32 {
        self.proxy_admin_port.unwrap_or(15000)
    }

    /// Time for connections to end when a listener changes; 45 s (T-472).
    pub fn drain_duration(&self) -> Duration {
        self.drain_duration.unwrap_or(Duration::from_secs(45))
    }

    /// Time for connections to end when the pod ends; 5 s (T-573).
    pub fn termination_drain_duration(&self) -> Duration {
        self.termination_drain_duration.unwrap_or(Duration::from_secs(5))
    }

    /// How inbound traffic is captured; `REDIRECT` (T-472).
    pub fn interception_mode(&self) -> InterceptionMode {
        self.interception_mode.unwrap_or_default()
    }

    /// Whether containers wait for the proxy; false (T-572).
    pub fn hold_application_until_proxy_starts(&self) -> bool {
        self.hold_application_until_proxy_starts.unwrap_or(false)
    }

    /// Trusted hops before a gateway; 0 (T-440).
    pub fn num_trusted_proxies(&self) -> u32 {
        self.gateway_topology.as_ref().map_or(0, |topology| topology.num_trusted_proxies)
    }

    /// Whether connections to a gateway begin with a PROXY protocol header.
    pub fn proxy_protocol(&self) -> bool {
        self.gateway_topology.as_ref().is_some_and(|topology| topology.proxy_protocol.is_some())
    }
}

/// What `field` finds in `mesh`, else in the defaults.
fn or_default<'a, T: ?Sized>(mesh: &'a MeshConfig, field: fn(&'a MeshConfig) -> Option<&'a T>) -> &'a T
where
    &'a T: Default,
{
    field(mesh).or_else(|| field(&DEFAULTS)).unwrap_or_default()
}

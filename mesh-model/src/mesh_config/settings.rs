//! The smaller messages of `MeshConfig`.

use serde::{Deserialize, Serialize};

use crate::part::proto_enum::proto_enum;
use crate::part::{ClientTlsSettings, ConnectionPoolSettings, LabelSelector, OutlierDetection, is_default};
use crate::value::Duration;

/// Traffic for hosts that the registry does not know (T-451). API: mesh/v1alpha1 `MeshConfig.OutboundTrafficPolicy`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct OutboundTrafficPolicy {
    /// What happens to it; written without a mode it is `REGISTRY_ONLY`.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: OutboundMode,
    /// TLS towards unknown hosts; only for `ALLOW_ANY_DYNAMIC_DNS` (T-451, T-485).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ClientTlsSettings>,
}

proto_enum! {
    /// What happens to traffic for unknown hosts (T-480, T-485).
    /// API: mesh/v1alpha1 `MeshConfig.OutboundTrafficPolicy.Mode`.
    pub enum OutboundMode {
        /// It is refused.
        RegistryOnly = "REGISTRY_ONLY" = 0,
        /// It goes where it was going.
        AllowAny = "ALLOW_ANY" = 1,
        /// Its host is looked up in DNS by the proxy.
        AllowAnyDynamicDns = "ALLOW_ANY_DYNAMIC_DNS" = 3,
    }
}

/// Inbound traffic (T-452). API: mesh/v1alpha1 `MeshConfig.InboundTrafficPolicy`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct InboundTrafficPolicy {
    /// Where it is sent.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: InboundMode,
}

proto_enum! {
    /// Where inbound traffic is sent (T-452). API: mesh/v1alpha1 `MeshConfig.InboundTrafficPolicy.Mode`.
    pub enum InboundMode {
        /// To the address it came for.
        Passthrough = "PASSTHROUGH" = 0,
        /// To 127.0.0.1.
        Localhost = "LOCALHOST" = 1,
    }
}

proto_enum! {
    /// Which Ingress objects are served (T-469). API: mesh/v1alpha1 `MeshConfig.IngressControllerMode`.
    pub enum IngressControllerMode {
        /// As `DEFAULT`.
        Unspecified = "UNSPECIFIED" = 0,
        /// None.
        Off = "OFF" = 1,
        /// Those of the class and those without a class.
        Default = "DEFAULT" = 2,
        /// Those of the class.
        Strict = "STRICT" = 3,
    }
}

proto_enum! {
    /// Encoding of access log lines (T-465). API: mesh/v1alpha1 `MeshConfig.AccessLogEncoding`.
    pub enum AccessLogEncoding {
        /// Plain text.
        Text = "TEXT" = 0,
        /// A JSON object a line.
        Json = "JSON" = 1,
    }
}

proto_enum! {
    /// Whether HTTP/1.1 is sent upstream as HTTP/2 (T-463). API: mesh/v1alpha1 `MeshConfig.H2UpgradePolicy`.
    pub enum H2UpgradePolicy {
        /// It stays HTTP/1.1.
        DoNotUpgrade = "DO_NOT_UPGRADE" = 0,
        /// It becomes HTTP/2.
        Upgrade = "UPGRADE" = 1,
    }
}

/// A place that configuration is read from. API: mesh/v1alpha1 `ConfigSource`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigSource {
    /// `fs:///PATH`, `xds://HOST:PORT` or `k8s://`.
    #[serde(skip_serializing_if = "is_default")]
    pub address: String,
    /// TLS towards it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_settings: Option<ClientTlsSettings>,
    /// What is taken from it besides Istio objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subscribed_resources: Vec<ConfigResource>,
}

proto_enum! {
    /// A kind of resource at a configuration source. API: mesh/v1alpha1 `Resource`.
    pub enum ConfigResource {
        /// Service entries only.
        ServiceRegistry = "SERVICE_REGISTRY" = 0,
    }
}

/// A root of trust; one of `pem` and `spiffeBundleUrl`. API: mesh/v1alpha1 `MeshConfig.CertificateData`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct CertificateData {
    /// Certificates in PEM; excludes `spiffeBundleUrl`.
    #[serde(skip_serializing_if = "is_default")]
    pub pem: Option<String>,
    /// URL of a SPIFFE bundle; excludes `pem`.
    #[serde(skip_serializing_if = "is_default")]
    pub spiffe_bundle_url: Option<String>,
    /// Signers in Kubernetes that it is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cert_signers: Vec<String>,
    /// Trust domains that it vouches for; empty: the mesh's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust_domains: Vec<String>,
}

/// A certificate for control plane components; deprecated. API: mesh/v1alpha1 `Certificate`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct DnsCertificate {
    /// Secret that it is kept in.
    #[serde(skip_serializing_if = "is_default")]
    pub secret_name: String,
    /// Names that it is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_names: Vec<String>,
}

/// Settings of some services. API: mesh/v1alpha1 `MeshConfig.ServiceSettings` (T-345).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceSettings {
    /// The settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<ServiceSetting>,
    /// Hosts that they are for; `*.` as a first label stands for every deeper name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

/// The settings of a service. API: mesh/v1alpha1 `MeshConfig.ServiceSettings.Settings` (T-345).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceSetting {
    /// Whether only clients of its own cluster reach it.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_local: bool,
}

/// Scope of some services in ambient meshes. API: mesh/v1alpha1 `MeshConfig.ServiceScopeConfigs` (T-464).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceScopeConfig {
    /// Namespaces that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Services that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services_selector: Option<LabelSelector>,
    /// Their scope.
    #[serde(skip_serializing_if = "is_default")]
    pub scope: ServiceScope,
}

proto_enum! {
    /// Where a service is reachable. API: mesh/v1alpha1 `MeshConfig.ServiceScopeConfigs.Scope` (T-464).
    pub enum ServiceScope {
        /// In its own cluster.
        Local = "LOCAL" = 0,
        /// In every cluster.
        Global = "GLOBAL" = 1,
    }
}

/// An outside certificate authority. API: mesh/v1alpha1 `MeshConfig.CA`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct CertificateAuthority {
    /// `HOST:PORT` of its gRPC service.
    #[serde(skip_serializing_if = "is_default")]
    pub address: String,
    /// TLS towards it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_settings: Option<ClientTlsSettings>,
    /// Time for one request; unset: 10 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_timeout: Option<Duration>,
    /// Whether istiod asks it on behalf of the proxies.
    #[serde(skip_serializing_if = "is_default")]
    pub istiod_side: bool,
}

/// Names of the providers used where no Telemetry says otherwise.
/// API: mesh/v1alpha1 `MeshConfig.DefaultProviders` (T-467).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct DefaultProviders {
    /// For spans; at most one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tracing: Vec<String>,
    /// For metrics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
    /// For access logs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access_logging: Vec<String>,
}

/// Normalisation of request paths (T-453). API: mesh/v1alpha1 `MeshConfig.ProxyPathNormalization`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PathNormalization {
    /// What is done.
    #[serde(skip_serializing_if = "is_default")]
    pub normalization: PathNormalizationType,
}

proto_enum! {
    /// What is done to request paths (T-453).
    /// API: mesh/v1alpha1 `MeshConfig.ProxyPathNormalization.NormalizationType`; vectors are S-201 to S-216.
    pub enum PathNormalizationType {
        /// As `BASE`.
        Default = "DEFAULT" = 0,
        /// Nothing.
        None = "NONE" = 1,
        /// Dot segments are removed, `\` becomes `/`.
        Base = "BASE" = 2,
        /// As `BASE`, and runs of slashes become one.
        MergeSlashes = "MERGE_SLASHES" = 3,
        /// As `MERGE_SLASHES`, after `%2F` and `%5C` are decoded.
        DecodeAndMergeSlashes = "DECODE_AND_MERGE_SLASHES" = 4,
    }
}

/// TLS parameters. API: mesh/v1alpha1 `MeshConfig.TLSConfig`; at gateways it comes before the server's own (T-435).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TlsConfig {
    /// Oldest version that is accepted.
    #[serde(skip_serializing_if = "is_default")]
    pub min_protocol_version: TlsMinimum,
    /// Accepted curves; empty: Envoy's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ecdh_curves: Vec<String>,
    /// Accepted ciphers for TLS 1.2; empty: the control plane's list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cipher_suites: Vec<String>,
}

proto_enum! {
    /// Oldest accepted TLS version. API: mesh/v1alpha1 `MeshConfig.TLSConfig.TLSProtocol` (S-040).
    pub enum TlsMinimum {
        /// TLS 1.2.
        Auto = "TLS_AUTO" = 0,
        /// TLS 1.2.
        V12 = "TLSV1_2" = 1,
        /// TLS 1.3.
        V13 = "TLSV1_3" = 2,
    }
}

/// Traffic settings under every DestinationRule (T-235, T-456). API: mesh/v1alpha1 `MeshConfig.DefaultTrafficPolicy`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct DefaultTrafficPolicy {
    /// Connection limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_pool: Option<ConnectionPoolSettings>,
    /// Ejection of failing endpoints (E-070).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
}

/// How far service entries reach by default. API: mesh/v1alpha1 `ServiceEntryVisibility` (T-330).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceEntryVisibility {
    /// Where no policy matches.
    #[serde(skip_serializing_if = "is_default")]
    pub default_visibility: Visibility,
    /// Whether sidecars obey it too, not only ambient proxies.
    #[serde(skip_serializing_if = "is_default")]
    pub apply_to_sidecars: bool,
    /// Exceptions; the first that matches counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<VisibilityPolicy>,
}

/// Visibility for some namespaces. API: mesh/v1alpha1 `ServiceEntryVisibility.Policy` (T-330).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct VisibilityPolicy {
    /// The visibility.
    #[serde(skip_serializing_if = "is_default")]
    pub visibility: Visibility,
    /// Any of these must match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matching_rules: Vec<VisibilityMatch>,
}

/// Which service entries a policy is for. API: mesh/v1alpha1 `ServiceEntryVisibility.MatchRule` (T-330).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct VisibilityMatch {
    /// Namespaces of the service entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
}

proto_enum! {
    /// Who sees a service entry. API: mesh/v1alpha1 `ServiceEntryVisibility.Visibility` (T-330).
    pub enum Visibility {
        /// As `PUBLIC`.
        Unspecified = "VISIBILITY_UNSPECIFIED" = 0,
        /// Nobody.
        None = "NONE" = 1,
        /// Its own namespace.
        Namespace = "NAMESPACE" = 2,
        /// Every namespace.
        Public = "PUBLIC" = 3,
    }
}

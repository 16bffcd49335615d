//! `BackendTLSPolicy`: TLS towards a backend.

use serde::{Deserialize, Serialize};

use super::{ObjectReference, kind};
use crate::part::is_default;

/// TLS towards backends. API: gateway.networking.k8s.io/v1 `BackendTLSPolicy`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BackendTlsPolicy {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: BackendTlsPolicySpec,
}

kind!(BackendTlsPolicy, "BackendTLSPolicy", ["v1", "v1alpha3"]);

/// `spec` of a policy. API: gateway.networking.k8s.io/v1 `BackendTLSPolicySpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BackendTlsPolicySpec {
    /// Backends, of the policy's namespace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<PolicyTarget>,
    /// Whom the proxy expects there.
    #[serde(skip_serializing_if = "is_default")]
    pub validation: BackendTlsValidation,
}

/// A backend, or one port of it. API: gateway.networking.k8s.io/v1 `LocalPolicyTargetReferenceWithSectionName`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PolicyTarget {
    /// API group; empty: the core group.
    #[serde(skip_serializing_if = "is_default")]
    pub group: String,
    /// `Service` or `ServiceEntry`.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: String,
    /// Name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// A port by name; unset: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// Whom the proxy expects. API: gateway.networking.k8s.io/v1 `BackendTLSPolicyValidation`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BackendTlsValidation {
    /// ConfigMaps with the authorities; the first counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<ObjectReference>,
    /// `System`: the system's authorities.
    #[serde(rename = "wellKnownCACertificates", skip_serializing_if = "Option::is_none")]
    pub well_known_ca_certificates: Option<String>,
    /// Server name that is sent.
    #[serde(skip_serializing_if = "is_default")]
    pub hostname: String,
    /// Names of which the certificate must have one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<SubjectAltName>,
}

/// A name in a certificate. API: gateway.networking.k8s.io/v1 `SubjectAltName`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct SubjectAltName {
    /// `Hostname` or `URI`.
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: String,
    /// For `Hostname`.
    #[serde(skip_serializing_if = "is_default")]
    pub hostname: String,
    /// For `URI`.
    #[serde(skip_serializing_if = "is_default")]
    pub uri: String,
}

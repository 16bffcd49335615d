//! Headers that a proxy adds or forwards (T-473).

use serde::{Deserialize, Serialize};

use crate::part::is_default;
use crate::part::proto_enum::proto_enum;

/// Which headers the proxy adds (T-473). API: mesh/v1alpha1 `ProxyConfig.ProxyHeaders`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProxyHeaders {
    /// What sidecars do with `x-forwarded-client-cert`; unset: `APPEND_FORWARD` (S-350).
    #[serde(skip_serializing_if = "is_default")]
    pub forwarded_client_cert: ForwardClientCertDetails,
    /// Parts of the client certificate that `x-forwarded-client-cert` gets (S-350, S-352).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_current_client_cert_details: Option<ClientCertDetails>,
    /// `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<HeaderSwitch>,
    /// `server`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerHeader>,
    /// `x-envoy-attempt-count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_count: Option<HeaderSwitch>,
    /// Envoy's `x-envoy-*` debug headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_debug_headers: Option<HeaderSwitch>,
    /// Headers with workload metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_exchange_headers: Option<MetadataExchangeHeaders>,
    /// Whether HTTP/1 header names keep their letter case; unset: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preserve_http1_header_case: Option<bool>,
    /// `x-forwarded-host`; off where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_forwarded_host: Option<HeaderOptIn>,
    /// `x-forwarded-port`; off where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_forwarded_port: Option<HeaderOptIn>,
}

proto_enum! {
    /// What is done with `x-forwarded-client-cert`. API: mesh/v1alpha1 `ForwardClientCertDetails` (S-345..S-351).
    pub enum ForwardClientCertDetails {
        /// The default of the place.
        Undefined = "UNDEFINED" = 0,
        /// It is removed.
        Sanitize = "SANITIZE" = 1,
        /// It is kept where the connection is mutual TLS.
        ForwardOnly = "FORWARD_ONLY" = 2,
        /// The client is appended where the connection is mutual TLS.
        AppendForward = "APPEND_FORWARD" = 3,
        /// It is replaced by the client where the connection is mutual TLS.
        SanitizeSet = "SANITIZE_SET" = 4,
        /// It is kept.
        AlwaysForwardOnly = "ALWAYS_FORWARD_ONLY" = 5,
    }
}

/// Parts of the client certificate.
/// API: mesh/v1alpha1 `ProxyConfig.ProxyHeaders.SetCurrentClientCertDetails` (S-350, S-352).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ClientCertDetails {
    /// Its subject; unset: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<bool>,
    /// The certificate in PEM; unset: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<bool>,
    /// The chain in PEM; unset: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<bool>,
    /// Its DNS names; unset: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<bool>,
    /// Its URI; unset: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<bool>,
}

/// Turns a header off.
/// API: mesh/v1alpha1 `ProxyConfig.ProxyHeaders.RequestId`, `ProxyConfig.ProxyHeaders.AttemptCount` and
/// `ProxyConfig.ProxyHeaders.EnvoyDebugHeaders` (T-473).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HeaderSwitch {
    /// Whether it is left out; unset: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// The `server` header. API: mesh/v1alpha1 `ProxyConfig.ProxyHeaders.Server` (T-473).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServerHeader {
    /// Whether the application's own is passed through; unset: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Its value; empty: `istio-envoy`.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// Turns a header on.
/// API: mesh/v1alpha1 `ProxyConfig.ProxyHeaders.XForwardedHost` and `ProxyConfig.ProxyHeaders.XForwardedPort`
/// (T-473).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HeaderOptIn {
    /// Whether it is sent; unset: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Headers with workload metadata. API: mesh/v1alpha1 `ProxyConfig.ProxyHeaders.MetadataExchangeHeaders` (T-473).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MetadataExchangeHeaders {
    /// When they are sent.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: MetadataExchangeMode,
}

proto_enum! {
    /// When metadata headers are sent. API: mesh/v1alpha1 `ProxyConfig.ProxyHeaders.MetadataExchangeMode` (T-473).
    pub enum MetadataExchangeMode {
        /// Always.
        Undefined = "UNDEFINED" = 0,
        /// Inside the mesh only.
        InMesh = "IN_MESH" = 1,
    }
}

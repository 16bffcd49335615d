//! What HTTP and gRPC routes do to messages.

use serde::{Deserialize, Serialize};

use super::BackendReference;
use crate::part::is_default;

/// One filter: the field that `type` names counts, whatever else is set.
/// API: gateway.networking.k8s.io/v1 `HTTPRouteFilter` and `GRPCRouteFilter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RouteFilter {
    /// `RequestHeaderModifier`, `RequestRedirect`, ...
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: String,
    /// Changes to request headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_header_modifier: Option<HeaderFilter>,
    /// Changes to response headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_header_modifier: Option<HeaderFilter>,
    /// A copy of requests for another backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_mirror: Option<HttpRequestMirrorFilter>,
    /// An answer that leads elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_redirect: Option<HttpRequestRedirectFilter>,
    /// Another host or path for the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_rewrite: Option<HttpUrlRewriteFilter>,
    /// Cross-origin requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<HttpCorsFilter>,
}

/// Changes to headers. API: gateway.networking.k8s.io/v1 `HTTPHeaderFilter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HeaderFilter {
    /// Headers that get this value; of equal names the first counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<HeaderValue>,
    /// Values that are added; of equal names the first counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<HeaderValue>,
    /// Headers that go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// A header and a value for it. API: gateway.networking.k8s.io/v1 `HTTPHeader`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HeaderValue {
    /// Name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Value (E-100).
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// A copy of requests for another backend. API: gateway.networking.k8s.io/v1 `HTTPRequestMirrorFilter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRequestMirrorFilter {
    /// Who gets the copy; neither weight nor filters count.
    #[serde(skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "super::reference::backend_object"))]
    pub backend_ref: BackendReference,
    /// Share of the requests in percent; unset: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<i32>,
    /// Share of the requests as a fraction; instead of `percent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fraction: Option<MirrorFraction>,
}

/// A share of requests. API: gateway.networking.k8s.io/v1 `Fraction`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MirrorFraction {
    /// So many...
    #[serde(skip_serializing_if = "is_default")]
    pub numerator: i32,
    /// ... of so many; 100 where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denominator: Option<i32>,
}

/// An answer that leads elsewhere. API: gateway.networking.k8s.io/v1 `HTTPRequestRedirectFilter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRequestRedirectFilter {
    /// `http` or `https`; unset: the request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// Host; unset: the request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Path; unset: the request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<HttpPathModifier>,
    /// Port; unset: that of the scheme, or the listener's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Status; 302 where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u32>,
}

/// Another host or path for the backend. API: gateway.networking.k8s.io/v1 `HTTPURLRewriteFilter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpUrlRewriteFilter {
    /// Host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<HttpPathModifier>,
}

/// A change of the path. API: gateway.networking.k8s.io/v1 `HTTPPathModifier`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpPathModifier {
    /// `ReplaceFullPath` or `ReplacePrefixMatch`.
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: String,
    /// The whole path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace_full_path: Option<String>,
    /// What stands where the matched prefix stood (E-104).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace_prefix_match: Option<String>,
}

/// Cross-origin requests. API: gateway.networking.k8s.io/v1 `HTTPCORSFilter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpCorsFilter {
    /// Origins, `*` for any text within.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_origins: Vec<String>,
    /// Whether credentials may be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_credentials: Option<bool>,
    /// Methods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_methods: Vec<String>,
    /// Request headers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_headers: Vec<String>,
    /// Response headers that scripts may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose_headers: Vec<String>,
    /// Seconds that an answer may be kept; 0: not said.
    #[serde(skip_serializing_if = "is_default")]
    pub max_age: i32,
}

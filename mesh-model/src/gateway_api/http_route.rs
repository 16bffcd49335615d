//! `HTTPRoute`.

use serde::{Deserialize, Serialize};

use super::{BackendReference, ParentReference, RouteFilter, kind};
use crate::part::is_default;

/// Routes of HTTP requests. API: gateway.networking.k8s.io/v1 `HTTPRoute`; on the mesh its precedence is E-101.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRoute {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: HttpRouteSpec,
}

kind!(HttpRoute, "HTTPRoute", ["v1", "v1beta1"]);

/// `spec` of an HTTP route. API: gateway.networking.k8s.io/v1 `HTTPRouteSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRouteSpec {
    /// What it is attached to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Hosts; empty: all of the listener. On the mesh they do not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<HttpRouteRule>,
}

/// What is done with requests that one of the matches takes. API: gateway.networking.k8s.io/v1 `HTTPRouteRule`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRouteRule {
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Any of them takes the request; empty: all requests (E-100).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<HttpRouteMatch>,
    /// What is done to messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<RouteFilter>,
    /// Where requests go (E-103).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backend_refs: Vec<BackendReference>,
    /// Time limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<HttpRouteTimeouts>,
    /// Retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<HttpRouteRetry>,
}

/// Conditions on a request; all must hold.
/// API: gateway.networking.k8s.io/v1 `HTTPRouteMatch`; the order among matches is E-100.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRouteMatch {
    /// Its path; unset: the prefix `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<HttpPathMatch>,
    /// Its headers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<NamedValueMatch>,
    /// Its query parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query_params: Vec<NamedValueMatch>,
    /// Its method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// A condition on the path. API: gateway.networking.k8s.io/v1 `HTTPPathMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpPathMatch {
    /// `PathPrefix` (also where unset), `Exact` or `RegularExpression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// `/` where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A condition on a header or query parameter.
/// API: gateway.networking.k8s.io/v1 `HTTPHeaderMatch`, `HTTPQueryParamMatch` and `GRPCHeaderMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct NamedValueMatch {
    /// `Exact` (also where unset) or `RegularExpression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// Name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Text or pattern.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// Time limits, as Go durations. API: gateway.networking.k8s.io/v1 `HTTPRouteTimeouts`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRouteTimeouts {
    /// For the whole answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// For one try at a backend (E-104).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_request: Option<String>,
}

/// Retries. API: gateway.networking.k8s.io/v1 `HTTPRouteRetry`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRouteRetry {
    /// Status codes that are retried, beside failures of the connection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<u16>,
    /// How often; 2 where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i32>,
    /// Pause before a retry, a Go duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<String>,
}

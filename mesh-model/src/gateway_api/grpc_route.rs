//! `GRPCRoute`.

use serde::{Deserialize, Serialize};

use super::{BackendReference, NamedValueMatch, ParentReference, RouteFilter, kind};
use crate::part::is_default;

/// Routes of gRPC calls. API: gateway.networking.k8s.io/v1 `GRPCRoute`; merged with HTTPRoutes (E-100).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GrpcRoute {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: GrpcRouteSpec,
}

kind!(GrpcRoute, "GRPCRoute", ["v1"]);

/// `spec` of a gRPC route. API: gateway.networking.k8s.io/v1 `GRPCRouteSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GrpcRouteSpec {
    /// What it is attached to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Hosts; empty: all of the listener. On the mesh they do not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<GrpcRouteRule>,
}

/// What is done with calls that one of the matches takes. API: gateway.networking.k8s.io/v1 `GRPCRouteRule`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GrpcRouteRule {
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Any of them takes the call; empty: all calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<GrpcRouteMatch>,
    /// What is done to messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<RouteFilter>,
    /// Where calls go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backend_refs: Vec<BackendReference>,
}

/// Conditions on a call; all must hold. API: gateway.networking.k8s.io/v1 `GRPCRouteMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GrpcRouteMatch {
    /// Its service and method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<GrpcMethodMatch>,
    /// Its metadata.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<NamedValueMatch>,
}

/// A condition on service and method; at least one of them is set.
/// API: gateway.networking.k8s.io/v1 `GRPCMethodMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GrpcMethodMatch {
    /// `Exact` (also where unset) or `RegularExpression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// `package.Service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

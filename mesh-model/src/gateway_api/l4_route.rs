//! `TLSRoute` and `TCPRoute`.

use serde::{Deserialize, Serialize};

use super::{BackendReference, ParentReference, kind};
use crate::part::is_default;

/// Routes of TLS connections by server name. API: gateway.networking.k8s.io/v1 `TLSRoute`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TlsRoute {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: TlsRouteSpec,
}

kind!(TlsRoute, "TLSRoute", ["v1", "v1alpha3", "v1alpha2"]);

/// `spec` of a TLS route. API: gateway.networking.k8s.io/v1 `TLSRouteSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TlsRouteSpec {
    /// What it is attached to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Server names; empty: all of the listener.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<L4RouteRule>,
}

/// Routes of connections. API: gateway.networking.k8s.io/v1 `TCPRoute`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TcpRoute {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: TcpRouteSpec,
}

kind!(TcpRoute, "TCPRoute", ["v1", "v1alpha2"]);

/// `spec` of a TCP route. API: gateway.networking.k8s.io/v1 `TCPRouteSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TcpRouteSpec {
    /// What it is attached to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<L4RouteRule>,
}

/// Where connections go. API: gateway.networking.k8s.io/v1 `TLSRouteRule` and `TCPRouteRule`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct L4RouteRule {
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Backends (E-103).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "super::reference::plain_backends"))]
    pub backend_refs: Vec<BackendReference>,
}

//! How objects of the Gateway API name others.

use serde::{Deserialize, Serialize};

use super::RouteFilter;
use crate::part::is_default;

/// What a route wants to be attached to. API: gateway.networking.k8s.io/v1 `ParentReference`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ParentReference {
    /// API group; unset: the Gateway API's, empty: the core group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `Gateway` where unset; `Service` and `ServiceEntry` for the mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Namespace; unset: the route's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// A listener by name; unset: every listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    /// A listener or service port by number; unset: every port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// Where a route sends traffic.
/// API: gateway.networking.k8s.io/v1 `HTTPBackendRef`, `GRPCBackendRef` and `BackendRef`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BackendReference {
    /// API group; unset and empty: the core group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `Service` where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Namespace; unset: the route's own (E-102).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Port number of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Share of the traffic, relative to the sum; 1 where unset (E-103).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// What is done to messages of this backend alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<RouteFilter>,
}

/// A Secret, ConfigMap or another object that holds certificates.
/// API: gateway.networking.k8s.io/v1 `SecretObjectReference` and `ObjectReference`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectReference {
    /// API group; unset and empty: the core group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Kind; what unset means depends on the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Namespace; unset: that of the object that refers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// Backends of connections: they have no messages, so nothing filters them.
#[cfg(feature = "schema")]
pub(super) fn plain_backends(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut backend = backend_object(generator);
    if let Some(fields) = backend.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        let weight = serde_json::json!({
            "type": ["integer", "null"], "minimum": 0, "maximum": 1_000_000,
            "description": "Share of the traffic, relative to the sum; 1 where unset.",
        });
        fields.insert("weight".to_owned(), weight);
    }
    schemars::json_schema!({"type": "array", "items": backend})
}

/// A backend without weight and filters.
#[cfg(feature = "schema")]
pub(super) fn backend_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let text =
        |description: &str| serde_json::json!({"type": ["string", "null"], "description": description});
    schemars::json_schema!({
        "type": "object",
        "properties": {
            "group": text("API group; unset and empty: the core group."),
            "kind": text("`Service` where unset."),
            "namespace": text("Namespace; unset: the route's own."),
            "name": text("Name."),
            "port": {"type": ["integer", "null"], "minimum": 0, "maximum": 65535, "description": "Port number."},
        }
    })
}

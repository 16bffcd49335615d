//! `ReferenceGrant`: who may refer to objects of its namespace.

use serde::{Deserialize, Serialize};

use super::kind;
use crate::part::is_default;

/// Permission to refer to objects of its namespace from others.
/// API: gateway.networking.k8s.io/v1 `ReferenceGrant`; where it is asked for is E-102.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ReferenceGrant {
    /// What is granted.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: ReferenceGrantSpec,
}

kind!(ReferenceGrant, "ReferenceGrant", ["v1", "v1beta1"]);

/// `spec` of a grant: each of `from` may refer to each of `to`.
/// API: gateway.networking.k8s.io/v1 `ReferenceGrantSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ReferenceGrantSpec {
    /// Who may refer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<GrantFrom>,
    /// To what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<GrantTo>,
}

/// Objects that may refer. API: gateway.networking.k8s.io/v1 `ReferenceGrantFrom`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GrantFrom {
    /// API group.
    #[serde(skip_serializing_if = "is_default")]
    pub group: String,
    /// Kind.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: String,
    /// Namespace.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
}

/// Objects that may be referred to. API: gateway.networking.k8s.io/v1 `ReferenceGrantTo`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GrantTo {
    /// API group; empty: the core group.
    #[serde(skip_serializing_if = "is_default")]
    pub group: String,
    /// Kind.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: String,
    /// Name; unset: all of the kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

//! Kubernetes `CustomResourceDefinition`: which kinds a cluster serves, without their schemas.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::object::{Body, Kind};

/// The definition of a kind. API: apiextensions.k8s.io/v1 `CustomResourceDefinition`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct CustomResourceDefinition {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: CustomResourceDefinitionSpec,
}

/// `spec` of a definition. API: apiextensions.k8s.io/v1 `CustomResourceDefinitionSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct CustomResourceDefinitionSpec {
    /// API group of the kind.
    #[serde(skip_serializing_if = "is_default")]
    pub group: String,
    /// How it is called.
    #[serde(skip_serializing_if = "is_default")]
    pub names: CustomResourceNames,
    /// Its versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<CustomResourceVersion>,
}

/// Names of a kind. API: apiextensions.k8s.io/v1 `CustomResourceDefinitionNames`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct CustomResourceNames {
    /// `HTTPRoute`.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: String,
}

/// A version of a kind. API: apiextensions.k8s.io/v1 `CustomResourceDefinitionVersion`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct CustomResourceVersion {
    /// `v1`.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Whether the API server serves it.
    #[serde(skip_serializing_if = "is_default")]
    pub served: bool,
}

impl Kind for CustomResourceDefinition {
    const KIND: &'static str = "CustomResourceDefinition";
    const GROUP: &'static str = "apiextensions.k8s.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;
}

//! Kubernetes `ServiceAccount`: what a workload's identity is made of.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::object::{Body, Kind};

/// A service account; its identity is its namespace and name, which are metadata.
/// API: core/v1 `ServiceAccount`; the identity is S-336.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Secrets with its older tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretName>,
    /// Secrets for pulling images, which Wasm modules are pulled with too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<SecretName>,
}

/// A secret of the same namespace. API: core/v1 `LocalObjectReference`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct SecretName {
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

impl Kind for ServiceAccount {
    const KIND: &'static str = "ServiceAccount";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const BODY: Body = Body::Document;
}

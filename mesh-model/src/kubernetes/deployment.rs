//! Kubernetes `Deployment`: the template of its pods.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::kubernetes::pod::PodSpec;
use crate::name::StringMap;
use crate::object::{Body, Kind};

/// A Kubernetes deployment. API: apps/v1 `Deployment`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Deployment {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: DeploymentSpec,
}

/// `spec` of a deployment. API: apps/v1 `DeploymentSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct DeploymentSpec {
    /// Which pods are its own.
    #[serde(skip_serializing_if = "is_default")]
    pub selector: PodSelector,
    /// What its pods look like.
    #[serde(skip_serializing_if = "is_default")]
    pub template: PodTemplate,
}

/// A selection of pods, as far as labels by value say. API: meta/v1 `LabelSelector.matchLabels`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PodSelector {
    /// Labels that they carry.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub match_labels: StringMap,
}

/// A template of pods. API: core/v1 `PodTemplateSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PodTemplate {
    /// Their metadata.
    #[serde(skip_serializing_if = "is_default")]
    pub metadata: TemplateMetadata,
    /// Their `spec`.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: PodSpec,
}

/// Metadata of templated pods. API: meta/v1 `ObjectMeta`, its labels and annotations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TemplateMetadata {
    /// Their labels.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub labels: StringMap,
    /// Their annotations.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub annotations: StringMap,
}

impl Kind for Deployment {
    const KIND: &'static str = "Deployment";
    const GROUP: &'static str = "apps";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const BODY: Body = Body::Document;
}

//! Kubernetes `MutatingWebhookConfiguration` and `ValidatingWebhookConfiguration`: whom the API server asks.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::object::{Body, Kind};
use crate::part::LabelSelector;

/// Webhooks that may change objects, the sidecar injector among them.
/// API: admissionregistration.k8s.io/v1 `MutatingWebhookConfiguration`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MutatingWebhookConfiguration {
    /// The webhooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Webhook>,
}

/// Webhooks that may refuse objects. API: admissionregistration.k8s.io/v1 `ValidatingWebhookConfiguration`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ValidatingWebhookConfiguration {
    /// The webhooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Webhook>,
}

/// One webhook. API: admissionregistration.k8s.io/v1 `MutatingWebhook` and `ValidatingWebhook`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Webhook {
    /// Its name, a DNS name such as `namespace.sidecar-injector.istio.io`.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Where it is.
    #[serde(skip_serializing_if = "is_default")]
    pub client_config: WebhookClientConfig,
    /// Namespaces it is asked about; unset: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Objects it is asked about; unset: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<LabelSelector>,
}

/// Where a webhook is; one of the two. API: admissionregistration.k8s.io/v1 `WebhookClientConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct WebhookClientConfig {
    /// An address outside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A service of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<WebhookService>,
}

/// The service of a webhook. API: admissionregistration.k8s.io/v1 `ServiceReference`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct WebhookService {
    /// Its namespace.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

impl Kind for MutatingWebhookConfiguration {
    const KIND: &'static str = "MutatingWebhookConfiguration";
    const GROUP: &'static str = "admissionregistration.k8s.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;
}

impl Kind for ValidatingWebhookConfiguration {
    const KIND: &'static str = "ValidatingWebhookConfiguration";
    const GROUP: &'static str = "admissionregistration.k8s.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;
}

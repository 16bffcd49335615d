//! Tracing of a proxy (T-466).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tracing_provider::TraceContext;
use crate::part::{ClientTlsSettings, is_default};

/// Where spans go and what is in them; at most one tracer. API: mesh/v1alpha1 `Tracing`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Tracing {
    /// Zipkin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zipkin: Option<TracerAddress>,
    /// Lightstep; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lightstep: Option<LightstepTracer>,
    /// Datadog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datadog: Option<TracerAddress>,
    /// Google Cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stackdriver: Option<StackdriverTracer>,
    /// An OpenCensus agent; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_census_agent: Option<OpenCensusTracer>,
    /// Tags of each span by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_tags: BTreeMap<String, CustomTag>,
    /// Longest path tag in bytes; 0: 256.
    #[serde(skip_serializing_if = "is_default")]
    pub max_path_tag_length: u32,
    /// Percent of requests that are traced; 0 counts as unset: 1 % (T-466).
    #[serde(skip_serializing_if = "is_default")]
    pub sampling: f64,
    /// TLS towards the tracer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_settings: Option<ClientTlsSettings>,
    /// Whether Istio's own tags are added; unset: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_istio_tags: Option<bool>,
}

/// A tracer by address. API: mesh/v1alpha1 `Tracing.Zipkin` and `Tracing.Datadog`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TracerAddress {
    /// `HOST:PORT`.
    #[serde(skip_serializing_if = "is_default")]
    pub address: String,
}

/// Lightstep. API: mesh/v1alpha1 `Tracing.Lightstep`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LightstepTracer {
    /// `HOST:PORT`.
    #[serde(skip_serializing_if = "is_default")]
    pub address: String,
    /// Access token.
    #[serde(skip_serializing_if = "is_default")]
    pub access_token: String,
}

/// Google Cloud. API: mesh/v1alpha1 `Tracing.Stackdriver`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct StackdriverTracer {
    /// Whether spans are printed too.
    #[serde(skip_serializing_if = "is_default")]
    pub debug: bool,
    /// Limit per span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_number_of_attributes: Option<i64>,
    /// Limit per span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_number_of_annotations: Option<i64>,
    /// Limit per span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_number_of_message_events: Option<i64>,
}

/// An OpenCensus agent. API: mesh/v1alpha1 `Tracing.OpenCensusAgent`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct OpenCensusTracer {
    /// gRPC address.
    #[serde(skip_serializing_if = "is_default")]
    pub address: String,
    /// Trace headers that are used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<TraceContext>,
}

/// Where a tag's value comes from; one of the three. API: mesh/v1alpha1 `Tracing.CustomTag`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct CustomTag {
    /// A fixed value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub literal: Option<LiteralTag>,
    /// An environment variable of the proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<NamedTag>,
    /// A request header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<NamedTag>,
}

/// A fixed value. API: mesh/v1alpha1 `Tracing.Literal`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LiteralTag {
    /// The value.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// A value by name. API: mesh/v1alpha1 `Tracing.Environment` and `Tracing.RequestHeader`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct NamedTag {
    /// Name of the variable or header.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Value where it is missing.
    #[serde(skip_serializing_if = "is_default")]
    pub default_value: String,
}

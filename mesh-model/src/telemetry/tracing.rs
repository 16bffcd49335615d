//! The part of Telemetry about spans.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::spec::{ProviderRef, WorkloadMode};
use crate::part::is_default;

/// Spans. API: telemetry.istio.io/v1 `Tracing`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Tracing {
    /// The side it is for; unset: both.
    #[serde(skip_serializing_if = "is_default")]
    pub r#match: Option<TracingSelector>,
    /// Where spans go; empty: the provider of the wider scope. Only one is supported.
    #[serde(skip_serializing_if = "is_default")]
    pub providers: Vec<ProviderRef>,
    /// Share of requests that get a span, 0 to 100; unset: as in the wider scope, 1 where none says.
    #[serde(skip_serializing_if = "is_default")]
    pub random_sampling_percentage: Option<f64>,
    /// Whether no span is reported; trace headers are passed on all the same.
    #[serde(skip_serializing_if = "is_default")]
    pub disable_span_reporting: Option<bool>,
    /// Whether trace headers are not passed on.
    #[serde(skip_serializing_if = "is_default")]
    pub disable_context_propagation: Option<bool>,
    /// More tags of each span, by the tag's name.
    #[serde(skip_serializing_if = "is_default")]
    pub custom_tags: BTreeMap<String, CustomTag>,
    /// Whether `x-request-id` decides on sampling; unset: yes.
    #[serde(skip_serializing_if = "is_default")]
    pub use_request_id_for_trace_sampling: Option<bool>,
    /// Whether Istio's own tags are added; unset: yes.
    #[serde(skip_serializing_if = "is_default")]
    pub enable_istio_tags: Option<bool>,
}

/// The side that makes spans. API: telemetry.istio.io/v1 `Tracing.TracingSelector`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TracingSelector {
    /// The side.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: WorkloadMode,
}

/// A tag of a span, from at most one source. API: telemetry.istio.io/v1 `Tracing.CustomTag`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct CustomTag {
    /// The same for every span.
    #[serde(skip_serializing_if = "is_default")]
    pub literal: Option<Literal>,
    /// From the proxy's environment.
    #[serde(skip_serializing_if = "is_default")]
    pub environment: Option<Environment>,
    /// From the request.
    #[serde(skip_serializing_if = "is_default")]
    pub header: Option<RequestHeader>,
    /// From a format string of the data plane.
    #[serde(skip_serializing_if = "is_default")]
    pub formatter: Option<Formatter>,
}

/// Where the value of a tag comes from. API: telemetry.istio.io/v1 `Tracing.CustomTag`, its oneof.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TagSource<'t> {
    /// The same for every span.
    Literal(&'t Literal),
    /// From the proxy's environment.
    Environment(&'t Environment),
    /// From the request.
    Header(&'t RequestHeader),
    /// From a format string of the data plane.
    Formatter(&'t Formatter),
}

impl CustomTag {
    /// The source that is written; the first one where validation let several pass.
    pub fn source(&self) -> Option<TagSource<'_>> {
        let Self { literal, environment, header, formatter } = self;
        let literal = literal.as_ref().map(TagSource::Literal);
        literal
            .or_else(|| environment.as_ref().map(TagSource::Environment))
            .or_else(|| header.as_ref().map(TagSource::Header))
            .or_else(|| formatter.as_ref().map(TagSource::Formatter))
    }
}

/// A fixed value. API: telemetry.istio.io/v1 `Tracing.Literal`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Literal {
    /// The value.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// A variable of the proxy's environment. API: telemetry.istio.io/v1 `Tracing.Environment`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Environment {
    /// The variable's name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// The value where the variable is not set.
    #[serde(skip_serializing_if = "is_default")]
    pub default_value: String,
}

/// A header of the request. API: telemetry.istio.io/v1 `Tracing.RequestHeader`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RequestHeader {
    /// The header's name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// The value where the request has no such header.
    #[serde(skip_serializing_if = "is_default")]
    pub default_value: String,
}

/// A format string, as in access logs. API: telemetry.istio.io/v1 `Tracing.Formatter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Formatter {
    /// The format string.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

//! Extension providers for spans.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::part::is_default;
use crate::part::proto_enum::proto_enum;
use crate::value::Duration;

/// Spans to Zipkin. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.ZipkinTracingProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ZipkinProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Longest path tag in bytes; 0: 256.
    #[serde(skip_serializing_if = "is_default")]
    pub max_tag_length: u32,
    /// Whether trace ids are cut to 64 bits.
    #[serde(skip_serializing_if = "is_default")]
    pub enable64bit_trace_id: bool,
    /// Path of the collector; empty: `/api/v2/spans`.
    #[serde(skip_serializing_if = "is_default")]
    pub path: String,
    /// Which trace headers are used.
    #[serde(skip_serializing_if = "is_default")]
    pub trace_context_option: TraceContextOption,
    /// Time for one upload; unset: 5 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Headers sent along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<ProviderHeader>,
}

proto_enum! {
    /// Which trace headers Zipkin spans use.
    /// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.ZipkinTracingProvider.TraceContextOption`.
    pub enum TraceContextOption {
        /// B3.
        UseB3 = "USE_B3" = 0,
        /// B3 first, W3C where B3 is missing; both are sent.
        UseB3WithW3cPropagation = "USE_B3_WITH_W3C_PROPAGATION" = 1,
    }
}

/// A header; its value is written or taken from the environment.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.HttpHeader`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProviderHeader {
    /// Header name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Environment variable of the control plane with the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_name: Option<String>,
}

/// Spans to Lightstep; deprecated. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.LightstepTracingProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LightstepProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Access token.
    #[serde(skip_serializing_if = "is_default")]
    pub access_token: String,
    /// Longest path tag in bytes; 0: 256.
    #[serde(skip_serializing_if = "is_default")]
    pub max_tag_length: u32,
}

/// Spans to Datadog. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.DatadogTracingProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct DatadogProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Longest path tag in bytes; 0: 256.
    #[serde(skip_serializing_if = "is_default")]
    pub max_tag_length: u32,
}

/// Telemetry to Google Cloud. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.StackdriverProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct StackdriverProvider {
    /// Whether spans are printed too; deprecated.
    #[serde(skip_serializing_if = "is_default")]
    pub debug: bool,
    /// Limit per span; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_number_of_attributes: Option<i64>,
    /// Limit per span; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_number_of_annotations: Option<i64>,
    /// Limit per span; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_number_of_message_events: Option<i64>,
    /// Longest path tag in bytes; 0: 256.
    #[serde(skip_serializing_if = "is_default")]
    pub max_tag_length: u32,
    /// Access log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<StackdriverLogging>,
}

/// Access log to Google Cloud. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.StackdriverProvider.Logging`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct StackdriverLogging {
    /// Labels of each record, as CEL expressions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Spans to an OpenCensus agent; deprecated.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.OpenCensusAgentTracingProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct OpenCensusProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Trace headers that are used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<TraceContext>,
    /// Longest path tag in bytes; 0: 256.
    #[serde(skip_serializing_if = "is_default")]
    pub max_tag_length: u32,
}

proto_enum! {
    /// A family of trace headers.
    /// API: mesh/v1alpha1 `Tracing.OpenCensusAgent.TraceContext` and
    /// `MeshConfig.ExtensionProvider.OpenCensusAgentTracingProvider.TraceContext`.
    pub enum TraceContext {
        /// None named.
        Unspecified = "UNSPECIFIED" = 0,
        /// `traceparent`.
        W3cTraceContext = "W3C_TRACE_CONTEXT" = 1,
        /// `grpc-trace-bin`.
        GrpcBin = "GRPC_BIN" = 2,
        /// `x-cloud-trace-context`.
        CloudTraceContext = "CLOUD_TRACE_CONTEXT" = 3,
        /// `x-b3-*`.
        B3 = "B3" = 4,
    }
}

/// Spans to SkyWalking. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.SkyWalkingTracingProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct SkyWalkingProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Access token.
    #[serde(skip_serializing_if = "is_default")]
    pub access_token: String,
}

/// Spans to an OpenTelemetry collector.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.OpenTelemetryTracingProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct OpenTelemetryProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Longest path tag in bytes; 0: 256.
    #[serde(skip_serializing_if = "is_default")]
    pub max_tag_length: u32,
    /// Export over HTTP; unset: gRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpExport>,
    /// Settings of the export over gRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcExport>,
    /// Where resource attributes are taken from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_detectors: Option<ResourceDetectors>,
    /// How the service is named.
    #[serde(skip_serializing_if = "is_default")]
    pub service_attribute_enrichment: ServiceAttributeEnrichment,
    /// Sampling by Dynatrace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynatrace_sampler: Option<DynatraceSampler>,
}

/// Export over HTTP. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.HttpService`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpExport {
    /// Path of the collector.
    #[serde(skip_serializing_if = "is_default")]
    pub path: String,
    /// Time for one export; unset: 3 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Headers sent along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<ProviderHeader>,
}

/// Export over gRPC. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.GrpcService`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GrpcExport {
    /// Time for one export; unset: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Metadata sent along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub initial_metadata: Vec<ProviderHeader>,
}

/// Where resource attributes are taken from. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.ResourceDetectors`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceDetectors {
    /// From `OTEL_RESOURCE_ATTRIBUTES`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentDetector>,
    /// From Dynatrace's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynatrace: Option<DynatraceDetector>,
}

/// A detector without settings.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.ResourceDetectors.EnvironmentResourceDetector`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EnvironmentDetector {}

/// A detector without settings.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.ResourceDetectors.DynatraceResourceDetector`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct DynatraceDetector {}

proto_enum! {
    /// How the service is named in resource attributes.
    /// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.ServiceAttributeEnrichment`.
    pub enum ServiceAttributeEnrichment {
        /// By Istio's canonical name and revision.
        IstioCanonical = "ISTIO_CANONICAL" = 0,
        /// By OpenTelemetry's rules for Kubernetes.
        OtelSemanticConventions = "OTEL_SEMANTIC_CONVENTIONS" = 1,
    }
}

/// Sampling by Dynatrace.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.OpenTelemetryTracingProvider.DynatraceSampler`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct DynatraceSampler {
    /// Tenant.
    #[serde(skip_serializing_if = "is_default")]
    pub tenant: String,
    /// Cluster id.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_id: i32,
    /// Wanted root spans a minute; 0: 1000.
    #[serde(skip_serializing_if = "is_default")]
    pub root_spans_per_minute: u32,
    /// Where the sampling rate is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_service: Option<DynatraceApi>,
}

/// A Dynatrace API.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.OpenTelemetryTracingProvider.DynatraceSampler.DynatraceApi`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct DynatraceApi {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Settings of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpExport>,
}

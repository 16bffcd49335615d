//! Extension providers: named outside services for authorization, tracing, metrics, logs and secrets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::tracing_provider::{
    DatadogProvider, LightstepProvider, OpenCensusProvider, OpenTelemetryProvider, SkyWalkingProvider,
    StackdriverProvider, ZipkinProvider,
};
use crate::part::is_default;
use crate::value::Duration;

/// A provider: a name and one of the other fields.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider`; merged by name (T-467).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ExtensionProvider {
    /// Name that policies use.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// External authorization over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_ext_authz_http: Option<ExtAuthzHttpProvider>,
    /// External authorization over gRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_ext_authz_grpc: Option<ExtAuthzGrpcProvider>,
    /// Spans to Zipkin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zipkin: Option<ZipkinProvider>,
    /// Spans to Lightstep; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lightstep: Option<LightstepProvider>,
    /// Spans to Datadog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datadog: Option<DatadogProvider>,
    /// Spans, metrics and logs to Google Cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stackdriver: Option<StackdriverProvider>,
    /// Spans to an OpenCensus agent; deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opencensus: Option<OpenCensusProvider>,
    /// Spans to SkyWalking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skywalking: Option<SkyWalkingProvider>,
    /// Spans to an OpenTelemetry collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opentelemetry: Option<OpenTelemetryProvider>,
    /// Metrics to be scraped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusProvider>,
    /// Access log to a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_file_access_log: Option<FileAccessLogProvider>,
    /// Access log of HTTP over gRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_http_als: Option<HttpAccessLogProvider>,
    /// Access log of TCP over gRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_tcp_als: Option<TcpAccessLogProvider>,
    /// Access log to an OpenTelemetry collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy_otel_als: Option<OpenTelemetryAccessLogProvider>,
    /// Secrets over SDS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sds: Option<SdsProvider>,
}

/// An authorizer that is asked with a copy of the request's head.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationHttpProvider` (S-109).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ExtAuthzHttpProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Time for the answer; unset: 600 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Put in front of the request's path.
    #[serde(skip_serializing_if = "is_default")]
    pub path_prefix: String,
    /// Whether requests pass while it does not answer (S-111).
    #[serde(skip_serializing_if = "is_default")]
    pub fail_open: bool,
    /// Whether the route is chosen anew after it changed headers (T-149).
    #[serde(skip_serializing_if = "is_default")]
    pub clear_route_cache: bool,
    /// HTTP status while it does not answer; empty: 403 (S-109, S-111).
    #[serde(skip_serializing_if = "is_default")]
    pub status_on_error: String,
    /// Older form of `includeRequestHeadersInCheck`; deprecated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include_headers_in_check: Vec<String>,
    /// Request headers it is shown: exact, `prefix*` or `*suffix`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include_request_headers_in_check: Vec<String>,
    /// Headers added to what it is shown.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub include_additional_headers_in_check: BTreeMap<String, String>,
    /// Body it is shown; unset: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_request_body_in_check: Option<RequestBody>,
    /// Headers of its answer that the upstream gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers_to_upstream_on_allow: Vec<String>,
    /// Headers of its refusal that the client gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers_to_downstream_on_deny: Vec<String>,
    /// Headers of its consent that the client gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers_to_downstream_on_allow: Vec<String>,
}

/// An authorizer that speaks Envoy's gRPC check.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationGrpcProvider` (S-108, S-109).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ExtAuthzGrpcProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Time for the answer; unset: 600 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether requests pass while it does not answer (S-111).
    #[serde(skip_serializing_if = "is_default")]
    pub fail_open: bool,
    /// Whether the route is chosen anew after it changed headers (T-149).
    #[serde(skip_serializing_if = "is_default")]
    pub clear_route_cache: bool,
    /// HTTP status while it does not answer; empty: 403 (S-109, S-111).
    #[serde(skip_serializing_if = "is_default")]
    pub status_on_error: String,
    /// Body it is shown; unset: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_request_body_in_check: Option<RequestBody>,
}

/// How much of the request's body an authorizer is shown.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationRequestBody`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RequestBody {
    /// At most so many bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub max_request_bytes: u32,
    /// Whether a longer body is cut; else refused with 413 (S-110).
    #[serde(skip_serializing_if = "is_default")]
    pub allow_partial_message: bool,
    /// Whether it is sent as bytes, not as text.
    #[serde(skip_serializing_if = "is_default")]
    pub pack_as_bytes: bool,
}

/// Metrics to be scraped; it has no settings.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.PrometheusMetricsProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PrometheusProvider {}

/// Access log to a file. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyFileAccessLogProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct FileAccessLogProvider {
    /// The file; empty: standard output.
    #[serde(skip_serializing_if = "is_default")]
    pub path: String,
    /// Format of a line; unset: the built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
    /// Whether empty values are left out, not printed as `-`.
    #[serde(skip_serializing_if = "is_default")]
    pub omit_empty_values: bool,
}

/// Format of a log record.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyFileAccessLogProvider.LogFormat` and
/// `MeshConfig.ExtensionProvider.EnvoyOpenTelemetryLogProvider.LogFormat`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LogFormat {
    /// A text line with `%COMMAND%`s; in a file, only without `labels`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A JSON object with `%COMMAND%`s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Map<String, Value>>,
}

/// Access log of HTTP over gRPC. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyHttpGrpcV3LogProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpAccessLogProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Name of the log; empty: `http_envoy_accesslog`.
    #[serde(skip_serializing_if = "is_default")]
    pub log_name: String,
    /// Filter state that is sent along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filter_state_objects_to_log: Vec<String>,
    /// Request headers that are sent along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_request_headers_to_log: Vec<String>,
    /// Response headers that are sent along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_response_headers_to_log: Vec<String>,
    /// Response trailers that are sent along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_response_trailers_to_log: Vec<String>,
}

/// Access log of TCP over gRPC. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyTcpGrpcV3LogProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TcpAccessLogProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Name of the log; empty: `tcp_envoy_accesslog`.
    #[serde(skip_serializing_if = "is_default")]
    pub log_name: String,
    /// Filter state that is sent along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filter_state_objects_to_log: Vec<String>,
}

/// Access log to an OpenTelemetry collector.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyOpenTelemetryLogProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct OpenTelemetryAccessLogProvider {
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Name of the log; empty: `otel_envoy_accesslog`.
    #[serde(skip_serializing_if = "is_default")]
    pub log_name: String,
    /// Format of a record: text is the body, labels are attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
}

/// Secrets over SDS. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.SDSProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct SdsProvider {
    /// Prefix of the credential names that it serves.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Host of the service, or `NAMESPACE/HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
}

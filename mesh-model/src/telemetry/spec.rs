//! Telemetry as it is written.
// Spec: istio/api telemetry/v1alpha1/telemetry.proto.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::tracing::{
    CustomTag, Environment, Formatter, Literal, RequestHeader, TagSource, Tracing, TracingSelector,
};
use crate::diagnostic::Report;
use crate::object::{Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{PolicyTargetReference, WorkloadSelector, is_default};
use crate::value::Duration;

/// Which metrics, spans and access logs are made, and by which providers. API: telemetry.istio.io/v1 `Telemetry`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Telemetry {
    /// Workloads it applies to; unset: the namespace, in the root namespace the mesh.
    #[serde(skip_serializing_if = "is_default")]
    pub selector: Option<WorkloadSelector>,
    /// The object it is attached to; the older form of `targetRefs`.
    #[serde(skip_serializing_if = "is_default")]
    pub target_ref: Option<PolicyTargetReference>,
    /// The objects it is attached to.
    #[serde(skip_serializing_if = "is_default")]
    pub target_refs: Vec<PolicyTargetReference>,
    /// Spans; only the first entry counts.
    #[serde(skip_serializing_if = "is_default")]
    pub tracing: Vec<Tracing>,
    /// Metrics.
    #[serde(skip_serializing_if = "is_default")]
    pub metrics: Vec<Metrics>,
    /// Access logs.
    #[serde(skip_serializing_if = "is_default")]
    pub access_logging: Vec<AccessLogging>,
}

impl Kind for Telemetry {
    const KIND: &'static str = "Telemetry";
    const GROUP: &'static str = "telemetry.istio.io";
    // The one kind whose storage version is not `v1`.
    const VERSIONS: &'static [&'static str] = &["v1alpha1", "v1"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

/// A provider of the mesh's `extensionProviders`, by name (T-467). API: telemetry.istio.io/v1 `ProviderRef`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProviderRef {
    /// The provider's name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

proto_enum! {
    /// The side of the traffic that a setting is for. API: telemetry.istio.io/v1 `WorkloadMode`.
    pub enum WorkloadMode {
        /// Both sides.
        ClientAndServer = "CLIENT_AND_SERVER" = 0,
        /// Requests that the workload sends; at a gateway, all.
        Client = "CLIENT" = 1,
        /// Requests that the workload receives.
        Server = "SERVER" = 2,
    }
}

/// Metrics of some providers. API: telemetry.istio.io/v1 `Metrics`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Metrics {
    /// Where they go; empty: the providers of the wider scope.
    #[serde(skip_serializing_if = "is_default")]
    pub providers: Vec<ProviderRef>,
    /// Changes of single metrics, in order: later ones win.
    #[serde(skip_serializing_if = "is_default")]
    pub overrides: Vec<MetricsOverrides>,
    /// Time between two reports of connections that stay open; unset: 5 s. At least 1 ms.
    #[serde(skip_serializing_if = "is_default")]
    pub reporting_interval: Option<Duration>,
}

/// A change of some metrics. API: telemetry.istio.io/v1 `MetricsOverrides`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MetricsOverrides {
    /// Which ones; unset: all, on both sides.
    #[serde(skip_serializing_if = "is_default")]
    pub r#match: Option<MetricSelector>,
    /// Whether they are left out; unset: as in the wider scope.
    #[serde(skip_serializing_if = "is_default")]
    pub disabled: Option<bool>,
    /// Changes of their labels, by the label's name.
    #[serde(skip_serializing_if = "is_default")]
    pub tag_overrides: BTreeMap<String, TagOverride>,
}

/// Metrics by name and side; at most one of `metric` and `customMetric`, neither: all.
/// API: telemetry.istio.io/v1 `MetricSelector`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MetricSelector {
    /// One of Istio's own.
    #[serde(skip_serializing_if = "is_default")]
    pub metric: Option<IstioMetric>,
    /// Any other, by its full name.
    #[serde(skip_serializing_if = "is_default")]
    pub custom_metric: Option<String>,
    /// The side that reports it.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: WorkloadMode,
}

proto_enum! {
    /// The metrics that Istio defines. API: telemetry.istio.io/v1 `MetricSelector.IstioMetric`.
    pub enum IstioMetric {
        /// All of them.
        AllMetrics = "ALL_METRICS" = 0,
        /// `istio_requests_total`.
        RequestCount = "REQUEST_COUNT" = 1,
        /// `istio_request_duration_milliseconds`.
        RequestDuration = "REQUEST_DURATION" = 2,
        /// `istio_request_bytes`.
        RequestSize = "REQUEST_SIZE" = 3,
        /// `istio_response_bytes`.
        ResponseSize = "RESPONSE_SIZE" = 4,
        /// `istio_tcp_connections_opened_total`.
        TcpOpenedConnections = "TCP_OPENED_CONNECTIONS" = 5,
        /// `istio_tcp_connections_closed_total`.
        TcpClosedConnections = "TCP_CLOSED_CONNECTIONS" = 6,
        /// `istio_tcp_sent_bytes_total`.
        TcpSentBytes = "TCP_SENT_BYTES" = 7,
        /// `istio_tcp_received_bytes_total`.
        TcpReceivedBytes = "TCP_RECEIVED_BYTES" = 8,
        /// `istio_request_messages_total`.
        GrpcRequestMessages = "GRPC_REQUEST_MESSAGES" = 9,
        /// `istio_response_messages_total`.
        GrpcResponseMessages = "GRPC_RESPONSE_MESSAGES" = 10,
    }
}

/// A change of one label. API: telemetry.istio.io/v1 `MetricsOverrides.TagOverride`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TagOverride {
    /// Whether the label is set or dropped.
    #[serde(skip_serializing_if = "is_default")]
    pub operation: TagOperation,
    /// A CEL expression for the label's value; only for `UPSERT`, and required there.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

proto_enum! {
    /// What is done to a label. API: telemetry.istio.io/v1 `MetricsOverrides.TagOverride.Operation`.
    pub enum TagOperation {
        /// Added, or given another value.
        Upsert = "UPSERT" = 0,
        /// Dropped.
        Remove = "REMOVE" = 1,
    }
}

/// Access logs of some providers. API: telemetry.istio.io/v1 `AccessLogging`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct AccessLogging {
    /// The side it is for; unset: both.
    #[serde(skip_serializing_if = "is_default")]
    pub r#match: Option<LogSelector>,
    /// Where the lines go; empty: the providers of the wider scope.
    #[serde(skip_serializing_if = "is_default")]
    pub providers: Vec<ProviderRef>,
    /// Whether nothing is logged; unset: as in the wider scope.
    #[serde(skip_serializing_if = "is_default")]
    pub disabled: Option<bool>,
    /// Which requests are logged; unset: all.
    #[serde(skip_serializing_if = "is_default")]
    pub filter: Option<LogFilter>,
}

/// The side that logs. API: telemetry.istio.io/v1 `AccessLogging.LogSelector`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LogSelector {
    /// The side.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: WorkloadMode,
}

/// Which requests are logged. API: telemetry.istio.io/v1 `AccessLogging.Filter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LogFilter {
    /// A CEL expression over the attributes of the request, true for those to log.
    #[serde(skip_serializing_if = "is_default")]
    pub expression: String,
}

//! What a proxy records of its traffic: access logs, metrics, spans, as data for whoever runs the proxy.
//!
//! Telemetry resources of the root namespace, of the proxy's namespace and of its workload are laid over the providers of
//! MeshConfig (T-465 to T-467); each setting keeps its origin and what it shadows. Which side counts: `server` for
//! connections that a sidecar takes in for its workload, `client` for what goes out of it and for everything at a gateway.
// Facts: Istio's pilot/pkg/model/telemetry.go, pilot/pkg/networking/core/{accesslog,tracing}.go.

mod access_logs;
mod applicable;
mod formats;
mod metrics;
pub(super) mod providers;
mod spans;
#[cfg(test)]
mod tests;

pub use access_logs::{AccessLog, AccessLogSink, GrpcLog, LogLine, SwitchedOff, Traffic};
pub use formats::{ENVOY_TEXT, ISTIO_JSON, ISTIO_TEXT};
pub use metrics::{MetricName, MetricOverride, Metrics, TagChange};
pub use providers::ProviderTarget;
pub use spans::{SpanTag, Spans};

use mesh_model::origin::Origin;
use mesh_model::resolved::Level;
use mesh_model::telemetry::spec::WorkloadMode;
use serde::Serialize;

use super::listener::Direction;
use crate::proxy_identity::ProxyKind;
use crate::view::View;

/// What a proxy records of its traffic. API: telemetry.istio.io/v1 `Telemetry`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct TelemetryConfig {
    /// Telemetry resources in force, the widest first.
    pub applied: Vec<Applied>,
    /// For connections that a sidecar takes in for its workload. A gateway has none.
    pub server: SideTelemetry,
    /// For connections that go out of a sidecar, and for everything at a gateway.
    pub client: SideTelemetry,
    /// Whether connections that no filter chain takes are logged too, with the response flag `NR`
    /// (`MeshConfig.disableEnvoyListenerLog`).
    pub listener_log: bool,
    /// Providers that are asked for and cannot be used.
    pub ignored: Vec<Ignored>,
}

impl TelemetryConfig {
    /// What holds for traffic of a listener.
    pub fn side(&self, direction: Direction) -> &SideTelemetry {
        match direction {
            Direction::Inbound => &self.server,
            Direction::Outbound | Direction::Gateway => &self.client,
        }
    }
}

/// What is recorded on one side of the traffic. API: telemetry.istio.io/v1 `WorkloadMode`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SideTelemetry {
    /// Logs, by the provider's name. Empty: nothing is logged.
    pub access_logs: Vec<AccessLog>,
    /// Logs that would be written if nobody had switched them off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs_off: Vec<SwitchedOff>,
    /// Metrics, by the provider's name. Empty: none.
    pub metrics: Vec<Metrics>,
    /// Spans; `None`: no span is made.
    pub spans: Option<Spans>,
    /// Where spans are switched off, or where a provider was named that cannot take them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spans_off: Option<Origin>,
}

/// A Telemetry resource in force. Ours: which resources had a say is part of the explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// How near it is.
    pub level: Level,
    /// The resource.
    pub origin: Origin,
}

/// A provider that is asked for and cannot be used.
/// Ours: a provider that cannot be used must not look like one that is not asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Ignored {
    /// Its name as it is written.
    pub provider: String,
    /// `access log`, `metrics`, `spans`.
    pub purpose: &'static str,
    /// Why it cannot be used.
    pub why: &'static str,
    /// Who asks for it.
    pub origin: Origin,
}

/// Puts together what the proxy of `view` records.
pub fn compile(view: &View<'_>) -> TelemetryConfig {
    let found = applicable::of(view);
    let mut ignored = Vec::new();
    let mut side = |mode| {
        let (access_logs, logs_off) = access_logs::of(view, &found, mode, &mut ignored);
        let metrics = metrics::of(view, &found, mode, &mut ignored);
        let (spans, spans_off) = spans::of(view, &found, mode, &mut ignored);
        SideTelemetry { access_logs, logs_off, metrics, spans, spans_off }
    };
    let client = side(WorkloadMode::Client);
    let server = match view.proxy().kind {
        ProxyKind::Sidecar => side(WorkloadMode::Server),
        ProxyKind::Gateway => SideTelemetry::default(),
    };
    ignored.sort();
    ignored.dedup();
    TelemetryConfig {
        applied: found.iter().map(|it| Applied { level: it.level, origin: it.object.origin("") }).collect(),
        server,
        client,
        listener_log: !view.mesh().disable_envoy_listener_log.unwrap_or(false),
        ignored,
    }
}

/// Whether a section for `written` counts on the side `wanted`; unset: on both.
fn is_for(written: Option<WorkloadMode>, wanted: WorkloadMode) -> bool {
    match written.unwrap_or_default() {
        WorkloadMode::ClientAndServer => true,
        mode => mode == wanted,
    }
}

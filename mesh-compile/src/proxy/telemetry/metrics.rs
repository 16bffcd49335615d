//! Which metrics are kept for which provider, and what is changed in them.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::mesh_config::MeshConfig;
use mesh_model::origin::Origin;
use mesh_model::resolved::{Layer, Level, Resolved};
use mesh_model::telemetry::spec::{IstioMetric, MetricSelector, TagOperation, WorkloadMode};
use mesh_model::value::Duration;
use serde::Serialize;

use super::applicable::Found;
use super::providers::{self, UNKNOWN};
use super::{Ignored, is_for};
use crate::view::View;

/// The metrics of one provider that is scraped (Prometheus; for others none are kept, as in Istio).
/// API: telemetry.istio.io/v1 `Metrics`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// The provider's name.
    pub provider: String,
    /// Whether any metric is kept: false where the last word is that all of them are left out.
    pub enabled: Resolved<bool>,
    /// Changes of single metrics, by name. What is not named is kept as Istio defines it.
    pub overrides: Vec<MetricOverride>,
    /// Time between two reports of connections that stay open; `None`: 5 s.
    pub reporting_interval: Option<Resolved<Duration>>,
}

/// The changes of one metric. API: telemetry.istio.io/v1 `MetricsOverrides`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricOverride {
    /// Which one.
    pub metric: MetricName,
    /// Whether it is left out; `None`: nobody says so, it is kept.
    pub disabled: Option<Resolved<bool>>,
    /// Changes of its labels, by the label's name.
    pub tags: BTreeMap<String, Resolved<TagChange>>,
}

impl MetricOverride {
    /// Whether the metric is left out.
    pub fn is_dropped(&self) -> bool {
        self.disabled.as_ref().is_some_and(|it| *it.value())
    }
}

/// A metric, in the order of the names that the API has for them.
/// API: telemetry.istio.io/v1 `MetricSelector.IstioMetric`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct MetricName(
    /// `REQUEST_COUNT`, ..., or the full name of any other metric.
    pub String,
);

impl MetricName {
    /// The name that it is kept under, without Istio's prefix `istio_`; any other metric as it is written.
    pub fn reported(&self) -> &str {
        match self.0.as_str() {
            "REQUEST_COUNT" => "requests_total",
            "REQUEST_DURATION" => "request_duration_milliseconds",
            "REQUEST_SIZE" => "request_bytes",
            "RESPONSE_SIZE" => "response_bytes",
            "TCP_OPENED_CONNECTIONS" => "tcp_connections_opened_total",
            "TCP_CLOSED_CONNECTIONS" => "tcp_connections_closed_total",
            "TCP_SENT_BYTES" => "tcp_sent_bytes_total",
            "TCP_RECEIVED_BYTES" => "tcp_received_bytes_total",
            "GRPC_REQUEST_MESSAGES" => "request_messages_total",
            "GRPC_RESPONSE_MESSAGES" => "response_messages_total",
            other => other,
        }
    }
}

/// What is done to a label. API: telemetry.istio.io/v1 `MetricsOverrides.TagOverride`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TagChange {
    /// It is dropped.
    Remove,
    /// It is added, or its value replaced, by that of a CEL expression.
    Set(String),
}

/// Istio's own metrics, sorted by name.
const ISTIO: [IstioMetric; 10] = [
    IstioMetric::GrpcRequestMessages,
    IstioMetric::GrpcResponseMessages,
    IstioMetric::RequestCount,
    IstioMetric::RequestDuration,
    IstioMetric::RequestSize,
    IstioMetric::ResponseSize,
    IstioMetric::TcpClosedConnections,
    IstioMetric::TcpOpenedConnections,
    IstioMetric::TcpReceivedBytes,
    IstioMetric::TcpSentBytes,
];

/// What was said of one provider.
struct Said {
    enabled: Resolved<bool>,
    overrides: BTreeMap<MetricName, MetricOverride>,
    reporting_interval: Option<Resolved<Duration>>,
}

/// The metrics of a side.
pub(super) fn of(
    view: &View<'_>,
    found: &[Found<'_>],
    mode: WorkloadMode,
    ignored: &mut Vec<Ignored>,
) -> Vec<Metrics> {
    let mesh = view.mesh();
    let mut all = Vec::new();
    for (name, Said { enabled, overrides, reporting_interval }) in said(mesh, found, mode) {
        let why = match providers::find(mesh, &name) {
            None => Some(UNKNOWN),
            Some(provider) if provider.prometheus.is_none() => Some("metrics are kept for Prometheus only"),
            Some(_) => None,
        };
        if let Some(why) = why {
            let origin = enabled.origin().clone();
            ignored.push(Ignored { provider: name, purpose: "metrics", why, origin });
            continue;
        }
        let overrides = if *enabled.value() { overrides.into_values().collect() } else { Vec::new() };
        all.push(Metrics { provider: name, enabled, overrides, reporting_interval });
    }
    all
}

/// What Telemetry resources and the default providers say, by the provider's name. The last section that names providers
/// says which ones there are; sections about others count for nothing.
fn said(mesh: &MeshConfig, found: &[Found<'_>], mode: WorkloadMode) -> BTreeMap<String, Said> {
    let defaults = mesh.default_providers.as_ref().map_or(&[][..], |it| &it.metrics);
    let is_set = |it: &MeshConfig| it.default_providers.as_ref().is_some_and(|it| !it.metrics.is_empty());
    let by_default = || Layer::new(true, Level::Mesh, mesh.origin_of("defaultProviders.metrics", is_set));
    let new = |first: Layer<bool>| Said {
        enabled: Resolved::new(first),
        overrides: BTreeMap::new(),
        reporting_interval: None,
    };
    let sections: Vec<_> = found
        .iter()
        .flat_map(|it| {
            it.object.spec.metrics.iter().enumerate().map(move |(place, section)| (it, place, section))
        })
        .collect();
    if sections.is_empty() {
        return defaults.iter().map(|name| (name.clone(), new(by_default()))).collect();
    }

    let named = sections.iter().rev().map(|(.., section)| &section.providers).find(|it| !it.is_empty());
    let in_scope: BTreeSet<&str> = match named {
        Some(providers) => providers.iter().map(|it| it.name.as_str()).collect(),
        None => defaults.iter().map(String::as_str).collect(),
    };
    let mut all: BTreeMap<String, Said> = BTreeMap::new();
    let mut parents: Vec<&str> = defaults.iter().map(String::as_str).collect();
    for (found, place, section) in sections {
        if !section.providers.is_empty() {
            parents = section.providers.iter().map(|it| it.name.as_str()).collect();
        }
        let at = |field: &str| found.object.origin(format!("spec.metrics[{place}]{field}"));
        for name in parents.iter().filter(|name| in_scope.contains(*name)) {
            let said = all.entry((*name).to_owned()).or_insert_with(|| {
                let is_default = defaults.iter().any(|it| it == name);
                new(if is_default { by_default() } else { Layer::new(true, found.level, at("")) })
            });
            if let Some(interval) = section.reporting_interval {
                let layer = Layer::new(interval, found.level, at(".reportingInterval"));
                lay(&mut said.reporting_interval, layer);
            }
            for (index, change) in section.overrides.iter().enumerate() {
                let selector = change.r#match.as_ref();
                if !is_for(selector.map(|it| it.mode), mode) {
                    continue;
                }
                let at = |field: &str| at(&format!(".overrides[{index}]{field}"));
                let is_off = is_all(selector) && change.disabled == Some(true);
                if is_off || !*said.enabled.value() {
                    said.enabled.lay(Layer::new(!is_off, found.level, at(".disabled")));
                }
                if is_off {
                    continue;
                }
                for metric in names(selector) {
                    let known = said.overrides.entry(metric.clone());
                    let known = known.or_insert_with(|| MetricOverride {
                        metric,
                        disabled: None,
                        tags: BTreeMap::new(),
                    });
                    if let Some(disabled) = change.disabled {
                        lay(&mut known.disabled, Layer::new(disabled, found.level, at(".disabled")));
                    }
                    for (tag, written) in &change.tag_overrides {
                        let value = match written.operation {
                            TagOperation::Remove => TagChange::Remove,
                            TagOperation::Upsert => TagChange::Set(written.value.clone()),
                        };
                        let layer = Layer::new(value, found.level, at(&tag_path(tag)));
                        match known.tags.get_mut(tag) {
                            Some(resolved) => resolved.lay(layer),
                            None => {
                                known.tags.insert(tag.clone(), Resolved::new(layer));
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

fn tag_path(tag: &str) -> String {
    if tag.contains(['.', '[']) {
        format!(".tagOverrides[\"{tag}\"]")
    } else {
        format!(".tagOverrides.{tag}")
    }
}

fn lay<T>(resolved: &mut Option<Resolved<T>>, layer: Layer<T>) {
    match resolved {
        Some(resolved) => resolved.lay(layer),
        None => *resolved = Some(Resolved::new(layer)),
    }
}

/// Whether a selector means every metric.
fn is_all(selector: Option<&MetricSelector>) -> bool {
    selector.is_none_or(|it| {
        it.custom_metric.is_none() && it.metric.unwrap_or_default() == IstioMetric::AllMetrics
    })
}

/// The metrics that a selector means; "all" are Istio's own.
fn names(selector: Option<&MetricSelector>) -> Vec<MetricName> {
    let name = |metric: IstioMetric| MetricName(metric.as_str().to_owned());
    match selector {
        Some(MetricSelector { custom_metric: Some(custom), .. }) => vec![MetricName(custom.clone())],
        selector => match selector.and_then(|it| it.metric).unwrap_or_default() {
            IstioMetric::AllMetrics => ISTIO.map(name).to_vec(),
            metric => vec![name(metric)],
        },
    }
}

impl Metrics {
    /// Who asks for these metrics.
    pub fn origin(&self) -> &Origin {
        self.enabled.origin()
    }
}

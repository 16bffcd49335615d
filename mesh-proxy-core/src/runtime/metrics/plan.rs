//! What a configuration makes of the metrics: which are kept, which labels are dropped, replaced and added.

use std::sync::Arc;
use std::time::Duration;

use mesh_compile::proxy::listener::Direction;
use mesh_compile::proxy::telemetry::{SideTelemetry, TagChange, TelemetryConfig};

use super::labels::ALL_LABELS;
use super::series::NAMES;
use super::sides::{UNKNOWN, bounded};
use crate::telemetry::expression::Expression;
use crate::telemetry::record::Record;

/// Between two reports of open connections, where nobody says otherwise.
const INTERVAL: Duration = Duration::from_secs(5);

/// Both sides of a proxy's traffic.
#[derive(Debug, Default)]
pub(super) struct Plan {
    of: Option<Arc<TelemetryConfig>>,
    server: Side,
    client: Side,
}

/// One side.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) is_on: bool,
    /// By the place of the metric in [`NAMES`].
    changes: [Change; NAMES.len()],
    expressions: Vec<Expression>,
    pub(super) interval: Option<Duration>,
}

/// What is changed in one metric.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) is_dropped: bool,
    pub(super) removed: Vec<String>,
    /// Standard labels with other values: name, place of the expression.
    pub(super) replaced: Vec<(String, usize)>,
    /// More labels, sorted by name.
    pub(super) added: Vec<(String, usize)>,
}

impl Default for Side {
    fn default() -> Self {
        Self { is_on: true, changes: Default::default(), expressions: Vec::new(), interval: Some(INTERVAL) }
    }
}

impl Plan {
    pub(super) fn of(config: &Arc<TelemetryConfig>) -> Self {
        let side = |side: &SideTelemetry| Side::of(side, config);
        Self { server: side(&config.server), client: side(&config.client), of: Some(Arc::clone(config)) }
    }

    /// Whether it was made of this very configuration.
    pub(super) fn is_of(&self, config: &Arc<TelemetryConfig>) -> bool {
        self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, config))
    }

    /// Whether another configuration asks for the same metrics.
    pub(super) fn counts_as(&self, config: &TelemetryConfig) -> bool {
        let Some(of) = &self.of else { return true };
        of.server.metrics == config.server.metrics && of.client.metrics == config.client.metrics
    }

    pub(super) fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Inbound => &self.server,
            Direction::Outbound | Direction::Gateway => &self.client,
        }
    }
}

impl Side {
    /// Where nobody names a provider of metrics, they are kept as Istio's own installation has it.
    fn of(written: &SideTelemetry, config: &TelemetryConfig) -> Self {
        let Some(metrics) = written.metrics.first() else {
            let is_on = !config.ignored.iter().any(|ignored| ignored.purpose == "metrics");
            return Self { is_on, ..Self::default() };
        };
        let mut side = Self { is_on: *metrics.enabled.value(), ..Self::default() };
        if let Some(interval) = &metrics.reporting_interval {
            let millis = interval.value().as_millis();
            side.interval =
                u64::try_from(millis).ok().filter(|millis| *millis > 0).map(Duration::from_millis);
        }
        let mut texts: Vec<&str> = Vec::new();
        for written in &metrics.overrides {
            let name = written.metric.reported();
            // Metrics that only an extension defines are not counted here.
            let Some(place) = NAMES.iter().position(|metric| *metric == name) else { continue };
            let mut change = Change { is_dropped: written.is_dropped(), ..Change::default() };
            for (tag, resolved) in &written.tags {
                let is_standard = ALL_LABELS.contains(&tag.as_str());
                match resolved.value() {
                    TagChange::Remove if is_standard => change.removed.push(tag.clone()),
                    TagChange::Remove => {}
                    TagChange::Set(text) => {
                        let known = texts.iter().position(|known| known == text);
                        let expression = match known {
                            Some(place) => Ok(place),
                            None => Expression::parse(text).map(|expression| {
                                side.expressions.push(expression);
                                texts.push(text);
                                texts.len() - 1
                            }),
                        };
                        match expression {
                            Ok(expression) if is_standard => change.replaced.push((tag.clone(), expression)),
                            Ok(expression) => change.added.push((tag.clone(), expression)),
                            Err(problem) => {
                                let origin = resolved.origin().to_string();
                                tracing::warn!(
                                    tag,
                                    origin,
                                    problem,
                                    "the value of a label cannot be evaluated"
                                );
                                // As Istio's proxy does: it goes on without the label.
                                if is_standard && cfg!(feature = "cel") {
                                    change.removed.push(tag.clone());
                                }
                            }
                        }
                    }
                }
            }
            if let Some(slot) = side.changes.get_mut(place) {
                *slot = change;
            }
        }
        side
    }

    /// The values of all expressions.
    pub(super) fn values(&self, record: &Record) -> Vec<String> {
        let value = |it: &Expression| {
            it.text(record).map_or_else(|| UNKNOWN.to_owned(), |text| bounded(&text).to_owned())
        };
        self.expressions.iter().map(value).collect()
    }

    /// What is changed in a metric, by its place in [`NAMES`].
    pub(super) fn change(&self, place: usize) -> Option<&Change> {
        self.changes.get(place)
    }
}

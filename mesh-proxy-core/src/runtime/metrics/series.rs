//! The ten metrics and their series.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{Key, Protocol};
use super::plan::Side;
use crate::telemetry::record::Record;

/// The metrics without Istio's prefix, as Telemetry resources come to name them.
pub(super) const NAMES: [&str; 10] = [
    "requests_total",
    "request_duration_milliseconds",
    "request_bytes",
    "response_bytes",
    "request_messages_total",
    "response_messages_total",
    "tcp_connections_opened_total",
    "tcp_connections_closed_total",
    "tcp_sent_bytes_total",
    "tcp_received_bytes_total",
];

/// Upper bounds of Envoy's histograms.
const BUCKETS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10000.0,
    30000.0,
    60000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// A label set that several metrics share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Labels(Arc<[(Cow<'static, str>, String)]>);

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        (&*self.0).encode(encoder)
    }
}

/// All label sets of all metrics.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) registry: Registry,
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram, Buckets>,
    request_bytes: Family<Labels, Histogram, Buckets>,
    response_bytes: Family<Labels, Histogram, Buckets>,
    request_messages: Family<Labels, Counter>,
    response_messages: Family<Labels, Counter>,
    opened: Family<Labels, Counter>,
    closed: Family<Labels, Counter>,
    sent: Family<Labels, Counter>,
    received: Family<Labels, Counter>,
}

#[derive(Debug, Clone)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

/// What records of one kind are counted in; `None`: not counted.
#[derive(Debug, Default)]
pub(super) struct Series {
    requests: Option<Counter>,
    duration: Option<Histogram>,
    request_bytes: Option<Histogram>,
    response_bytes: Option<Histogram>,
    request_messages: Option<Counter>,
    response_messages: Option<Counter>,
    opened: Option<Counter>,
    closed: Option<Counter>,
    sent: Option<Counter>,
    received: Option<Counter>,
}

impl Families {
    pub(super) fn new() -> Self {
        let mut registry = Registry::default();
        // The encoder puts `_total` behind the names of counters.
        let mut counter = |name: &str, help: &str| {
            let family = Family::<Labels, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let requests = counter("istio_requests", "Requests");
        let request_messages = counter("istio_request_messages", "Messages of gRPC from clients");
        let response_messages = counter("istio_response_messages", "Messages of gRPC to clients");
        let opened = counter("istio_tcp_connections_opened", "Connections opened");
        let closed = counter("istio_tcp_connections_closed", "Connections closed");
        let sent = counter("istio_tcp_sent_bytes", "Bytes sent to clients");
        let received = counter("istio_tcp_received_bytes", "Bytes received from clients");
        let mut histogram = |name: &str, help: &str| {
            let family = Family::<Labels, Histogram, Buckets>::new_with_constructor(Buckets);
            registry.register(name, help, family.clone());
            family
        };
        let durations = histogram("istio_request_duration_milliseconds", "Duration of requests");
        let request_bytes = histogram("istio_request_bytes", "Size of request bodies");
        let response_bytes = histogram("istio_response_bytes", "Size of response bodies");
        Self {
            requests,
            durations,
            request_bytes,
            response_bytes,
            request_messages,
            response_messages,
            opened,
            closed,
            sent,
            received,
            registry,
        }
    }

    /// Forgets all series.
    pub(super) fn clear(&self) {
        for counters in [
            &self.requests,
            &self.request_messages,
            &self.response_messages,
            &self.opened,
            &self.closed,
            &self.sent,
            &self.received,
        ] {
            counters.clear();
        }
        for histograms in [&self.durations, &self.request_bytes, &self.response_bytes] {
            histograms.clear();
        }
    }

    /// The series of a kind of record, with what a configuration changes.
    pub(super) fn series(&self, base: &[(&'static str, String)], key: &Key, side: &Side) -> Series {
        let shared = [false, true].map(|short| {
            let all = base.iter().filter(|(name, _)| !short || !is_of_the_end(name));
            Labels(all.map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect())
        });
        let labels = |name: &str| {
            let place = NAMES.iter().position(|metric| *metric == name)?;
            let [long, short] = &shared;
            let unchanged = if name.contains("_messages_") { short } else { long };
            let change = side.change(place)?;
            if change.is_dropped {
                return None;
            }
            if change.removed.is_empty() && change.replaced.is_empty() && change.added.is_empty() {
                return Some(unchanged.clone());
            }
            let value = |expression: usize| key.value(expression).unwrap_or_default().to_owned();
            let mut labels = Vec::new();
            for (name, written) in unchanged.0.iter() {
                if change.removed.iter().any(|removed| removed == name) {
                    continue;
                }
                let replaced = change.replaced.iter().find(|(replaced, _)| replaced == name);
                labels.push((name.clone(), replaced.map_or_else(|| written.clone(), |(_, at)| value(*at))));
            }
            labels.extend(change.added.iter().map(|(name, at)| (Cow::Owned(name.clone()), value(*at))));
            Some(Labels(labels.into()))
        };
        self.with_labels(key.protocol, labels)
    }

    /// The one series of all that is too much.
    pub(super) fn overflow(&self, key: &Key) -> Arc<Series> {
        let labels = Labels([(Cow::Borrowed("reporter"), "overflow".to_owned())].into());
        Arc::new(self.with_labels(key.protocol, |_| Some(labels.clone())))
    }

    fn with_labels(&self, protocol: Protocol, labels: impl Fn(&str) -> Option<Labels>) -> Series {
        let counter = |family: &Family<Labels, Counter>, name| {
            labels(name).map(|labels| family.get_or_create_owned(&labels))
        };
        let histogram = |family: &Family<Labels, Histogram, Buckets>, name| {
            labels(name).map(|labels| family.get_or_create_owned(&labels))
        };
        if protocol == Protocol::Tcp {
            return Series {
                opened: counter(&self.opened, "tcp_connections_opened_total"),
                closed: counter(&self.closed, "tcp_connections_closed_total"),
                sent: counter(&self.sent, "tcp_sent_bytes_total"),
                received: counter(&self.received, "tcp_received_bytes_total"),
                ..Series::default()
            };
        }
        let mut series = Series {
            requests: counter(&self.requests, "requests_total"),
            duration: histogram(&self.durations, "request_duration_milliseconds"),
            request_bytes: histogram(&self.request_bytes, "request_bytes"),
            response_bytes: histogram(&self.response_bytes, "response_bytes"),
            ..Series::default()
        };
        if protocol == Protocol::Grpc {
            series.request_messages = counter(&self.request_messages, "request_messages_total");
            series.response_messages = counter(&self.response_messages, "response_messages_total");
        }
        series
    }
}

/// Labels of the end of a request, which counts of messages do not have: they are told of before it.
fn is_of_the_end(name: &str) -> bool {
    matches!(
        name,
        "request_protocol"
            | "response_code"
            | "grpc_response_status"
            | "response_flags"
            | "connection_security_policy"
    )
}

impl Series {
    /// Counts a record. `told`: bytes from and to the client that were told of while the connection was open, which is
    /// then not counted as opened once more.
    pub(super) fn finished(&self, record: &Record, told: Option<(u64, u64)>) {
        count(&self.requests, 1);
        count(&self.request_messages, record.messages_received);
        count(&self.response_messages, record.messages_sent);
        observe(&self.duration, record.duration.as_secs_f64() * 1000.0);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let sizes = (record.bytes_received as f64, record.bytes_sent as f64);
        observe(&self.request_bytes, sizes.0);
        observe(&self.response_bytes, sizes.1);
        if told.is_none() {
            self.opened();
        }
        count(&self.closed, 1);
        let (received, sent) = told.unwrap_or_default();
        self.passed(record.bytes_received.saturating_sub(received), record.bytes_sent.saturating_sub(sent));
    }

    /// A connection that is told of for the first time.
    pub(super) fn opened(&self) {
        count(&self.opened, 1);
    }

    /// Bytes of an open connection.
    pub(super) fn passed(&self, received: u64, sent: u64) {
        count(&self.received, received);
        count(&self.sent, sent);
    }
}

fn count(counter: &Option<Counter>, by: u64) {
    if let Some(counter) = counter {
        counter.inc_by(by);
    }
}

fn observe(histogram: &Option<Histogram>, value: f64) {
    if let Some(histogram) = histogram {
        histogram.observe(value);
    }
}

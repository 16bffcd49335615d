//! The ten metrics and their series.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::counts::{Counter, Histogram};
use super::labels::{Key, Protocol};
use super::plan::Side;
use super::text;
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

/// All series of one metric, by their labels as text.
#[derive(Debug)]
pub(super) struct Family<M> {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    series: Mutex<BTreeMap<Arc<str>, Arc<M>>>,
}

impl<M: Default> Family<M> {
    fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, series: Mutex::default() }
    }

    fn get(&self, labels: Arc<str>) -> Arc<M> {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(series.entry(labels).or_default())
    }

    /// All of them, in falling order of their labels.
    pub(super) fn series(&self) -> Vec<(Arc<str>, Arc<M>)> {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        series.iter().rev().map(|(labels, metric)| (Arc::clone(labels), Arc::clone(metric))).collect()
    }

    fn clear(&self) {
        self.series.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// All label sets of all metrics. The names are without `_total`, which is put behind those of counters.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) counters: [Family<Counter>; 7],
    pub(super) histograms: [Family<Histogram>; 3],
}

/// What records of one kind are counted in; `None`: not counted.
#[derive(Debug, Default)]
pub(super) struct Series {
    requests: Option<Arc<Counter>>,
    duration: Option<Arc<Histogram>>,
    request_bytes: Option<Arc<Histogram>>,
    response_bytes: Option<Arc<Histogram>>,
    request_messages: Option<Arc<Counter>>,
    response_messages: Option<Arc<Counter>>,
    opened: Option<Arc<Counter>>,
    closed: Option<Arc<Counter>>,
    sent: Option<Arc<Counter>>,
    received: Option<Arc<Counter>>,
}

impl Families {
    pub(super) fn new() -> Self {
        Self {
            counters: [
                Family::new("istio_requests", "Requests"),
                Family::new("istio_request_messages", "Messages of gRPC from clients"),
                Family::new("istio_response_messages", "Messages of gRPC to clients"),
                Family::new("istio_tcp_connections_opened", "Connections opened"),
                Family::new("istio_tcp_connections_closed", "Connections closed"),
                Family::new("istio_tcp_sent_bytes", "Bytes sent to clients"),
                Family::new("istio_tcp_received_bytes", "Bytes received from clients"),
            ],
            histograms: [
                Family::new("istio_request_duration_milliseconds", "Duration of requests"),
                Family::new("istio_request_bytes", "Size of request bodies"),
                Family::new("istio_response_bytes", "Size of response bodies"),
            ],
        }
    }

    /// Forgets all series.
    pub(super) fn clear(&self) {
        self.counters.iter().for_each(Family::clear);
        self.histograms.iter().for_each(Family::clear);
    }

    /// The series of a kind of record, with what a configuration changes; and the bytes of its labels.
    pub(super) fn series(&self, base: &[(&'static str, String)], key: &Key, side: &Side) -> (Series, usize) {
        let mut bytes = 0;
        let mut shared = [false, true].map(|short| Unchanged { base, short, text: None });
        let series = self.with_labels(key.protocol, |name| {
            let place = NAMES.iter().position(|metric| *metric == name)?;
            let [long, short] = &mut shared;
            let unchanged = if name.contains("_messages_") { short } else { long };
            let change = side.change(place)?;
            if change.is_dropped {
                return None;
            }
            if change.removed.is_empty() && change.replaced.is_empty() && change.added.is_empty() {
                return Some(unchanged.text(&mut bytes));
            }
            let value = |expression: usize| key.value(expression).unwrap_or_default();
            let mut labels: Vec<(Cow<'_, str>, &str)> = Vec::new();
            for (name, written) in unchanged.labels() {
                if change.removed.iter().any(|removed| removed == name) {
                    continue;
                }
                let replaced = change.replaced.iter().find(|(replaced, _)| replaced == name);
                labels.push((Cow::Borrowed(name), replaced.map_or(written, |(_, at)| value(*at))));
            }
            labels.extend(change.added.iter().map(|(name, at)| (Cow::Borrowed(&**name), value(*at))));
            let text = text::labels(labels.iter().map(|(name, value)| (&**name, *value)));
            bytes += text.len();
            Some(text)
        });
        (series, bytes)
    }

    /// The one series of all that is too much.
    pub(super) fn overflow(&self, key: &Key) -> Series {
        let labels = text::labels([("reporter", "overflow")].into_iter());
        self.with_labels(key.protocol, |_| Some(Arc::clone(&labels)))
    }

    fn with_labels(&self, protocol: Protocol, mut labels: impl FnMut(&str) -> Option<Arc<str>>) -> Series {
        let [requests, received_messages, sent_messages, opened, closed, sent, received] = &self.counters;
        let [durations, request_bytes, response_bytes] = &self.histograms;
        if protocol == Protocol::Tcp {
            return Series {
                opened: labels("tcp_connections_opened_total").map(|labels| opened.get(labels)),
                closed: labels("tcp_connections_closed_total").map(|labels| closed.get(labels)),
                sent: labels("tcp_sent_bytes_total").map(|labels| sent.get(labels)),
                received: labels("tcp_received_bytes_total").map(|labels| received.get(labels)),
                ..Series::default()
            };
        }
        let mut series = Series {
            requests: labels("requests_total").map(|labels| requests.get(labels)),
            duration: labels("request_duration_milliseconds").map(|labels| durations.get(labels)),
            request_bytes: labels("request_bytes").map(|labels| request_bytes.get(labels)),
            response_bytes: labels("response_bytes").map(|labels| response_bytes.get(labels)),
            ..Series::default()
        };
        if protocol == Protocol::Grpc {
            series.request_messages =
                labels("request_messages_total").map(|labels| received_messages.get(labels));
            series.response_messages =
                labels("response_messages_total").map(|labels| sent_messages.get(labels));
        }
        series
    }
}

/// Labels that no configuration changes, written when they are first asked for.
struct Unchanged<'b> {
    base: &'b [(&'static str, String)],
    /// Without those of the end of a request.
    short: bool,
    text: Option<Arc<str>>,
}

impl<'b> Unchanged<'b> {
    fn labels(&self) -> impl Iterator<Item = (&'b str, &'b str)> + use<'b> {
        let short = self.short;
        let all = self.base.iter().filter(move |(name, _)| !short || !is_of_the_end(name));
        all.map(|(name, value)| (*name, value.as_str()))
    }

    /// Adds what it takes to `bytes`, once.
    fn text(&mut self, bytes: &mut usize) -> Arc<str> {
        if let Some(text) = &self.text {
            return Arc::clone(text);
        }
        let text = text::labels(self.labels());
        *bytes += text.len();
        Arc::clone(self.text.insert(text))
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

fn count(counter: &Option<Arc<Counter>>, by: u64) {
    if let Some(counter) = counter {
        counter.add(by);
    }
}

fn observe(histogram: &Option<Arc<Histogram>>, value: f64) {
    if let Some(histogram) = histogram {
        histogram.observe(value);
    }
}

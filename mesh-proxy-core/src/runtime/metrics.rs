//! Istio's standard metrics for Prometheus, with a bound on how many series clients can make.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use mesh_compile::proxy::listener::Direction;
use mesh_compile::proxy_identity::Proxy as Identity;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::seam::sink::Sink;
use crate::telemetry::record::Record;

/// The most label sets; records of others are counted under one set of their own.
const SERIES_MAX: usize = 10_000;
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
/// What Istio writes where it does not know.
const UNKNOWN: &str = "unknown";

type Labels = Vec<(String, String)>;

/// Counts finished requests and connections.
#[derive(Debug, Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    own: Own,
    seen: Mutex<HashSet<Labels>>,
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram, Buckets>,
    request_bytes: Family<Labels, Histogram, Buckets>,
    response_bytes: Family<Labels, Histogram, Buckets>,
    tcp_opened: Family<Labels, Counter>,
    tcp_closed: Family<Labels, Counter>,
    tcp_sent: Family<Labels, Counter>,
    tcp_received: Family<Labels, Counter>,
}

#[derive(Debug, Clone)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

/// The proxy's own workload.
#[derive(Debug, Clone)]
struct Own {
    workload: String,
    namespace: String,
    app: String,
    version: String,
    service: String,
    revision: String,
    cluster: String,
    principal: String,
}

impl Own {
    fn of(proxy: &Identity) -> Self {
        let label = |keys: &[&str]| {
            let found = keys.iter().find_map(|key| proxy.labels.get(*key));
            found.map(str::to_owned).unwrap_or_else(|| UNKNOWN.to_owned())
        };
        let known = |text: &str| if text.is_empty() { UNKNOWN.to_owned() } else { text.to_owned() };
        Self {
            workload: known(&proxy.name),
            namespace: known(&proxy.namespace),
            app: label(&["app", "app.kubernetes.io/name"]),
            version: label(&["version", "app.kubernetes.io/version"]),
            service: label(&["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]),
            revision: label(&["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"]),
            cluster: known(&proxy.cluster_id),
            principal: if proxy.service_account.is_empty() {
                UNKNOWN.to_owned()
            } else {
                format!("spiffe://cluster.local/ns/{}/sa/{}", proxy.namespace, proxy.service_account)
            },
        }
    }
}

impl Metrics {
    /// Metrics of a proxy.
    pub fn new(proxy: &Identity) -> Self {
        let mut registry = Registry::default();
        let counter = |registry: &mut Registry, name: &str, help: &str| {
            let family = Family::<Labels, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let histogram = |registry: &mut Registry, name: &str, help: &str| {
            let family = Family::<Labels, Histogram, Buckets>::new_with_constructor(Buckets);
            registry.register(name, help, family.clone());
            family
        };
        // The encoder puts `_total` behind the names of counters.
        let requests = counter(&mut registry, "istio_requests", "Requests");
        let durations =
            histogram(&mut registry, "istio_request_duration_milliseconds", "Duration of requests");
        let request_bytes = histogram(&mut registry, "istio_request_bytes", "Size of request bodies");
        let response_bytes = histogram(&mut registry, "istio_response_bytes", "Size of response bodies");
        let tcp_opened = counter(&mut registry, "istio_tcp_connections_opened", "Connections opened");
        let tcp_closed = counter(&mut registry, "istio_tcp_connections_closed", "Connections closed");
        let tcp_sent = counter(&mut registry, "istio_tcp_sent_bytes", "Bytes sent to clients");
        let tcp_received = counter(&mut registry, "istio_tcp_received_bytes", "Bytes received from clients");
        let inner = Inner {
            registry,
            own: Own::of(proxy),
            seen: Mutex::default(),
            requests,
            durations,
            request_bytes,
            response_bytes,
            tcp_opened,
            tcp_closed,
            tcp_sent,
            tcp_received,
        };
        Self { inner: Arc::new(inner) }
    }

    /// All of them in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.inner.registry);
        text
    }

    /// The labels of a record, as many as there may be.
    fn labels(&self, record: &Record) -> Labels {
        let labels = labels(&self.inner.own, record);
        let mut seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&labels) {
            return labels;
        }
        if seen.len() >= SERIES_MAX {
            return vec![("reporter".to_owned(), "overflow".to_owned())];
        }
        seen.insert(labels.clone());
        labels
    }
}

impl Sink for Metrics {
    fn finished(&self, record: &Record) {
        let labels = self.labels(record);
        let inner = &self.inner;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let (received, sent) = (record.bytes_received as f64, record.bytes_sent as f64);
        if record.request.is_some() {
            inner.requests.get_or_create(&labels).inc();
            inner.durations.get_or_create(&labels).observe(record.duration.as_secs_f64() * 1000.0);
            inner.request_bytes.get_or_create(&labels).observe(received);
            inner.response_bytes.get_or_create(&labels).observe(sent);
        } else {
            inner.tcp_opened.get_or_create(&labels).inc();
            inner.tcp_closed.get_or_create(&labels).inc();
            inner.tcp_sent.get_or_create(&labels).inc_by(record.bytes_sent);
            inner.tcp_received.get_or_create(&labels).inc_by(record.bytes_received);
        }
    }
}

/// Istio's labels in Istio's order. What only an exchange of metadata could tell of the other side is unknown.
fn labels(own: &Own, record: &Record) -> Labels {
    let is_server = record.direction == Direction::Inbound;
    let unknown = || UNKNOWN.to_owned();
    let or_unknown = |text: Option<&str>| text.map_or_else(unknown, str::to_owned);
    let (host, service_name, service_namespace) = service(record);
    let peer_namespace = || {
        let mut parts = record.peer_principal.as_deref()?.split('/');
        parts.by_ref().find(|part| *part == "ns")?;
        parts.next()
    };
    let grpc = record
        .response_trailers
        .get("grpc-status")
        .or_else(|| record.response_headers.get("grpc-status"))
        .and_then(|value| value.to_str().ok());
    let is_mine = |mine: &str, server: bool| if is_server == server { mine.to_owned() } else { unknown() };
    let mut labels: Vec<(&str, String)> = vec![
        ("reporter", if is_server { "destination" } else { "source" }.to_owned()),
        ("source_workload", is_mine(&own.workload, false)),
        ("source_canonical_service", is_mine(&own.service, false)),
        ("source_canonical_revision", is_mine(&own.revision, false)),
        (
            "source_workload_namespace",
            if is_server { or_unknown(peer_namespace()) } else { own.namespace.clone() },
        ),
        (
            "source_principal",
            if is_server { or_unknown(record.peer_principal.as_deref()) } else { own.principal.clone() },
        ),
        ("source_app", is_mine(&own.app, false)),
        ("source_version", is_mine(&own.version, false)),
        ("source_cluster", is_mine(&own.cluster, false)),
        ("destination_workload", is_mine(&own.workload, true)),
        ("destination_workload_namespace", is_mine(&own.namespace, true)),
        ("destination_principal", is_mine(&own.principal, true)),
        ("destination_app", is_mine(&own.app, true)),
        ("destination_version", is_mine(&own.version, true)),
        ("destination_service", host),
        ("destination_canonical_service", is_mine(&own.service, true)),
        ("destination_canonical_revision", is_mine(&own.revision, true)),
        ("destination_service_name", service_name),
        ("destination_service_namespace", service_namespace),
        ("destination_cluster", is_mine(&own.cluster, true)),
    ];
    let flags = if record.flags.is_empty() { "-".to_owned() } else { record.flags.clone() };
    let security = match (is_server, record.peer_principal.is_some()) {
        (false, _) => UNKNOWN,
        (true, true) => "mutual_tls",
        (true, false) => "none",
    };
    match &record.request {
        None => labels.push(("request_protocol", "tcp".to_owned())),
        Some(request) => {
            let protocol = if super::head::is_grpc(&request.headers) { "grpc" } else { "http" };
            labels.push(("request_protocol", protocol.to_owned()));
            labels.push(("response_code", record.status.to_string()));
            labels.push(("grpc_response_status", grpc.unwrap_or_default().to_owned()));
        }
    }
    labels.push(("response_flags", flags));
    labels.push(("connection_security_policy", security.to_owned()));
    labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Host, name and namespace of the service that a cluster's name tells.
fn service(record: &Record) -> (String, String, String) {
    let host =
        record.cluster.as_deref().and_then(|cluster| cluster.splitn(4, '|').nth(3)).unwrap_or_default();
    if host.is_empty() {
        let own = record.cluster.as_deref().unwrap_or(UNKNOWN).to_owned();
        return (UNKNOWN.to_owned(), own, UNKNOWN.to_owned());
    }
    let mut parts = host.split('.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(namespace), Some("svc")) => {
            (host.to_owned(), name.to_owned(), namespace.to_owned())
        }
        _ => (host.to_owned(), host.to_owned(), UNKNOWN.to_owned()),
    }
}

//! Metrics as Prometheus reads them: names and labels of Istio, changes of Telemetry resources, bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::HeaderValue;
use mesh_compile::compiler::compile;
use mesh_compile::proxy::listener::Direction;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};

use super::*;
use crate::telemetry::record::RequestRecord;

mod peers;
mod services;

const PROXY: &str = r#"{"type":"sidecar","namespace":"shop","name":"web-0","ip":"10.0.0.9","cluster_id":"c1",
    "labels":{"app":"web","version":"v1"},"service_account":"web"}"#;

fn metrics() -> Metrics {
    Metrics::new(&serde_json::from_str(PROXY).unwrap())
}

/// A Telemetry resource of the namespace, compiled.
fn telemetry(spec: &str) -> Arc<TelemetryConfig> {
    let yaml = format!(
        "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: t, namespace: shop}}\nspec: {spec}\n"
    );
    let mut config = ConfigSet::new();
    let loaded = load("t.yaml", &yaml, &LoadOptions::default());
    assert!(!loaded.report.has_errors(), "{:?}", loaded.report);
    config.apply(loaded.documents.into_iter().map(Change::Upsert));
    let written = serde_json::json!({
        "extensionProviders": [{"name": "prom", "prometheus": {}}],
        "defaultProviders": {"metrics": ["prom"]},
    });
    let mesh = MeshConfig::with_defaults().overlay(serde_json::from_value(written).unwrap());
    let (snapshot, _) = MeshSnapshot::resolve(&config, Arc::new(mesh));
    let proxy: Identity = serde_json::from_str(PROXY).unwrap();
    Arc::clone(&compile(&View::new(&snapshot, &proxy)).0.telemetry)
}

fn request(direction: Direction) -> Record {
    let mut record =
        Record::begin(direction, "10.0.0.2:4000".parse().unwrap(), "10.0.0.1:80".parse().unwrap());
    record.status = 200;
    record.duration = Duration::from_millis(3);
    record.cluster = Some("outbound|9080||reviews.shop.svc.cluster.local".into());
    record.request = Some(RequestRecord::default());
    record
}

fn grpc(direction: Direction) -> Record {
    let mut record = request(direction);
    if let Some(request) = &mut record.request {
        request.headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    }
    record.response_trailers.insert("grpc-status", HeaderValue::from_static("5"));
    (record.messages_received, record.messages_sent) = (2, 3);
    record
}

fn bytes(direction: Direction) -> Record {
    Record { request: None, status: 0, ..request(direction) }
}

type Labels = Vec<(String, String)>;

/// Reads `name{label="value",...}` as the OpenMetrics text format has it, and nothing else.
fn sample(line: &str) -> (String, Labels, f64) {
    let is_name = |text: &str| {
        !text.is_empty()
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && text.chars().all(|it| it.is_ascii_alphanumeric() || it == '_' || it == ':')
    };
    let (name, mut rest) = line.split_at(line.find(['{', ' ']).expect(line));
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect(line);
            assert!(is_name(label), "{line}");
            let mut value = String::new();
            let mut characters = after.char_indices();
            let end = loop {
                match characters.next().expect(line) {
                    (at, '"') => break at + 1,
                    (_, '\\') => value.push(match characters.next().expect(line).1 {
                        'n' => '\n',
                        same @ ('\\' | '"') => same,
                        other => panic!("escape {other} in {line}"),
                    }),
                    (_, '\n') => panic!("{line}"),
                    (_, other) => value.push(other),
                }
            };
            labels.push((label.to_owned(), value));
            rest = &after[end..];
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = rest.strip_prefix(',').expect(line);
        }
    }
    let value = rest.strip_prefix(' ').expect(line);
    assert!(!value.contains(' '), "{line}");
    (name.to_owned(), labels, value.parse().expect(line))
}

/// Samples by name; everything that the format asks for is asked of the text.
fn read(text: &str) -> BTreeMap<String, Vec<(Labels, f64)>> {
    let lines: Vec<&str> = text.lines().collect();
    assert!(text.ends_with("# EOF\n") && lines.iter().filter(|line| **line == "# EOF").count() == 1);
    let mut families: BTreeMap<String, String> = BTreeMap::new();
    let mut current = String::new();
    let mut found: BTreeMap<String, Vec<(Labels, f64)>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for line in &lines[..lines.len() - 1] {
        if let Some(comment) = line.strip_prefix("# ") {
            let (word, rest) = comment.split_once(' ').expect(line);
            let (name, rest) = rest.split_once(' ').expect(line);
            match word {
                "HELP" => {
                    assert!(!families.contains_key(name), "{name} comes twice");
                    current = name.to_owned();
                }
                "TYPE" => {
                    assert_eq!(name, current);
                    assert!(families.insert(name.to_owned(), rest.to_owned()).is_none());
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let (name, labels, value) = sample(line);
        let suffix = name.strip_prefix(current.as_str()).expect(line);
        match families[&current].as_str() {
            "counter" => assert_eq!(suffix, "_total"),
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
            other => panic!("{other}"),
        }
        let names: BTreeSet<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), labels.len(), "a label comes twice: {line}");
        assert!(seen.insert((name.clone(), labels.clone())), "a series comes twice: {line}");
        found.entry(name).or_default().push((labels, value));
    }
    for (family, _) in families.iter().filter(|(_, kind)| *kind == "histogram") {
        histogram(&found, family);
    }
    found
}

/// Buckets rise, end with `+Inf`, and that one is the count.
fn histogram(found: &BTreeMap<String, Vec<(Labels, f64)>>, family: &str) {
    let Some(buckets) = found.get(&format!("{family}_bucket")) else { return };
    for (labels, count) in &found[&format!("{family}_count")] {
        let of_series: Vec<(f64, f64)> = buckets
            .iter()
            .filter(|(bucket, _)| bucket.iter().filter(|(name, _)| name != "le").eq(labels.iter()))
            .map(|(bucket, value)| {
                let le = &bucket.iter().find(|(name, _)| name == "le").unwrap().1;
                (if le == "+Inf" { f64::INFINITY } else { le.parse().unwrap() }, *value)
            })
            .collect();
        assert!(of_series.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!(of_series.last(), Some(&(f64::INFINITY, *count)));
    }
}

fn values(metrics: &Metrics, name: &str) -> Vec<(Labels, f64)> {
    read(&metrics.text()).remove(name).unwrap_or_default()
}

fn label<'l>(labels: &'l Labels, name: &str) -> Option<&'l str> {
    labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
}

#[test]
fn names_and_labels_are_those_of_the_ledger() {
    let metrics = metrics();
    for direction in [Direction::Inbound, Direction::Outbound, Direction::Gateway] {
        for record in [request(direction), grpc(direction), bytes(direction)] {
            metrics.finished(&record);
        }
    }
    let found = read(&metrics.text());
    let Some(shared) = std::env::var_os("MESH_SHARED") else { return };
    let ledger = std::fs::read_to_string(std::path::Path::new(&shared).join("ledger/metrics.tsv")).unwrap();
    let mut rows = 0;
    for row in ledger.lines().filter(|row| row.ends_with("\tenvoy data plane")) {
        let [_, name, kind, labels, _] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let sample = if kind.starts_with("histogram") { format!("{name}_count") } else { name.to_owned() };
        let series = found.get(&sample).unwrap_or_else(|| panic!("{name} is not there"));
        for (ours, _) in series {
            let ours: Vec<&str> = ours.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(ours.join(","), labels, "{name}");
        }
        rows += 1;
    }
    assert_eq!(rows, 10);
}

#[test]
fn label_values_are_istios() {
    let metrics = metrics();
    let mut inbound = grpc(Direction::Inbound);
    inbound.cluster = Some("inbound|8080||".into());
    inbound.peer_principal = Some("spiffe://cluster.local/ns/edge/sa/door".to_owned());
    inbound.own_principal = Some("spiffe://cluster.local/ns/shop/sa/web".into());
    metrics.finished(&inbound);
    let [(labels, _)] = &values(&metrics, "istio_requests_total")[..] else { panic!() };
    for (name, value) in [
        ("reporter", "destination"),
        ("source_workload", "unknown"),
        ("source_canonical_revision", "latest"),
        ("source_workload_namespace", "edge"),
        ("source_principal", "spiffe://cluster.local/ns/edge/sa/door"),
        ("destination_workload", "web-0"),
        ("destination_principal", "spiffe://cluster.local/ns/shop/sa/web"),
        ("destination_version", "v1"),
        ("destination_service", "web"),
        ("destination_service_namespace", "shop"),
        ("destination_cluster", "c1"),
        ("request_protocol", "grpc"),
        ("response_code", "200"),
        ("grpc_response_status", "5"),
        ("response_flags", "-"),
        ("connection_security_policy", "mutual_tls"),
    ] {
        assert_eq!(label(labels, name), Some(value), "{name}");
    }
    assert_eq!(values(&metrics, "istio_request_messages_total")[0].1, 2.0);
    assert_eq!(values(&metrics, "istio_response_messages_total")[0].1, 3.0);

    metrics.finished(&bytes(Direction::Outbound));
    let [(labels, _)] = &values(&metrics, "istio_tcp_connections_opened_total")[..] else { panic!() };
    for (name, value) in [
        ("reporter", "source"),
        ("source_workload", "web-0"),
        ("destination_service", "reviews.shop.svc.cluster.local"),
        ("destination_service_name", "reviews"),
        ("destination_service_namespace", "shop"),
        ("destination_canonical_revision", "latest"),
        ("request_protocol", "tcp"),
        ("connection_security_policy", "unknown"),
    ] {
        assert_eq!(label(labels, name), Some(value), "{name}");
    }
}

#[test]
fn what_clients_and_upstreams_write_stays_one_label() {
    let metrics = metrics();
    let mut hostile = grpc(Direction::Inbound);
    hostile.peer_principal = Some("spiffe://\"}\n\\x{".to_owned());
    hostile.response_trailers.insert("grpc-status", HeaderValue::from_static("not a number"));
    metrics.finished(&hostile);
    let [(labels, _)] = &values(&metrics, "istio_requests_total")[..] else { panic!() };
    assert_eq!(label(labels, "source_principal"), Some("spiffe://\"}\n\\x{"));
    assert_eq!(label(labels, "grpc_response_status"), Some(""));
}

#[test]
fn x08_series_are_bounded_whatever_clients_do() {
    let metrics = metrics();
    let many = 15_000;
    for n in 0..many {
        let mut record = request(Direction::Inbound);
        // Paths, hosts and methods are no labels; a name of any length is cut.
        record.peer_principal = Some(format!("spiffe://d/ns/a{n}/sa/{}", "b".repeat(n % 2000)));
        if let Some(request) = &mut record.request {
            request.path = format!("/{n}");
            request.authority = format!("{n}.example");
        }
        metrics.finished(&record);
    }
    let text = metrics.text();
    let series: Vec<&str> = text.lines().filter(|line| line.starts_with("istio_requests_total{")).collect();
    assert!(series.len() <= SERIES_MAX + 1, "{}", series.len());
    let counts = series.iter().map(|line| sample(line));
    let mut all = 0.0;
    for (_, labels, count) in counts {
        assert!(labels.iter().all(|(_, value)| value.len() <= 256));
        all += count;
    }
    assert_eq!(all, f64::from(u32::try_from(many).unwrap()), "nothing is lost");
    assert!(text.contains("istio_requests_total{reporter=\"overflow\"} "));
}

/// Labels as long as labels may be: their sum is bounded, and no piece of the text is much longer than another.
#[test]
fn x08_the_longest_names_are_told_in_pieces() {
    let metrics = metrics();
    for n in 0..SERIES_MAX {
        let mut record = request(Direction::Inbound);
        record.peer_principal =
            Some(format!("spiffe://d/ns/{n}{}/sa/{}", "a\\".repeat(150), "b".repeat(500)));
        record.flags = "\"\n".repeat(200);
        metrics.finished(&record);
    }
    let (bytes, series) = {
        let state = metrics.lock();
        (state.label_bytes, state.known.len())
    };
    assert!(
        (LABEL_BYTES_MAX..LABEL_BYTES_MAX + 16 * 1024).contains(&bytes) && series < SERIES_MAX,
        "{bytes}"
    );
    let mut total = 0;
    let mut last = Vec::new();
    for piece in metrics.pieces() {
        // A histogram has twenty-two lines of it.
        assert!(piece.len() < text::PIECE_BYTES + 22 * 16 * 1024, "{}", piece.len());
        total += piece.len();
        last = piece.to_vec();
    }
    assert!(total > 8 * LABEL_BYTES_MAX && last.ends_with(b"# EOF\n"), "{total}");
    assert_eq!(metrics.text().len(), total);
}

#[test]
fn metrics_are_dropped_by_name_and_side() {
    let config = telemetry(
        "{metrics: [{providers: [{name: prom}], overrides: [\
         {match: {metric: REQUEST_SIZE, mode: CLIENT}, disabled: true}]}]}",
    );
    let metrics = metrics();
    metrics.finished_under(&config, &request(Direction::Outbound), Told::default());
    assert!(values(&metrics, "istio_request_bytes_count").is_empty());
    assert_eq!(values(&metrics, "istio_requests_total").len(), 1);
    metrics.finished_under(&config, &request(Direction::Inbound), Told::default());
    assert_eq!(values(&metrics, "istio_request_bytes_count").len(), 1);
    assert_eq!(label(&values(&metrics, "istio_request_bytes_count")[0].0, "reporter"), Some("destination"));
}

#[test]
fn all_metrics_can_be_switched_off() {
    let config = telemetry(
        "{metrics: [{providers: [{name: prom}], overrides: [{match: {mode: SERVER}, disabled: true}]}]}",
    );
    let metrics = metrics();
    metrics.finished_under(&config, &request(Direction::Inbound), Told::default());
    assert!(values(&metrics, "istio_requests_total").is_empty());
    metrics.finished_under(&config, &request(Direction::Outbound), Told::default());
    assert_eq!(values(&metrics, "istio_requests_total").len(), 1);
}

#[cfg(feature = "cel")]
#[test]
fn labels_are_dropped_replaced_and_added() {
    let config = telemetry(
        "{metrics: [{providers: [{name: prom}], overrides: [{match: {metric: REQUEST_COUNT}, tagOverrides: {\
         source_app: {operation: REMOVE}, destination_service_name: {value: 'request.host'}, \
         path: {value: 'request.url_path'}, none: {value: 'request.headers[\"x-none\"]'}, \
         reporter: {value: '1 +'}, not_standard: {operation: REMOVE}}}]}]}",
    );
    let metrics = metrics();
    let mut record = request(Direction::Outbound);
    if let Some(request) = &mut record.request {
        (request.path, request.authority) = ("/a?b".to_owned(), "h.example".to_owned());
    }
    metrics.finished_under(&config, &record, Told::default());
    let [(labels, _)] = &values(&metrics, "istio_requests_total")[..] else { panic!() };
    assert_eq!(label(labels, "source_app"), None);
    assert_eq!(label(labels, "destination_service_name"), Some("h.example"));
    assert_eq!((label(labels, "path"), label(labels, "none")), (Some("/a"), Some("unknown")));
    assert_eq!(label(labels, "reporter"), None, "as Istio has it, where the expression is none");
    let [(others, _)] = &values(&metrics, "istio_request_bytes_count")[..] else { panic!() };
    assert_eq!((others.len(), label(others, "source_app")), (25, Some("web")));
}

#[test]
fn a_change_of_the_metrics_counts_anew_and_no_other_does() {
    let (first, same) = (telemetry("{}"), telemetry("{}"));
    assert!(!Arc::ptr_eq(&first, &same));
    let metrics = metrics();
    metrics.finished_under(&first, &request(Direction::Outbound), Told::default());
    metrics.finished_under(&same, &request(Direction::Outbound), Told::default());
    assert_eq!(values(&metrics, "istio_requests_total")[0].1, 2.0);
    let other = telemetry("{metrics: [{providers: [{name: prom}], reportingInterval: 250ms}]}");
    metrics.finished_under(&other, &request(Direction::Outbound), Told::default());
    assert_eq!(values(&metrics, "istio_requests_total")[0].1, 1.0);
    let interval = metrics.interval(&other, &bytes(Direction::Outbound));
    assert_eq!(interval, Some(Duration::from_millis(250)));
}

#[test]
fn open_connections_are_told_of_between_times_and_counted_once() {
    let config = telemetry("{}");
    let metrics = metrics();
    let mut told = Told::default();
    let mut record = bytes(Direction::Outbound);
    assert_eq!(metrics.interval(&config, &record), Some(Duration::from_secs(5)));
    let at = |metrics: &Metrics| {
        ["connections_opened", "connections_closed", "received_bytes", "sent_bytes"]
            .map(|name| values(metrics, &format!("istio_tcp_{name}_total")).first().map_or(0.0, |it| it.1))
    };
    (record.bytes_received, record.bytes_sent) = (10, 20);
    metrics.open_under(&config, &record, &mut told);
    assert_eq!(at(&metrics), [1.0, 0.0, 10.0, 20.0]);
    (record.bytes_received, record.bytes_sent) = (15, 20);
    metrics.open_under(&config, &record, &mut told);
    record.bytes_sent = 30;
    record.flags = "SI".to_owned();
    metrics.finished_under(&config, &record, told);
    assert_eq!(at(&metrics), [1.0, 1.0, 15.0, 30.0]);
    assert_eq!(values(&metrics, "istio_tcp_connections_closed_total").len(), 1, "labels stay what they were");
}

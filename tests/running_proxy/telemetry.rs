//! What Telemetry resources ask for, acted out: filtered logs, changed metrics, spans at a collector.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::{HeaderMap, Request, Response};
use mesh::model::mesh_config::MeshConfig;
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::runtime::metrics::Metrics;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{get, request};
use crate::ext_authz::server;
use crate::fixture::{Running, SIDECAR, config_with, reviews, start_with};
use crate::upstream::Upstream;

const ROUTES: &str = "  - match: [{uri: {prefix: /known}}]
    route: [{destination: {host: reviews}}]
";

/// A service of one endpoint and one port.
pub(crate) fn service(name: &str, address: &str, ip: &str, port: &str) -> String {
    format!(
        "\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec: {{clusterIP: {address}, ports: [{{name: {port}, port: 4317}}]}}\n\
         ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}-1, namespace: shop, labels: {{kubernetes.io/service-name: {name}}}}}\n\
         addressType: IPv4\nendpoints: [{{addresses: [{ip}], conditions: {{ready: true}}}}]\n\
         ports: [{{name: {port}, port: 4317}}]\n"
    )
}

pub(crate) fn telemetry(spec: &str) -> String {
    format!(
        "\n---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: t, namespace: shop}}\n\
         spec: {spec}\n"
    )
}

pub(crate) fn mesh(providers: &Value) -> MeshConfig {
    let written = json!({"extensionProviders": providers, "defaultProviders": {"metrics": ["prom"]}});
    MeshConfig::with_defaults().overlay(serde_json::from_value(written).unwrap())
}

fn log_path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("mesh-{name}-{}.log", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn logs_are_filtered_by_expressions() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let (errors, typed) = (log_path("errors"), log_path("typed"));
    let file = |name: &str, path: &PathBuf| {
        json!({"name": name, "envoyFileAccessLog":
            {"path": path.to_str().unwrap(), "logFormat": {"text": "%REQ(:PATH)% %RESPONSE_CODE%\n"}}})
    };
    let text = reviews(ROUTES)
        + &telemetry(
            "{accessLogging: [\
             {providers: [{name: errors}], filter: {expression: \"response.code >= 400 || request.headers['x-log'] == 'yes'\"}}]}",
        );
    // A second log whose filter has a type that never is Boolean, of a wider level.
    let wide = "\n---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\n\
         metadata: {name: wide, namespace: istio-system}\n\
         spec: {accessLogging: [{providers: [{name: typed}], filter: {expression: 'response.code'}}]}\n";
    let providers = json!([file("errors", &errors), file("typed", &typed)]);
    let mut options = Options::default();
    options.mesh_logs = true;
    let config = config_with(&(text + wide), SIDECAR, mesh(&providers));
    let running = start_with(config, &["9080"], &endpoints, options, |builder| builder).await;
    assert_eq!(get(running.address(), "reviews", "/known/1").await.status, 200);
    assert_eq!(get(running.address(), "reviews", "/2").await.status, 404);
    let asked = [("host", "reviews"), ("x-log", "yes")];
    assert_eq!(request(running.address(), "GET /known/3", &asked, "").await.status, 200);
    let lines = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    until("two lines are written", || lines(&errors).lines().count() >= 2).await;
    assert_eq!(lines(&errors), "/2 404\n/known/3 200\n");
    assert_eq!(lines(&typed), "");
    for path in [errors, typed] {
        let _ = std::fs::remove_file(path);
    }
}

#[tokio::test]
async fn metrics_follow_the_configuration() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let text = reviews(ROUTES)
        + &telemetry(
            "{metrics: [{providers: [{name: prom}], overrides: [\
             {match: {metric: REQUEST_COUNT, mode: CLIENT}, tagOverrides: {path: {value: request.url_path}, \
             source_app: {operation: REMOVE}}}, \
             {match: {metric: REQUEST_SIZE}, disabled: true}]}]}",
        );
    let metrics = Metrics::new(&serde_json::from_str(SIDECAR).unwrap());
    let config = config_with(&text, SIDECAR, mesh(&json!([{"name": "prom", "prometheus": {}}])));
    let running = start_with(config, &["9080"], &endpoints, Options::default(), |builder| {
        builder.metrics(metrics.clone())
    })
    .await;
    let admin =
        running.proxy.administer("127.0.0.1:0".parse().unwrap(), Some(metrics.clone())).await.unwrap();
    assert_eq!(get(running.address(), "reviews", "/known/1?x").await.status, 200);
    until("the request is counted", || metrics.text().contains("istio_requests_total{")).await;
    let exposed = get(admin, "localhost", "/metrics").await;
    assert!(exposed.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let series = exposed.body.lines().find(|line| line.starts_with("istio_requests_total{")).unwrap();
    assert!(series.contains("path=\"/known/1\"") && !series.contains("source_app="), "{series}");
    assert!(exposed.body.contains("istio_response_bytes_count{"));
    assert!(!exposed.body.contains("istio_request_bytes_count{"));
}

#[tokio::test]
async fn open_connections_are_reported_between_times() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let database = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            stream.write_all(&buffer[..length]).await.unwrap();
        }
    });
    let text = service("db", "10.96.0.40", "10.0.4.1", "tcp")
        + &telemetry("{metrics: [{providers: [{name: prom}], reportingInterval: 50ms}]}");
    let metrics = Metrics::new(&serde_json::from_str(SIDECAR).unwrap());
    let config = config_with(&text, SIDECAR, mesh(&json!([{"name": "prom", "prometheus": {}}])));
    let running = start_with(
        config,
        &["10.96.0.40:4317"],
        &[("10.0.4.1:4317", database)],
        Options::default(),
        |builder| builder.metrics(metrics.clone()),
    )
    .await;
    let count = |name: &str| {
        let text = metrics.text();
        let line = text.lines().find(|line| line.starts_with(&format!("istio_tcp_{name}_total{{")));
        line.and_then(|line| line.rsplit(' ').next().unwrap().parse::<u64>().ok()).unwrap_or(0)
    };
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.read_exact(&mut [0; 5]).await.unwrap();
    until("the bytes are told of", || count("received_bytes") == 5 && count("sent_bytes") == 5).await;
    assert_eq!((count("connections_opened"), count("connections_closed")), (1, 0));
    stream.write_all(b"more").await.unwrap();
    stream.read_exact(&mut [0; 4]).await.unwrap();
    drop(stream);
    until("the end is told of", || count("connections_closed") == 1).await;
    assert_eq!((count("connections_opened"), count("received_bytes"), count("sent_bytes")), (1, 9, 9));
}

/// Fields of a protobuf message: number, and bytes where it is one of these.
pub(crate) fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for at in 0.. {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                found.push((key >> 3, varint(&mut bytes).to_be_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, bytes[..length].to_vec()));
        bytes = &bytes[length..];
    }
    found
}

pub(crate) fn all(bytes: &[u8], number: u64) -> Vec<Vec<u8>> {
    fields(bytes).into_iter().filter(|(found, _)| *found == number).map(|(_, bytes)| bytes).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A span as the collector has it.
#[derive(Debug, Clone)]
struct Span {
    trace: String,
    span: String,
    parent: String,
    name: String,
    kind: u8,
    tags: Vec<(String, String)>,
    service: String,
}

impl Span {
    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str())
    }
}

/// The spans of an `ExportTraceServiceRequest`.
fn spans(message: &[u8]) -> Vec<Span> {
    let text = |bytes: Option<&Vec<u8>>| String::from_utf8(bytes.cloned().unwrap_or_default()).unwrap();
    let pairs = |bytes: &[u8], number| -> Vec<(String, String)> {
        let pair =
            |pair: &Vec<u8>| (text(all(pair, 1).first()), text(all(&all(pair, 2).concat(), 1).first()));
        all(bytes, number).iter().map(pair).collect()
    };
    let mut found = Vec::new();
    for resource_spans in all(message, 1) {
        let resource = pairs(&all(&resource_spans, 1).concat(), 1);
        let service = resource.into_iter().find(|(name, _)| name == "service.name").unwrap().1;
        for span in all(&resource_spans, 2).iter().flat_map(|scope| all(scope, 2)) {
            found.push(Span {
                trace: hex(&all(&span, 1).concat()),
                span: hex(&all(&span, 2).concat()),
                parent: hex(&all(&span, 4).concat()),
                name: text(all(&span, 5).first()),
                kind: *all(&span, 6).concat().last().unwrap(),
                tags: pairs(&span, 9),
                service: service.clone(),
            });
        }
    }
    found
}

pub(crate) type Collected = Arc<Mutex<Vec<(Request<()>, Bytes)>>>;

/// A collector that answers with a status.
pub(crate) async fn collector(seen: Collected, status: &'static str) -> SocketAddr {
    server(move |request, body| {
        seen.lock().unwrap().push((request, body));
        let mut response = Response::new(Bytes::from_static(b"\0\0\0\0\0"));
        response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", status.parse().unwrap());
        response.extensions_mut().insert(trailers);
        response
    })
    .await
}

/// A sidecar that traces everything, with a collector at `address` that speaks `port`.
async fn traced(
    provider: Value,
    port: &str,
    address: SocketAddr,
    upstream: &Upstream,
    spec: &str,
) -> Running {
    let endpoints = [
        ("10.0.1.1:9080", upstream.address),
        ("10.0.1.2:9080", upstream.address),
        ("10.0.5.1:4317", address),
    ];
    let text = reviews(ROUTES) + &service("otel", "10.96.0.50", "10.0.5.1", port) + &telemetry(spec);
    let config = config_with(&text, SIDECAR, mesh(&json!([provider])));
    start_with(config, &["9080"], &endpoints, Options::default(), |builder| {
        builder.workload(serde_json::from_str(SIDECAR).unwrap())
    })
    .await
}

pub(crate) const HOST: &str = "otel.shop.svc.cluster.local";
const ALL: &str = "{tracing: [{providers: [{name: otel}], randomSamplingPercentage: 100, customTags: {\
                   who: {header: {name: X-Who, defaultValue: nobody}}, fixed: {literal: {value: 'yes'}}}}]}";

#[tokio::test]
async fn spans_arrive_over_grpc_and_the_upstream_hears_of_the_trace() {
    let upstream = Upstream::start("reviews").await;
    let seen = Collected::default();
    let address = collector(Arc::clone(&seen), "0").await;
    let provider = json!({"name": "otel", "opentelemetry": {"service": HOST, "port": 4317,
        "grpc": {"initialMetadata": [{"name": "x-token", "value": "t"}]}}});
    let running = traced(provider, "grpc", address, &upstream, ALL).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let lines = [("host", "reviews"), ("traceparent", &*parent), ("tracestate", "a=1"), ("x-who", "ann")];
    assert_eq!(request(running.address(), "GET /known/1?q", &lines, "").await.status, 200);
    let told = upstream.only();
    assert_eq!(get(running.address(), "reviews", "/none").await.status, 404);
    running.proxy.drain().await;
    let counts = running.proxy.span_counts();
    assert_eq!((counts.sent, counts.dropped), (2, 0));

    let requests = std::mem::take(&mut *seen.lock().unwrap());
    let mut found = Vec::new();
    for (request, body) in requests {
        assert_eq!(request.uri().path(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
        assert_eq!(request.headers()["content-type"], "application/grpc");
        assert_eq!(request.headers()["x-token"], "t");
        assert_eq!(request.uri().authority().unwrap(), HOST);
        assert_eq!(u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize, body.len() - 5);
        found.extend(spans(&body[5..]));
    }
    let [first, second] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&*first.trace, &*first.parent), (trace, "00f067aa0ba902b7"));
    assert_eq!((&*first.name, first.kind), ("reviews.shop.svc.cluster.local:9080/*", 3));
    assert_eq!(told.header("traceparent").unwrap(), format!("00-{trace}-{}-01", first.span));
    assert_eq!(told.header("tracestate"), Some("a=1"));
    for (name, value) in [
        ("http.url", "http://reviews/known/1?q"),
        ("http.method", "GET"),
        ("http.status_code", "200"),
        ("upstream_cluster.name", "outbound|9080||reviews.shop.svc.cluster.local"),
        ("component", "proxy"),
        ("istio.namespace", "shop"),
        ("istio.canonical_revision", "latest"),
        ("who", "ann"),
        ("fixed", "yes"),
    ] {
        assert_eq!(first.tag(name), Some(value), "{name}");
    }
    assert_eq!(first.service, "web.shop");
    assert_eq!(first.tag("guid:x-request-id"), told.header("x-request-id"));
    assert_eq!(told.header("x-request-id").unwrap().as_bytes()[14], b'9');
    // An answer of the proxy's own has a span too.
    assert_eq!((&*second.parent, second.tag("http.status_code")), ("", Some("404")));
    assert_eq!((second.tag("response_flags"), second.tag("who")), (Some("NR"), Some("nobody")));
}

#[tokio::test]
async fn spans_arrive_over_http_and_unsampled_ones_do_not() {
    let upstream = Upstream::start("reviews").await;
    let seen = Collected::default();
    let address = {
        let seen = Arc::clone(&seen);
        server(move |request, body| {
            seen.lock().unwrap().push((request, body));
            Response::new(Bytes::new())
        })
        .await
    };
    let provider = json!({"name": "otel", "opentelemetry": {"service": HOST, "port": 4317,
        "http": {"path": "/v1/traces", "timeout": "2s", "headers": [{"name": "X-Key", "value": "k"}]}}});
    let running = traced(provider, "http", address, &upstream, ALL).await;
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let lines = [("host", "reviews"), ("traceparent", unsampled)];
    assert_eq!(request(running.address(), "GET /known/1", &lines, "").await.status, 200);
    assert!(upstream.only().header("traceparent").unwrap().ends_with("-00"));
    assert_eq!(get(running.address(), "reviews", "/known/2").await.status, 200);
    running.proxy.drain().await;
    let requests = std::mem::take(&mut *seen.lock().unwrap());
    let [(request, body)] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/v1/traces"));
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    assert_eq!(
        (&request.headers()["x-key"], &request.headers()["host"]),
        (&"k".parse().unwrap(), &HOST.parse().unwrap())
    );
    let found = spans(body);
    assert_eq!((found.len(), found[0].tag("http.url")), (1, Some("http://reviews/known/2")));
}

#[tokio::test]
async fn l03_a_collector_that_is_down_or_refuses_costs_spans_and_nothing_else() {
    let upstream = Upstream::start("reviews").await;
    let provider = json!({"name": "otel", "opentelemetry": {"service": HOST, "port": 4317}});
    let refused = collector(Collected::default(), "14").await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for address in [refused, nobody] {
        let running = traced(provider.clone(), "grpc", address, &upstream, ALL).await;
        for _ in 0..20 {
            assert_eq!(get(running.address(), "reviews", "/known/1").await.status, 200);
        }
        running.proxy.drain().await;
        let counts = running.proxy.span_counts();
        assert_eq!((counts.sent, counts.dropped), (0, 20));
    }
    // One that never answers: requests are answered all the same.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = traced(provider, "grpc", silent.local_addr().unwrap(), &upstream, ALL).await;
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(get(running.address(), "reviews", "/known/1").await.status, 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Its queue is bounded: what finds no room is counted as dropped while the requests go on.
    let flood = async |count: usize| {
        let mut stream = tokio::net::TcpStream::connect(running.address()).await.unwrap();
        let one = b"GET /known/1 HTTP/1.1\r\nhost: reviews\r\n\r\n";
        let mut answers = 0;
        for _ in 0..count / 50 {
            tokio::io::AsyncWriteExt::write_all(&mut stream, &one.repeat(50)).await.unwrap();
            let (mut kept, mut here) = (Vec::new(), 0);
            while here < 50 {
                assert!(tokio::io::AsyncReadExt::read_buf(&mut stream, &mut kept).await.unwrap() > 0);
                here = kept.windows(13).filter(|window| window == b"HTTP/1.1 200 ").count();
            }
            answers += here;
        }
        answers
    };
    let answers = tokio::join!(flood(1500), flood(1500), flood(1500), flood(1500));
    assert_eq!(answers, (1500, 1500, 1500, 1500));
    assert!(running.proxy.span_counts().dropped >= 500, "{:?}", running.proxy.span_counts());
    running.proxy.drain().await;
    // Those that wait, and those on their way to somebody who never answers, are lost with the drain: all are accounted for.
    let counts = running.proxy.span_counts();
    assert_eq!((counts.sent, counts.dropped), (0, 20 + 4 * 1500));
}

#[tokio::test]
async fn zipkin_has_b3_headers_and_none_where_they_are_switched_off() {
    let upstream = Upstream::start("reviews").await;
    let address = collector(Collected::default(), "0").await;
    let provider = json!({"name": "otel", "zipkin": {"service": HOST, "port": 4317}});
    let running = traced(provider.clone(), "http", address, &upstream, ALL).await;
    assert_eq!(get(running.address(), "reviews", "/known/1").await.status, 200);
    let told = upstream.only();
    assert_eq!((told.header("x-b3-sampled"), told.header("traceparent")), (Some("1"), None));
    assert_eq!(told.header("x-b3-traceid").unwrap().len(), 32);

    let quiet = "{tracing: [{providers: [{name: otel}], disableContextPropagation: true}]}";
    let running = traced(provider, "http", address, &upstream, quiet).await;
    assert_eq!(get(running.address(), "reviews", "/known/1").await.status, 200);
    assert_eq!(upstream.only().header("x-b3-traceid"), None);
}

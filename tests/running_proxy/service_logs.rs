//! Access logs to services: Envoy's records and OpenTelemetry's, at a receiver that speaks gRPC.

use std::sync::Arc;

use mesh::proxy_core::runtime::Options;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{get, request};
use crate::fixture::{REVIEWS, Running, SIDECAR, config_with, reviews, start_with};
use crate::telemetry::{Collected, HOST, all, collector, fields, mesh, service, telemetry};
use crate::upstream::{Upstream, echo};

const ROUTES: &str = "  - match: [{uri: {prefix: /known}}]
    name: known
    route: [{destination: {host: reviews}}]
";

/// A sidecar with one provider of logs, `log`, that a Telemetry resource switches on.
async fn sidecar(
    text: &str,
    provider: Value,
    spec: &str,
    upstream: std::net::SocketAddr,
    receiver: std::net::SocketAddr,
) -> Running {
    let endpoints = [("10.0.1.1:9080", upstream), ("10.0.1.2:9080", upstream), ("10.0.5.1:4317", receiver)];
    let text = text.to_owned() + &service("otel", "10.96.0.50", "10.0.5.1", "grpc") + &telemetry(spec);
    let config = config_with(&text, SIDECAR, mesh(&json!([provider])));
    let mut options = Options::default();
    options.mesh_logs = true;
    start_with(config, &["10.96.0.20:9080"], &endpoints, options, |builder| {
        builder.workload(serde_json::from_str(SIDECAR).unwrap())
    })
    .await
}

const ON: &str = "{accessLogging: [{providers: [{name: log}]}]}";

/// The messages of the calls of a path.
fn messages(seen: &Collected, path: &str) -> Vec<Vec<u8>> {
    let calls = std::mem::take(&mut *seen.lock().unwrap());
    let message = |(request, body): &(hyper::Request<()>, bytes::Bytes)| {
        assert_eq!(request.uri().path(), path);
        assert_eq!(request.headers()["content-type"], "application/grpc");
        assert_eq!(request.uri().authority().unwrap(), HOST);
        assert_eq!(u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize, body.len() - 5);
        body[5..].to_vec()
    };
    calls.iter().map(message).collect()
}

/// The field at a place within fields: text, or a number.
fn text(message: &[u8], place: &[u64]) -> String {
    String::from_utf8(at(message, place)).unwrap()
}

fn number(message: &[u8], place: &[u64]) -> u64 {
    at(message, place).try_into().map_or(0, u64::from_be_bytes)
}

fn at(message: &[u8], place: &[u64]) -> Vec<u8> {
    place.iter().fold(message.to_vec(), |message, field| all(&message, *field).concat())
}

/// A map of texts.
fn map(message: &[u8], place: u64) -> Vec<(String, String)> {
    all(message, place).iter().map(|pair| (text(pair, &[1]), text(pair, &[2]))).collect()
}

const ALS: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

#[tokio::test]
async fn requests_are_told_of_as_envoy_tells_of_them() {
    let upstream = Upstream::start("reviews").await;
    let seen = Collected::default();
    let receiver = collector(Arc::clone(&seen), "0").await;
    let provider = json!({"name": "log", "envoyHttpAls": {"service": HOST, "port": 4317, "logName": "door",
        "additionalRequestHeadersToLog": ["X-Who", "x-none"], "additionalResponseHeadersToLog": ["x-upstream"]}});
    let spec = "{accessLogging: [{providers: [{name: log}], \
                filter: {expression: \"!request.path.startsWith('/quiet')\"}}]}";
    let running = sidecar(&reviews(ROUTES), provider, spec, upstream.address, receiver).await;
    let lines = [("host", "reviews"), ("x-who", "ann"), ("user-agent", "test")];
    assert_eq!(request(running.address(), "POST /known/1?q", &lines, "hello").await.status, 200);
    assert_eq!(get(running.address(), "reviews", "/none").await.status, 404);
    assert_eq!(get(running.address(), "reviews", "/quiet").await.status, 404);
    running.proxy.drain().await;
    let counts = running.proxy.service_log_counts();
    assert_eq!((counts.sent, counts.dropped), (2, 0));

    let mut entries = Vec::new();
    for message in messages(&seen, ALS) {
        assert_eq!(text(&message, &[1, 1, 1]), "sidecar~10.0.0.9~web-0.shop~shop.svc.cluster.local");
        assert_eq!(text(&message, &[1, 1, 2]), "web.shop");
        assert_eq!(text(&message, &[1, 2]), "door");
        assert!(all(&message, 3).is_empty(), "none of TCP");
        entries.extend(all(&at(&message, &[2]), 1));
    }
    let [first, second] = &entries[..] else { panic!("{}", entries.len()) };
    assert_eq!(number(first, &[2]), 2, "HTTP/1.1");
    let (common, asked, answer) = (at(first, &[1]), at(first, &[3]), at(first, &[4]));
    assert_eq!(text(&common, &[2, 1, 2]), "127.0.0.1");
    assert_eq!((text(&common, &[3, 1, 2]), number(&common, &[3, 1, 3])), ("10.96.0.20".to_owned(), 9080));
    assert!(number(&common, &[5, 1]) > 1_700_000_000, "seconds of its start");
    assert_eq!(text(&common, &[15]), "outbound|9080||reviews.shop.svc.cluster.local");
    assert_eq!((text(&common, &[19]), number(&common, &[24])), ("known".to_owned(), 1));
    assert!(all(&common, 16).is_empty(), "no flag");
    assert_eq!((number(&asked, &[1]), text(&asked, &[2]), number(&asked, &[12])), (3, "http".to_owned(), 5));
    assert_eq!((text(&asked, &[3]), text(&asked, &[5])), ("reviews".to_owned(), "/known/1?q".to_owned()));
    assert_eq!((text(&asked, &[6]), text(&asked, &[9]).len()), ("test".to_owned(), 36));
    assert_eq!(map(&asked, 13), [("x-who".to_owned(), "ann".to_owned())]);
    assert_eq!((number(&answer, &[1, 1]), number(&answer, &[3])), (200, 7));
    assert_eq!(map(&answer, 4), [("x-upstream".to_owned(), "reviews".to_owned())]);
    assert_eq!(text(&answer, &[6]), "via_upstream");
    // The flag for no route is the ninth field.
    assert_eq!(number(second, &[1, 16, 9]), 1);
    assert_eq!((number(second, &[4, 1, 1]), text(second, &[4, 6])), (404, "route_not_found".to_owned()));
}

#[tokio::test]
async fn connections_are_told_of_as_envoy_tells_of_them() {
    let seen = Collected::default();
    let receiver = collector(Arc::clone(&seen), "0").await;
    let provider = json!({"name": "log", "envoyTcpAls": {"service": HOST, "port": 4317}});
    let database = REVIEWS.replace("{name: http, port: 9080}", "{name: tcp-db, port: 9080}");
    let running = sidecar(&database, provider, ON, echo().await, receiver).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.read_exact(&mut [0; 5]).await.unwrap();
    drop(stream);
    let begun = std::time::Instant::now();
    while seen.lock().unwrap().is_empty() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "nothing is told");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let [message] = &messages(&seen, ALS)[..] else { panic!() };
    assert_eq!(text(message, &[1, 2]), "tcp_envoy_accesslog");
    let entry = at(message, &[3, 1]);
    assert_eq!((number(&entry, &[2, 1]), number(&entry, &[2, 2])), (5, 5));
    assert_eq!(text(&entry, &[1, 15]), "outbound|9080||reviews.shop.svc.cluster.local");
    assert!(text(&entry, &[1, 13, 1, 2]).starts_with("10.0.1."), "the endpoint");
}

#[tokio::test]
async fn open_telemetry_has_a_body_and_attributes() {
    let upstream = Upstream::start("reviews").await;
    let seen = Collected::default();
    let receiver = collector(Arc::clone(&seen), "0").await;
    let provider = json!({"name": "log", "envoyOtelAls": {"service": HOST, "port": 4317, "logFormat": {
        "text": "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE%",
        "labels": {"code": "%RESPONSE_CODE%", "none": "%REQ(X-NONE)%", "nested": {"route": "%ROUTE_NAME%"}}}}});
    let running = sidecar(&reviews(ROUTES), provider, ON, upstream.address, receiver).await;
    assert_eq!(get(running.address(), "reviews", "/known/1").await.status, 200);
    running.proxy.drain().await;
    let [message] = &messages(&seen, "/opentelemetry.proto.collector.logs.v1.LogsService/Export")[..] else {
        panic!()
    };
    let record = at(message, &[1, 2, 2]);
    assert_eq!(text(&record, &[5, 1]), "GET /known/1 200");
    let time = fields(&record).into_iter().find(|(field, _)| *field == 1).unwrap().1;
    assert!(u64::from_le_bytes(time.try_into().unwrap()) > 1_700_000_000_000_000_000);
    let attributes = all(&record, 6);
    let of = |name: &str| attributes.iter().find(|pair| text(pair, &[1]) == name).unwrap();
    assert_eq!((text(of("code"), &[2, 1]), text(of("none"), &[2, 1])), ("200".to_owned(), "-".to_owned()));
    let nested = at(of("nested"), &[2, 6, 1]);
    assert_eq!((text(&nested, &[1]), text(&nested, &[2, 1])), ("route".to_owned(), "known".to_owned()));
    assert!(all(&at(message, &[1]), 1).is_empty(), "Istio has the labels of the log switched off");
}

#[tokio::test]
async fn a_receiver_that_is_down_or_refuses_costs_records_and_nothing_else() {
    let upstream = Upstream::start("reviews").await;
    let refused = collector(Collected::default(), "14").await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for receiver in [refused, nobody] {
        let provider = json!({"name": "log", "envoyHttpAls": {"service": HOST, "port": 4317}});
        let running = sidecar(&reviews(ROUTES), provider, ON, upstream.address, receiver).await;
        for _ in 0..20 {
            assert_eq!(get(running.address(), "reviews", "/known/1").await.status, 200);
        }
        running.proxy.drain().await;
        let counts = running.proxy.service_log_counts();
        assert_eq!((counts.sent, counts.dropped), (0, 20));
    }
}

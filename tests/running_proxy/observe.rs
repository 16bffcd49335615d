//! What is told of requests: logs, metrics, explanations, the administration endpoint.

use std::time::Duration;

use http::Method;
use mesh::compile::proxy::listener::Direction;
use mesh::model::mesh_config::MeshConfig;
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::runtime::log_writer::LogWriter;
use mesh::proxy_core::runtime::metrics::Metrics;
use mesh::proxy_core::seam::sink::Sink;
use mesh::proxy_core::telemetry::access_log::LineFormat;
use mesh::proxy_core::telemetry::record::{Record, RequestRecord};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::alone::{is_alone, peak_memory};
use crate::client::{get, request};
use crate::fixture::{GATEWAY, SIDECAR, Shared, config, config_with, door, reviews, start_with};
use crate::upstream::Upstream;

const ROUTES: &str = "  - match: [{uri: {prefix: /known}}]
    name: known
    headers: {request: {set: {x-from: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% 100%%'}}}
    route: [{destination: {host: reviews}}]
";

#[tokio::test]
async fn requests_are_logged_counted_and_explained() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let (text, json) = (Shared::default(), Shared::default());
    let metrics = Metrics::new(&serde_json::from_str(SIDECAR).unwrap());
    let mut options = Options::default();
    options.name_decisions = true;
    let running = start_with(config(&reviews(ROUTES), SIDECAR), &["9080"], &endpoints, options, |builder| {
        builder
            .sink(LogWriter::new(text.clone(), LineFormat::text("")))
            .sink(LogWriter::new(json.clone(), LineFormat::json(None)))
            .sink(metrics.clone())
    })
    .await;
    let admin = running.proxy.administer("127.0.0.1:0".parse().unwrap(), Some(metrics)).await.unwrap();

    let headers = [("host", "reviews"), ("user-agent", "test \"quoted\"")];
    let known = request(running.address(), "POST /known/./x?y", &headers, "hello").await;
    assert_eq!(known.status, 200);
    let unknown = get(running.address(), "reviews", "/unknown").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(upstream.only().header("x-from"), Some("127.0.0.1 100%"));
    tokio::time::sleep(Duration::from_millis(300)).await;

    let lines = |shared: &Shared| -> Vec<String> {
        String::from_utf8(shared.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    };
    let text = lines(&text);
    assert_eq!(text.len(), 2, "{text:?}");
    assert!(text[0].contains("\"POST /known/x?y HTTP/1.1\" 200 - via_upstream - \"-\" 5 7 "), "{}", text[0]);
    assert!(text[0].contains("outbound|9080||reviews.shop.svc.cluster.local"), "{}", text[0]);
    assert!(text[0].ends_with(" - known"), "{}", text[0]);
    assert!(text[1].contains("\"GET /unknown HTTP/1.1\" 404 NR route_not_found"), "{}", text[1]);
    let object: Value = serde_json::from_str(&lines(&json)[0]).unwrap();
    assert_eq!(object["user_agent"], "test \"quoted\"");
    assert_eq!((&object["bytes_received"], &object["response_code"]), (&Value::from(5), &Value::from(200)));

    let exposed = get(admin, "localhost", "/metrics").await;
    let series = exposed
        .body
        .lines()
        .find(|line| line.starts_with("istio_requests_total{") && line.contains("response_code=\"404\""));
    let series = series.unwrap();
    for label in ["reporter=\"source\"", "source_workload=\"web-0\"", "response_flags=\"NR\""] {
        assert!(series.contains(label), "{series}");
    }
    assert!(exposed.body.contains("destination_service=\"reviews.shop.svc.cluster.local\""));
    assert!(exposed.body.contains("istio_request_duration_milliseconds_bucket{"));

    let id = unknown.header("x-mesh-decision").unwrap();
    let explained = get(admin, "localhost", &format!("/explain/{id}")).await;
    let explained: Value = serde_json::from_str(&explained.body).unwrap();
    assert_eq!(explained["decision"]["reason"], "no_route");
    assert_eq!(explained["id"], *id);
    // By the id that the request went on with too.
    let request_id = explained["request_id"].as_str().unwrap();
    let again = get(admin, "localhost", &format!("/explain/{request_id}")).await;
    assert_eq!(serde_json::from_str::<Value>(&again.body).unwrap()["id"], *id);
    assert_eq!(get(admin, "localhost", "/explain/none").await.status, 404);
    assert!(explained["steps"].as_array().unwrap().iter().any(|step| step["outcome"] == "lost"));
    let shown: Value = serde_json::from_str(&get(admin, "localhost", "/config").await.body).unwrap();
    assert!(shown["clusters"].as_object().unwrap().len() > 1);
}

/// Labels of the service that requests went to, on both sides: what the configuration calls it, else what was asked for.
#[tokio::test]
async fn metrics_name_the_service_as_the_configuration_does() {
    let upstream = Upstream::start("web").await;
    let mesh = "apiVersion: v1\nkind: Service\nmetadata: {name: front, namespace: shop}\nspec:\n  clusterIP: 10.96.0.9\n  \
                selector: {app: web}\n  ports: [{name: http, port: 80, targetPort: 8080}]\n---\napiVersion: v1\nkind: Pod\n\
                metadata: {name: web-0, namespace: shop, labels: {app: web}}\nstatus: {podIP: 10.0.0.9, phase: Running}\n---\n\
                apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: bank, namespace: shop}\nspec:\n  \
                hosts: [api.bank.example]\n  ports: [{number: 9999, name: http, protocol: HTTP}]\n  resolution: STATIC\n  \
                endpoints: [{address: 10.9.0.1}]\n";
    let metrics = Metrics::new(&serde_json::from_str(SIDECAR).unwrap());
    let ports = ["in:10.0.0.9:8080", "out:198.51.100.7:9999"];
    let endpoints =
        ["10.0.0.9:8080", "10.9.0.1:9999", "198.51.100.7:9999"].map(|mesh| (mesh, upstream.address));
    let running = start_with(config(mesh, SIDECAR), &ports, &endpoints, Options::default(), |builder| {
        builder.sink(metrics.clone())
    })
    .await;
    assert_eq!(get(running.addresses[0], "front", "/").await.status, 200);
    for host in ["api.bank.example", "elsewhere.example"] {
        assert_eq!(get(running.addresses[1], host, "/").await.body, "web");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let text = metrics.text();
    let services: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("istio_requests_total{"))
        .map(|line| {
            let of =
                |label: &str| line.split(&format!(",{label}=\"")).nth(1).unwrap().split('"').next().unwrap();
            ["destination_service", "destination_service_name", "destination_service_namespace"]
                .map(of)
                .join(" ")
        })
        .collect();
    for expected in [
        "front.shop.svc.cluster.local front shop",
        "api.bank.example api.bank.example shop",
        "elsewhere.example PassthroughCluster unknown",
    ] {
        assert!(services.iter().any(|found| found == expected), "{expected}: {services:?}");
    }
}

/// As many of the longest names as there may be, of ten times as many records: what they take and what a scrape of them
/// takes is bounded, although their text is not short.
#[test]
fn x08_a_scrape_of_the_longest_names_takes_little_memory() {
    if !is_alone("observe::x08_a_scrape_of_the_longest_names_takes_little_memory", &[]) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let metrics = Metrics::new(&serde_json::from_str(SIDECAR).unwrap());
        let running =
            start_with(config(&reviews(ROUTES), SIDECAR), &["9080"], &[], Options::default(), |builder| {
                builder.sink(metrics.clone())
            })
            .await;
        let admin =
            running.proxy.administer("127.0.0.1:0".parse().unwrap(), Some(metrics.clone())).await.unwrap();
        let before = peak_memory();
        let address = "127.0.0.1:1".parse().unwrap();
        for number in 0..100_000 {
            let mut record = Record::begin(Direction::Inbound, address, address);
            let long = "n".repeat(number % 7 * 100);
            record.peer_principal = Some(format!("spiffe://d/ns/{number}{long}/sa/a"));
            record.flags = format!("{}{}", number % 100, "F".repeat(300));
            record.status = 200;
            record.request = Some(RequestRecord {
                path: format!("/{number}"),
                authority: format!("{number}.example"),
                method: Method::from_bytes(format!("M{number}").as_bytes()).unwrap(),
                ..RequestRecord::default()
            });
            metrics.finished(&record);
        }
        // Several at once, and one that reads nothing for a while.
        let scrape = move |waits: Duration| async move {
            let mut stream = TcpStream::connect(admin).await.unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
            tokio::time::sleep(waits).await;
            let (mut buffer, mut total, mut end) = (vec![0; 65536], 0, Vec::new());
            loop {
                let length = stream.read(&mut buffer).await.unwrap();
                if length == 0 {
                    break;
                }
                total += length;
                end.extend_from_slice(&buffer[..length]);
                end.drain(..end.len().saturating_sub(64));
            }
            assert!(String::from_utf8_lossy(&end).contains("# EOF\n"), "it is not whole");
            total
        };
        let waits = [0, 0, 300].map(|waits| tokio::spawn(scrape(Duration::from_millis(waits))));
        for total in waits {
            let total = total.await.unwrap();
            assert!(total > 3 * SCRAPE_MEMORY, "{total} bytes show nothing");
        }
        let taken = peak_memory() - before;
        assert!(taken <= SCRAPE_MEMORY, "{taken} bytes");
    });
}

const SCRAPE_MEMORY: usize = 64 * 1024 * 1024;

#[tokio::test]
async fn logs_that_the_mesh_asks_for_are_written() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let path = std::env::temp_dir().join(format!(
        "mesh-log-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let _ = std::fs::remove_file(&path);
    let compiled = {
        let written = serde_json::json!({
            "accessLogFile": path.to_str().unwrap(),
            "accessLogFormat": "%REQ(:PATH)% %RESPONSE_CODE% %REQ(X-NONE)%\n",
        });
        let mesh = MeshConfig::with_defaults().overlay(serde_json::from_value(written).unwrap());
        config_with(&reviews(ROUTES), SIDECAR, mesh)
    };
    let mut options = Options::default();
    options.mesh_logs = true;
    let running = start_with(compiled, &["9080"], &endpoints, options, |builder| builder).await;
    let lines = || std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(get(running.address(), "reviews", "/known/1").await.status, 200);
    assert_eq!(get(running.address(), "reviews", "/2").await.status, 404);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(lines(), "/known/1 200 -\n/2 404 -\n");
    let _ = std::fs::remove_file(&path);
}

#[tokio::test]
async fn administration_is_for_this_machine_only() {
    let running =
        start_with(config(&reviews(ROUTES), SIDECAR), &["9080"], &[], Options::default(), |builder| builder)
            .await;
    assert!(running.proxy.administer("0.0.0.0:0".parse().unwrap(), None).await.is_err());
    let admin = running.proxy.administer("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    assert_eq!(get(admin, "localhost:1", "/ready").await.status, 200);
    assert_eq!(get(admin, "evil.example", "/ready").await.status, 403);
    let forged = [("host", "localhost"), ("origin", "https://evil.example")];
    assert_eq!(request(admin, "POST /drain", &forged, "").await.status, 403);
    assert_eq!(get(admin, "localhost", "/drain").await.status, 404);
    assert_eq!(get(admin, "localhost", "/ready").await.status, 200, "nobody has drained it");
    assert_eq!(get(admin, "evil.example", "/config").await.status, 403);
    // What is asked for is not repeated to a browser.
    for target in ["/config?<script>", "/<script>", "/explain/<script>"] {
        let answer = get(admin, "localhost", target).await;
        let is_page = answer.header("content-type").is_some_and(|kind| kind.contains("html"));
        assert!(!is_page && !answer.body.contains("<script>"), "{target}: {answer:?}");
    }
    assert_eq!(get(admin, "localhost", "/../../etc/passwd").await.status, 404);
    assert_eq!(get(running.address(), "reviews", "/x").await.header("x-mesh-decision"), None);
    assert_eq!(request(admin, "POST /drain", &[("host", "localhost")], "").await.status, 202);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(get(admin, "localhost", "/ready").await.status, 503);
}

/// What may be read on the administration endpoint may end in a ticket: values of headers that carry secrets are not told,
/// neither are keys.
#[tokio::test]
async fn a01_secrets_of_the_configuration_are_not_told() {
    let http = "  - match: [{headers: {cookie: {exact: SUPERSECRET1}}}]\n    \
                route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n  \
                - headers: {request: {set: {authorization: SUPERSECRET2, x-team: told}, add: {X-Api-Key: SUPERSECRET3}}, \
                response: {set: {set-cookie: SUPERSECRET4}}}\n    \
                route: [{destination: {host: reviews.shop.svc.cluster.local}, \
                headers: {request: {set: {proxy-authorization: SUPERSECRET5}}}}]\n";
    let tokens = "\n---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\n\
                  metadata: {name: tokens, namespace: edge}\nspec: {jwtRules: [{issuer: i, jwks: \
                  '{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"SUPERSECRET6\"}]}'}]}\n";
    let mut options = Options::default();
    options.name_decisions = true;
    let text = format!("{}{tokens}", door(http));
    let running = start_with(config(&text, GATEWAY), &["80"], &[], options, |builder| builder).await;
    let admin = running.proxy.administer("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let asked = [("host", "a"), ("cookie", "SUPERSECRET7")];
    let answer = request(running.address(), "GET /", &asked, "").await;
    let id = answer.header("x-mesh-decision").unwrap();
    let told =
        [get(admin, "localhost", "/config").await, get(admin, "localhost", &format!("/explain/{id}")).await];
    for answer in told {
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("[redacted]"), "{}", answer.body);
        let at = answer.body.find("SUPERSECRET");
        assert!(at.is_none(), "{}", &answer.body[at.unwrap_or(0)..]);
    }
    let all = get(admin, "localhost", "/config").await.body;
    assert!(
        ["proxy-authorization", "x-api-key", "set-cookie", "\"told\""]
            .iter()
            .all(|name| all.to_lowercase().contains(name))
    );
}

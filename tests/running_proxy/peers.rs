//! Workloads that tell each other of themselves: in headers, before bytes, and what metrics make of it.

use std::net::SocketAddr;

use mesh::model::mesh_config::MeshConfig;
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::runtime::metrics::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ca::Ca;
use crate::client::{get, request};
use crate::fixture::{GATEWAY, REVIEWS, Running, SIDECAR, config, config_with, door, start_with};
use crate::tls::{REVIEWS_ID, SERVER, STRICT, WEB, mesh_certificates};
use crate::upstream::{Upstream, echo};

const METADATA: [&str; 2] = ["x-envoy-peer-metadata", "x-envoy-peer-metadata-id"];

/// A sidecar with metrics; `tells`: whether it says who it is.
struct Sidecar {
    running: Running,
    metrics: Metrics,
}

impl Sidecar {
    async fn start(
        text: &str,
        proxy: &str,
        port: &str,
        endpoints: &[(&str, SocketAddr)],
        (ca, name): (&Ca, &str),
        tells: bool,
    ) -> Self {
        let metrics = Metrics::new(&serde_json::from_str(proxy).unwrap());
        let certificates = mesh_certificates(ca, name);
        let running = start_with(config(text, proxy), &[port], endpoints, Options::default(), |builder| {
            let builder = builder.certificates(certificates).metrics(metrics.clone());
            if tells { builder.workload(serde_json::from_str(proxy).unwrap()) } else { builder }
        })
        .await;
        Self { running, metrics }
    }

    /// A client and a server with mesh mTLS between them, the server in front of an application.
    async fn pair(protocol: &str, application: SocketAddr, tells: [bool; 2]) -> [Self; 2] {
        let ca = Ca::new();
        let text = REVIEWS.replace("name: http, port", &format!("name: {protocol}, port")) + STRICT;
        let text =
            text.replace("labels: {app: reviews", "labels: {security.istio.io/tlsMode: istio, app: reviews");
        let behind = [("10.0.1.1:9080", application)];
        let server = (&ca, REVIEWS_ID);
        let server = Self::start(&text, SERVER, "in:10.0.1.1:9080", &behind, server, tells[1]).await;
        let there = server.running.address();
        let endpoints = [("10.0.1.1:9080", there), ("10.0.1.2:9080", there)];
        let port = if protocol == "http" { "9080" } else { "10.96.0.20:9080" };
        let client = Self::start(&text, SIDECAR, port, &endpoints, (&ca, WEB), tells[0]).await;
        [client, server]
    }

    /// The labels of a side in the only series of a counter: workload, namespace, principal, version.
    async fn labels(&self, counter: &str, side: &str) -> String {
        let mut text = String::new();
        // It is told once the client has its answer.
        for _ in 0..100 {
            text = self.metrics.text();
            if text.lines().any(|line| line.starts_with(&format!("{counter}{{"))) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let series: Vec<_> = text.lines().filter(|line| line.starts_with(&format!("{counter}{{"))).collect();
        let [series] = &series[..] else { panic!("{series:?}") };
        let label = |name: &str| {
            let (_, rest) = series.split_once(&format!("{side}_{name}=\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        ["workload", "workload_namespace", "principal", "version"].map(label).join(" ")
    }
}

async fn say_hello(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"hello");
}

#[tokio::test]
async fn sidecars_tell_each_other_who_they_are_and_nobody_else() {
    let application = Upstream::start("application").await;
    let [client, server] = Sidecar::pair("http", application.address, [true, true]).await;
    for _ in 0..2 {
        let forged = [("host", "reviews:9080"), (METADATA[0], "forged"), (METADATA[1], "forged")];
        let answer = request(client.running.address(), "GET /x", &forged, "").await;
        assert_eq!((answer.status, &*answer.body), (200, "application"));
        assert!(METADATA.iter().all(|name| answer.header(name).is_none()), "{answer:?}");
    }
    for seen in application.take() {
        assert!(METADATA.iter().all(|name| seen.header(name).is_none()), "{seen:?}");
    }
    let requests = "istio_requests_total";
    assert_eq!(server.labels(requests, "source").await, format!("web-0 shop {WEB} unknown"));
    assert_eq!(server.labels(requests, "destination").await, format!("reviews-v1 shop {REVIEWS_ID} v1"));
    assert_eq!(client.labels(requests, "source").await, format!("web-0 shop {WEB} unknown"));
    assert_eq!(client.labels(requests, "destination").await, format!("reviews-v1 shop {REVIEWS_ID} v1"));
}

#[tokio::test]
async fn before_bytes_they_tell_it_where_both_do() {
    for tells in [[true, true], [true, false], [false, true], [false, false]] {
        let [client, server] = Sidecar::pair("tcp", echo().await, tells).await;
        say_hello(client.running.address()).await;
        let closed = "istio_tcp_connections_closed_total";
        let both = tells == [true, true];
        let source = if both { "web-0" } else { "unknown" };
        assert_eq!(
            server.labels(closed, "source").await,
            format!("{source} shop {WEB} unknown"),
            "{tells:?}"
        );
        // The configuration knows a workload, but not its version.
        let (destination, version) = (["reviews-v1", "reviews-v2"], if both { "v1" } else { "unknown" });
        let told = client.labels(closed, "destination").await;
        let fits = |name: &&str| told == format!("{name} shop {REVIEWS_ID} {version}");
        assert!(destination.iter().filter(|name| !both || **name == "reviews-v1").any(fits), "{told}");
        // No byte too many, and none too few.
        let record = &server.running.records.take()[0];
        assert_eq!((record.bytes_received, record.bytes_sent), (5, 5), "{tells:?}");
    }
}

/// What speaks first is not kept waiting.
#[tokio::test]
async fn a_server_that_speaks_first_may() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 ready\r\n").await.unwrap();
            let _ = stream.read(&mut [0; 1]).await;
        }
    });
    let [client, _server] = Sidecar::pair("tcp", address, [true, true]).await;
    let mut stream = TcpStream::connect(client.running.address()).await.unwrap();
    let mut greeting = [0; 11];
    let reading = stream.read_exact(&mut greeting);
    tokio::time::timeout(std::time::Duration::from_secs(10), reading).await.expect("no greeting").unwrap();
    assert_eq!(&greeting, b"220 ready\r\n");
}

/// A gateway tells upstreams who it is, whatever clients say; what upstreams say stays inside. An upstream without a proxy
/// is known by what made its Pod.
#[tokio::test]
async fn a_gateway_tells_upstreams_and_keeps_what_they_tell() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let text = door("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n");
    let made = ["v1", "v2"].iter().fold(text, |text, version| {
        let made = "generateName: reviews-, ownerReferences: [{kind: ReplicaSet, name: reviews-7c9, controller: true}]";
        text.replace(
            &format!("name: reviews-{version}, namespace: shop, labels: {{"),
            &format!("name: reviews-{version}, namespace: shop, {made}, labels: {{pod-template-hash: 7c9, "),
        )
    });
    let ca = Ca::new();
    let door = Sidecar::start(&made, GATEWAY, "80", &endpoints, (&ca, WEB), true).await;
    let forged = [("host", "a"), (METADATA[0], "forged"), (METADATA[1], "forged")];
    let answer = request(door.running.address(), "GET /x", &forged, "").await;
    assert_eq!(answer.status, 200);
    let seen = upstream.only();
    assert_eq!(seen.header(METADATA[1]), Some("router~10.0.0.8~door-0.edge~edge.svc.cluster.local"));
    assert!(seen.header(METADATA[0]).is_some_and(|told| told.len() > 100 && told != "forged"), "{seen:?}");
    assert_eq!(door.labels("istio_requests_total", "destination").await, "reviews shop unknown unknown");
    assert_eq!(get(door.running.address(), "a", "/y").await.status, 200);
}

/// T-473: `IN_MESH` keeps it from those out of the mesh.
#[tokio::test]
async fn strangers_are_not_told_where_only_the_mesh_is_to_know() {
    let upstream = Upstream::start("any").await;
    let text = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: NAME, namespace: shop}
spec:
  hosts: [NAME.example]
  location: LOCATION
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.9.9.9}]
";
    let entry = |name, location| text.replace("NAME", name).replace("LOCATION", location);
    let text = format!("{}---{}", entry("inside", "MESH_INTERNAL"), entry("outside", "MESH_EXTERNAL"));
    for (mode, outside_is_told) in [("UNDEFINED", true), ("IN_MESH", false)] {
        let written = format!(
            "{{\"defaultConfig\": {{\"proxyHeaders\": {{\"metadataExchangeHeaders\": {{\"mode\": \"{mode}\"}}}}}}}}"
        );
        let mesh = MeshConfig::with_defaults().overlay(serde_json::from_str(&written).unwrap());
        let endpoints = [("10.9.9.9:80", upstream.address)];
        let config = config_with(&text, SIDECAR, mesh);
        let proxy = start_with(config, &["80"], &endpoints, Options::default(), |builder| {
            builder.workload(serde_json::from_str(SIDECAR).unwrap())
        })
        .await;
        for (host, is_told) in [("inside.example", true), ("outside.example", outside_is_told)] {
            let forged = [("host", host), (METADATA[0], "forged"), (METADATA[1], "forged")];
            assert_eq!(request(proxy.address(), "GET /x", &forged, "").await.status, 200);
            let seen = upstream.only();
            let told = METADATA.map(|name| seen.header(name).is_some_and(|value| value != "forged"));
            assert_eq!(told, [is_told; 2], "{mode} {host} {seen:?}");
            assert!(is_told || METADATA.iter().all(|name| seen.header(name).is_none()), "{mode} {host}");
        }
    }
}

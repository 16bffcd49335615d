//! The settings of `connectionPool` that say how an upstream is spoken to, and clusters whose endpoint is what was dialled.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::dial::{Dial, Dialled, SystemDial, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::get;
use crate::fixture::{REVIEWS, Running, SIDECAR, config, start, start_with};
use crate::http2_attacks::{PING, PREFACE, SETTINGS, frame};
use crate::upstream::{Upstream, echo};

/// `REVIEWS` with a port of this name and a `connectionPool`.
fn with_pool(port: &str, pool: &str) -> String {
    let text = REVIEWS.replace("{name: http, port: 9080}", &format!("{{name: {port}, port: 9080}}")).replace(
        "  host: reviews\n  subsets:",
        &format!("  host: reviews\n  trafficPolicy: {{connectionPool: {pool}}}\n  subsets:"),
    );
    assert!(text.contains(pool));
    text
}

fn both(upstream: SocketAddr) -> [(&'static str, SocketAddr); 2] {
    [("10.0.1.1:9080", upstream), ("10.0.1.2:9080", upstream)]
}

/// What versions of HTTP an upstream hears from a client of HTTP/1.1 and one of HTTP/2.
async fn heard(pool: &str) -> [String; 2] {
    let upstream = Upstream::start("reviews").await;
    let running = start(&with_pool("http", pool), SIDECAR, &["9080"], &both(upstream.address)).await;
    assert_eq!(get(running.address(), "reviews", "/").await.status, 200);
    let first = upstream.only().version;
    let stream = TcpStream::connect(running.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let asked = hyper::Request::get("http://reviews/").body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(asked).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "reviews");
    [first, upstream.only().version]
}

#[tokio::test]
async fn upstreams_are_spoken_to_in_the_version_that_is_written() {
    for (pool, versions) in [
        ("{http: {h2UpgradePolicy: DO_NOT_UPGRADE}}", ["HTTP/1.1", "HTTP/1.1"]),
        ("{http: {h2UpgradePolicy: UPGRADE}}", ["HTTP/2.0", "HTTP/2.0"]),
        ("{http: {useClientProtocol: true}}", ["HTTP/1.1", "HTTP/2.0"]),
    ] {
        assert_eq!(heard(pool).await, versions, "{pool}");
    }
}

/// An upstream of HTTP/2 that answers nothing, and how many pings it heard on each connection.
async fn mute() -> (SocketAddr, Arc<Mutex<Vec<usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pings = Arc::<Mutex<Vec<usize>>>::default();
    let heard = Arc::clone(&pings);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let mut preface = [0; PREFACE.len()];
                stream.read_exact(&mut preface).await.unwrap();
                stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
                let mut pings = 0;
                let mut head = [0; 9];
                while stream.read_exact(&mut head).await.is_ok() {
                    let length = usize::from(head[1]) * 256 + usize::from(head[2]);
                    let mut payload = vec![0; length];
                    if stream.read_exact(&mut payload).await.is_err() {
                        break;
                    }
                    pings += usize::from(head[3] == PING && head[4] == 0);
                    if head[3] == SETTINGS && head[4] == 0 {
                        let _ = stream.write_all(&frame(SETTINGS, 1, 0, &[])).await;
                    }
                }
                heard.lock().unwrap().push(pings);
            });
        }
    });
    (address, pings)
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up() {
    let (address, pings) = mute().await;
    let pool = "{http: {http2KeepAlive: {interval: 1s, timeout: 1s}}}";
    let running = start(&with_pool("http2", pool), SIDECAR, &["9080"], &both(address)).await;
    let started = Instant::now();
    let answer = get(running.address(), "reviews", "/").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!((Duration::from_millis(1_900)..Duration::from_secs(8)).contains(&started.elapsed()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let pings = pings.lock().unwrap().clone();
    assert!(!pings.is_empty() && pings.iter().all(|pings| *pings >= 1), "{pings:?}");
}

#[tokio::test]
async fn bytes_that_stop_for_the_idle_timeout_end_a_connection() {
    let pool = "{tcp: {idleTimeout: 1s}}";
    let running = start(&with_pool("tcp-db", pool), SIDECAR, &["10.96.0.20:9080"], &both(echo().await)).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let mut byte = [0];
    for _ in 0..4 {
        stream.write_all(b"x").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let stopped = Instant::now();
    let closed = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut byte)).await.unwrap();
    assert_eq!(closed.unwrap_or(0), 0);
    assert!(stopped.elapsed() > Duration::from_millis(400), "{:?}", stopped.elapsed());
    assert!(running.records.take().iter().any(|record| record.flags == "SI"));
}

/// Tells what connections it was asked for.
#[derive(Debug, Default, Clone)]
struct Asked(SystemDial, Arc<Mutex<Vec<Target>>>);

impl Dial for Asked {
    fn dial(&self, target: Target) -> Dialled<'_> {
        self.1.lock().unwrap().push(target.clone());
        self.0.dial(target)
    }
}

#[tokio::test]
async fn keep_alive_of_tcp_reaches_who_makes_the_connection() {
    let upstream = Upstream::start("reviews").await;
    let instead = both(upstream.address).map(|(mesh, local)| (mesh.to_owned(), local.to_string())).into();
    let asked = Asked(SystemDial { instead }, Arc::default());
    let pool = "{tcp: {tcpKeepalive: {time: 7200s, interval: 75s, probes: 3}}}";
    let dial = asked.clone();
    let running = start_with(
        config(&with_pool("http", pool), SIDECAR),
        &["9080"],
        &[],
        Options::default(),
        |builder| builder.dial(dial),
    )
    .await;
    assert_eq!(get(running.address(), "reviews", "/").await.status, 200);
    let keepalive = asked.1.lock().unwrap()[0].keepalive.unwrap();
    assert_eq!((keepalive.time, keepalive.interval, keepalive.probes), (Some(7200), Some(75), Some(3)));
}

/// A sidecar that is dialled at two addresses which no service of the mesh has.
async fn outside(more: &str, upstreams: [SocketAddr; 2]) -> Running {
    let ports = ["out:198.51.100.7:9999", "out:198.51.100.8:9999"];
    let endpoints = [("198.51.100.7:9999", upstreams[0]), ("198.51.100.8:9999", upstreams[1])];
    start(&format!("{REVIEWS}{more}"), SIDECAR, &ports, &endpoints).await
}

/// What the mesh does not know goes where it was dialled (`PassthroughCluster`), and so does a ServiceEntry of resolution
/// `NONE`: each connection to its own address, whatever was dialled before.
#[tokio::test]
async fn clusters_of_the_original_destination_go_where_the_client_dialled() {
    let entry = "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: ext, namespace: shop}\n\
                 spec:\n  hosts: [ext.example]\n  ports: [{number: 9999, name: http, protocol: HTTP}]\n  resolution: NONE\n";
    for (more, cluster) in [("", "PassthroughCluster"), (entry, "outbound|9999||ext.example")] {
        let (near, far) = (Upstream::start("near").await, Upstream::start("far").await);
        let running = outside(more, [near.address, far.address]).await;
        for _ in 0..3 {
            assert_eq!(get(running.addresses[0], "ext.example", "/").await.body, "near");
            assert_eq!(get(running.addresses[1], "ext.example", "/").await.body, "far");
        }
        let mut told = running.records.take();
        // A request is told of once its answer has left.
        while told.len() < 6 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            told.extend(running.records.take());
        }
        for record in &told {
            assert_eq!(record.cluster.as_deref(), Some(cluster));
            assert_eq!(record.endpoint.as_deref(), Some(&*record.destination.to_string()));
        }
    }
}

/// `%UPSTREAM_LOCAL_ADDRESS%` is what the upstream sees a request come from, on connections that are new and that are kept.
#[tokio::test]
async fn logs_tell_what_a_connection_to_an_upstream_comes_from() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = Upstream::unbound();
    let peers = Arc::<Mutex<Vec<SocketAddr>>>::default();
    let seen = Arc::clone(&peers);
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            seen.lock().unwrap().push(peer);
            tokio::spawn(upstream.clone().serve(TokioIo::new(stream), "reviews"));
        }
    });
    for (port, pool) in [
        ("http", "{http: {h2UpgradePolicy: DO_NOT_UPGRADE}}"),
        ("http", "{http: {h2UpgradePolicy: UPGRADE}}"),
        ("tcp-db", "{}"),
    ] {
        peers.lock().unwrap().clear();
        let dialled = if port == "http" { "9080" } else { "10.96.0.20:9080" };
        let running = start(&with_pool(port, pool), SIDECAR, &[dialled], &both(address)).await;
        let mut told = Vec::new();
        for line in ["GET /", "GET /", "POST /"] {
            let body = if line.starts_with("POST") { "body" } else { "" };
            let answer = crate::client::request(running.address(), line, &[("host", "reviews")], body).await;
            assert_eq!(answer.status, 200, "{pool}");
            let begun = Instant::now();
            while running.records.take().into_iter().map(|it| told.push(it.upstream_local)).count() == 0 {
                assert!(begun.elapsed() < Duration::from_secs(10), "no record");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let peers = peers.lock().unwrap().clone();
        assert!(!peers.is_empty() && told.len() == 3, "{pool}: {told:?}");
        assert!(
            told.iter().all(|local| local.is_some_and(|local| peers.contains(&local))),
            "{told:?} {peers:?}"
        );
    }
    // Where there was no connection there is nothing to tell.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let running = start(&with_pool("http", "{}"), SIDECAR, &["9080"], &both(closed)).await;
    assert_eq!(get(running.address(), "reviews", "/").await.status, 503);
    assert_eq!(running.records.take()[0].upstream_local, None);
}

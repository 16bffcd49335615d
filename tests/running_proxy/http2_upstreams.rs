//! Upstreams that speak HTTP/2: connections that many requests share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh::proxy_core::runtime::Options;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Answer, get};
use crate::fixture::{REVIEWS, Running, SIDECAR, config, reviews, start_with};
use crate::upstream_faults::black_hole;

/// An HTTP/2 server. `/big` is 50 MB, `/slow/N` takes N milliseconds, all else is answered with `ok` at once; each answer
/// names its connection.
struct Peer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Peer {
    /// `streams_max`: how many requests it takes at once on a connection.
    async fn start(streams_max: Option<u32>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let peer = Self { address, connections: Arc::clone(&connections), ended: Arc::clone(&ended) };
        let big = Bytes::from(vec![b'x'; 50_000_000]);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
                let (big, ended) = (big.clone(), Arc::clone(&ended));
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, number, big.clone()));
                    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    builder.max_concurrent_streams(streams_max);
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                    ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        peer
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn answer(
    request: Request<Incoming>,
    number: usize,
    big: Bytes,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let path = request.uri().path();
    if let Some(millis) = path.strip_prefix("/slow/").and_then(|millis| millis.parse().ok()) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    let body = if path == "/big" { big } else { Bytes::from_static(b"ok") };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert("x-connection", number.into());
    Ok(response)
}

const ONCE: &str = "  - retries: {attempts: 0}\n    route: [{destination: {host: reviews, subset: v1}}]\n";

/// A sidecar in front of one endpoint that is spoken to in HTTP/2, with the `connectionPool` of its service.
async fn before(upstream: SocketAddr, pool: &str) -> Running {
    let route = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n\
                 metadata: {name: reviews, namespace: shop}\nspec:\n  hosts: [reviews]\n  http:\n";
    let text = format!("{REVIEWS}\n{route}{ONCE}")
        .replace("{name: http, port: 9080}", "{name: http2, port: 9080}")
        .replace(
            "  host: reviews\n  subsets:",
            &format!("  host: reviews\n  trafficPolicy: {{connectionPool: {pool}}}\n  subsets:"),
        );
    let endpoints = [("10.0.1.1:9080", upstream)];
    start_with(config(&text, SIDECAR), &["9080"], &endpoints, Options::default(), |builder| builder).await
}

/// Answers to requests that are sent at once, and how long each took.
async fn at_once(address: SocketAddr, count: usize, target: &'static str) -> Vec<(Answer, Duration)> {
    let started = Instant::now();
    let asking = (0..count)
        .map(|_| tokio::spawn(async move { (get(address, "reviews", target).await, started.elapsed()) }));
    let mut answers = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        answers.push(asked.await.unwrap());
    }
    answers
}

/// The twin of `h03_a_closed_window_holds_nobody_else_up`: clients that do not take their answers leave room for others on
/// the connection that they share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h03_clients_that_read_nothing_hold_nobody_else_of_an_http2_upstream_up() {
    let peer = Peer::start(None).await;
    let running = before(peer.address, "{}").await;
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        stream.write_all(b"GET /big HTTP/1.1\r\nhost: reviews\r\n\r\n").await.unwrap();
        deaf.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let answer = tokio::time::timeout(Duration::from_secs(5), get(running.address(), "reviews", "/small"));
    assert_eq!(answer.await.expect("the connection is stalled").body, "ok");
    assert_eq!(peer.connections(), 1, "all of them share it");
    drop(deaf);
}

/// The twin of `u01_the_connect_timeout_is_kept`: who waits for a connection that somebody else makes waits no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u01_all_who_wait_for_an_http2_connection_fail_in_the_time_of_one() {
    let (hole, _held) = black_hole().await;
    let running = before(hole, "{tcp: {connectTimeout: 500ms}}").await;
    for (answer, took) in at_once(running.address(), 6, "/").await {
        assert_eq!(answer.status, 503);
        assert!((Duration::from_millis(480)..Duration::from_millis(1000)).contains(&took), "{took:?}");
    }
    assert!(running.records.take().iter().all(|record| record.flags == "UF"));
}

/// Who makes the connection may be gone before it is there: those who wait for it do not wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_takes_nobodys_connection_with_it() {
    let (hole, _held) = black_hole().await;
    let running = before(hole, "{tcp: {connectTimeout: 1s}}").await;
    let mut first = TcpStream::connect(running.address()).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let waiting = tokio::spawn(at_once(running.address(), 2, "/"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    socket2::SockRef::from(&first).set_linger(Some(Duration::ZERO)).unwrap();
    drop(first);
    for (answer, took) in waiting.await.unwrap() {
        assert_eq!(answer.status, 503);
        assert!(took < Duration::from_millis(1800), "{took:?}");
    }
}

fn connections_of(answers: &[(Answer, Duration)]) -> Vec<String> {
    let mut numbers: Vec<_> = answers
        .iter()
        .map(|(answer, _)| answer.header("x-connection").unwrap_or("none").to_owned())
        .collect();
    numbers.sort();
    numbers
}

/// A peer that takes one request at a time on a connection is given another connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_what_the_peer_takes_at_once_have_another_connection() {
    let peer = Peer::start(Some(1)).await;
    let running = before(peer.address, "{}").await;
    // From the first connection on, and from a cold start alike.
    for expected in [["1", "2", "3"], ["1", "2", "3"]] {
        let answers = at_once(running.address(), 3, "/slow/700").await;
        assert!(answers.iter().all(|(answer, _)| answer.body == "ok"), "{answers:?}");
        assert!(answers.iter().all(|(_, took)| *took < Duration::from_millis(1300)), "{answers:?}");
        assert_eq!(connections_of(&answers), expected);
    }
    assert_eq!(peer.connections(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_max_concurrent_streams_have_another_connection() {
    let peer = Peer::start(None).await;
    let running = before(peer.address, "{http: {maxConcurrentStreams: 2}}").await;
    let answers = at_once(running.address(), 4, "/slow/500").await;
    assert!(answers.iter().all(|(answer, took)| answer.body == "ok" && *took < Duration::from_millis(950)));
    assert_eq!(connections_of(&answers), ["1", "1", "2", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_requests_beyond_max_requests_are_refused_at_once() {
    let peer = Peer::start(None).await;
    let running = before(peer.address, "{http: {http2MaxRequests: 2}}").await;
    let mut statuses: Vec<_> =
        at_once(running.address(), 4, "/slow/500").await.iter().map(|(answer, _)| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503]);
    assert_eq!(running.records.take().iter().filter(|record| record.flags == "UO").count(), 2);
}

/// As in Envoy the limit counts connections, not requests: beyond it requests wait, as many as may, for a place on one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u07_max_connections_counts_http2_connections() {
    let peer = Peer::start(None).await;
    let pool = "{tcp: {maxConnections: 1}, http: {maxConcurrentStreams: 1, http1MaxPendingRequests: 1}}";
    let running = before(peer.address, pool).await;
    assert_eq!(get(running.address(), "reviews", "/").await.status, 200);
    let answers = at_once(running.address(), 3, "/slow/400").await;
    let mut statuses: Vec<_> = answers.iter().map(|(answer, _)| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503]);
    assert_eq!(running.records.take().iter().filter(|record| record.flags == "UO").count(), 1);
    assert_eq!(peer.connections(), 1);
}

/// Waits until so many connections have ended.
async fn ended(peer: &Peer, count: usize) -> usize {
    for _ in 0..60 {
        if peer.ended.load(Ordering::SeqCst) >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    peer.ended.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_http2_connections_are_closed() {
    let peer = Peer::start(None).await;
    let running = before(peer.address, "{http: {idleTimeout: 1s}}").await;
    assert_eq!(get(running.address(), "reviews", "/").await.status, 200);
    // One with a request on it is not idle.
    assert_eq!(get(running.address(), "reviews", "/slow/2500").await.header("x-connection"), Some("1"));
    assert_eq!(peer.ended.load(Ordering::SeqCst), 0);
    assert_eq!(ended(&peer, 1).await, 1);
    assert_eq!(get(running.address(), "reviews", "/").await.header("x-connection"), Some("2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_connections_serve_so_many_requests_and_so_long() {
    let peer = Peer::start(None).await;
    let running = before(peer.address, "{http: {maxRequestsPerConnection: 2}}").await;
    for expected in ["1", "1", "2", "2", "3"] {
        assert_eq!(get(running.address(), "reviews", "/").await.header("x-connection"), Some(expected));
    }
    assert_eq!(ended(&peer, 2).await, 2);

    let peer = Peer::start(None).await;
    let running = before(peer.address, "{tcp: {maxConnectionDuration: 1s}}").await;
    // What was begun in time is finished.
    assert_eq!(get(running.address(), "reviews", "/slow/1500").await.body, "ok");
    assert_eq!(get(running.address(), "reviews", "/").await.header("x-connection"), Some("2"));
    assert_eq!(ended(&peer, 1).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http1_connections_live_no_longer_than_they_may() {
    let upstream = crate::upstream::Upstream::start("reviews").await;
    let text = reviews(ONCE).replace(
        "  host: reviews\n  subsets:",
        "  host: reviews\n  trafficPolicy: {connectionPool: {tcp: {maxConnectionDuration: 1s}}}\n  subsets:",
    );
    let endpoints = [("10.0.1.1:9080", upstream.address)];
    let running =
        start_with(config(&text, SIDECAR), &["9080"], &endpoints, Options::default(), |builder| builder)
            .await;
    for _ in 0..3 {
        assert_eq!(get(running.address(), "reviews", "/").await.status, 200);
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(get(running.address(), "reviews", "/").await.status, 200);
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 2);
}

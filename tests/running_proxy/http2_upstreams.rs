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
use crate::fixture::{REVIEWS, Running, SIDECAR, config, start_with};

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

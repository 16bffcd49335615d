//! Hostile and slow clients: what they are told, and that upstreams never hear of it.

use std::time::{Duration, Instant};

use mesh::proxy_core::runtime::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, exchange, say_and_end};
use crate::fixture::{GATEWAY, Running, config, door, start_with};
use crate::upstream::Upstream;

async fn gateway(options: Options) -> (Running, Upstream) {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let text = door("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n");
    let running = start_with(config(&text, GATEWAY), &["80"], &endpoints, options, |builder| builder).await;
    (running, upstream)
}

/// How many requests the upstream heard of, and the statuses that the client was told.
async fn smuggle(payload: &str) -> (usize, Vec<String>) {
    let (proxy, upstream) = gateway(Options::default()).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let answer = say_and_end(&mut stream, payload.as_bytes()).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&answer);
    let statuses = text
        .lines()
        .filter_map(|line| line.split_once("HTTP/1.1 "))
        .map(|(_, rest)| rest.chars().take(3).collect())
        .collect();
    (upstream.take().len(), statuses)
}

#[tokio::test]
async fn nothing_can_be_smuggled_past_the_framing() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\n";
    let hidden = "0\r\n\r\nGET /admin HTTP/1.1\r\nhost: a\r\n\r\n";
    for lines in [
        "content-length: 6\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 6\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "content-length: 5, 6\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: \x0bchunked\r\n",
        "transfer-encoding : chunked\r\n",
    ] {
        let (heard, statuses) = smuggle(&format!("{head}{lines}\r\n{hidden}")).await;
        assert!(heard <= 1, "{lines:?}: the upstream heard {heard} requests");
        assert!(statuses.len() <= 1, "{lines:?}: {statuses:?}");
    }
}

#[tokio::test]
async fn broken_heads_are_refused() {
    for payload in [
        "GET / HTTP/1.1\r\nhost: a\r\nx y: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n",
        "get / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/3.7\r\nhost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let (heard, statuses) = smuggle(payload).await;
        assert_eq!(heard, 0, "{payload:?}");
        assert!(
            statuses.is_empty() || statuses == ["400"] || statuses == ["505"],
            "{payload:?}: {statuses:?}"
        );
    }
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let (proxy, upstream) = gateway(Options::default()).await;
    let many: String = (0..150).map(|number| format!("x-{number}: 1\r\n")).collect();
    let large = format!("x-large: {}\r\n", "x".repeat(70_000));
    for lines in [many, large] {
        let answer = exchange(proxy.address(), format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n")).await;
        assert_eq!(Answer::parse(&answer).status, 431);
    }
    assert!(upstream.take().is_empty());
}

#[tokio::test]
async fn slow_heads_are_cut_off() {
    let mut options = Options::default();
    options.patience.request_head = Duration::from_millis(300);
    options.patience.detection = Duration::from_millis(300);
    let (proxy, _upstream) = gateway(options).await;
    let started = Instant::now();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhos").await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let mut options = Options::default();
    options.limits.connections = 2;
    let (proxy, _upstream) = gateway(options).await;
    let first = TcpStream::connect(proxy.address()).await.unwrap();
    let _second = TcpStream::connect(proxy.address()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = TcpStream::connect(proxy.address()).await.unwrap();
    third.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let waiting = tokio::time::timeout(Duration::from_millis(300), third.read_to_end(&mut answer)).await;
    assert!(waiting.is_err());
    drop(first);
    tokio::time::timeout(Duration::from_secs(5), third.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

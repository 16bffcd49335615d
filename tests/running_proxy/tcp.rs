//! Connections that are proxied as bytes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{REVIEWS, SIDECAR, start};
use crate::upstream::echo;

fn database() -> String {
    REVIEWS.replace("{name: http, port: 9080}", "{name: tcp-db, port: 9080}")
}

async fn sidecar(upstream: SocketAddr) -> crate::fixture::Running {
    let endpoints = [("10.0.1.1:9080", upstream), ("10.0.1.2:9080", upstream)];
    start(&database(), SIDECAR, &["10.96.0.20:9080"], &endpoints).await
}

#[tokio::test]
async fn bytes_go_both_ways_and_half_closes_are_passed_on() {
    let proxy = sidecar(echo().await).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let sent = vec![7; 300_000];
    let (mut read, mut write) = stream.split();
    let writing = async {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let (_, read) = tokio::join!(writing, read.read_to_end(&mut received));
    read.unwrap();
    assert!(received == sent);
}

#[tokio::test]
async fn servers_that_speak_first_are_heard_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 ready").await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    let proxy = sidecar(address).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let mut greeting = [0; 9];
    tokio::time::timeout(Duration::from_secs(2), stream.read_exact(&mut greeting)).await.unwrap().unwrap();
    assert_eq!(&greeting, b"220 ready");
}

#[tokio::test]
async fn no_upstream_closes_the_connection() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = sidecar(closed).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let mut nothing = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut nothing)).await.unwrap();
    assert!(read.unwrap_or(0) == 0 && nothing.is_empty());
}

/// A sidecar in front of one server, with the `connectionPool` of its service.
async fn limited(upstream: SocketAddr, pool: &str) -> crate::fixture::Running {
    let text = database().replace(
        "  host: reviews\n  subsets:",
        &format!("  host: reviews\n  trafficPolicy: {{connectionPool: {pool}}}\n  subsets:"),
    );
    assert!(text.contains(pool));
    let endpoints = [("10.0.1.1:9080", upstream), ("10.0.1.2:9080", upstream)];
    start(&text, SIDECAR, &["10.96.0.20:9080"], &endpoints).await
}

/// Whether a byte that is sent comes back.
async fn echoes(stream: &mut TcpStream) -> bool {
    let mut back = [0];
    let there_and_back = async {
        stream.write_all(b"x").await?;
        stream.read_exact(&mut back).await
    };
    tokio::time::timeout(Duration::from_secs(3), there_and_back).await.is_ok_and(|done| done.is_ok())
}

#[tokio::test]
async fn max_connections_closes_what_is_beyond_it() {
    let proxy = limited(echo().await, "{tcp: {maxConnections: 1}}").await;
    let mut first = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(echoes(&mut first).await);
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(!echoes(&mut second).await, "it is one too many");
    assert!(echoes(&mut first).await);
    assert!(proxy.records.take().iter().any(|record| record.flags == "UO"));
    drop(first);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut third = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(echoes(&mut third).await, "there is room again");
}

#[tokio::test]
async fn limits_on_requests_are_none_on_connections_of_bytes() {
    let pool = "{http: {http2MaxRequests: 1, http1MaxPendingRequests: 1, maxRequestsPerConnection: 1}}";
    let proxy = limited(echo().await, pool).await;
    let mut first = TcpStream::connect(proxy.address()).await.unwrap();
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(echoes(&mut first).await && echoes(&mut second).await);
}

#[tokio::test]
async fn a_connection_is_closed_when_it_was_open_for_as_long_as_it_may_be() {
    let proxy = limited(echo().await, "{tcp: {maxConnectionDuration: 1s}}").await;
    let started = std::time::Instant::now();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    // However busy it is.
    while echoes(&mut stream).await {
        assert!(started.elapsed() < Duration::from_secs(3), "it is still open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(started.elapsed() > Duration::from_millis(950), "{:?}", started.elapsed());
    assert!(proxy.records.take().iter().any(|record| record.flags == "DT"));
}

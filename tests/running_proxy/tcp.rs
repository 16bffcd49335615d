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

//! Memory that waiting streams take.

use std::time::Duration;

use mesh::proxy_core::runtime::Options;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::alone::{is_alone, peak_memory};
use crate::client::get;
use crate::fixture::{GATEWAY, config, door, start_with};
use crate::http2_attacks::{GOOD, PREFACE, SETTINGS, frame, request};

/// Connections of a hundred streams that all wait, by an injected delay: what each takes is bounded. The
/// system's allocator takes a seventh more here than the programs' own, with which it is 4 KiB.
#[test]
fn h08_streams_that_wait_are_small() {
    const CONNECTIONS: usize = 60;
    const STREAMS: usize = 100;
    const BOUND: usize = CONNECTIONS * (40 * 1024 + STREAMS * 4608);
    if !is_alone("memory::h08_streams_that_wait_are_small", &[]) {
        return;
    }
    let route = "  - match: [{uri: {prefix: /wait}}]\n    \
                 fault: {delay: {fixedDelay: 30s, percentage: {value: 100}}}\n    \
                 route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n  \
                 - directResponse: {status: 200, body: {string: here}}\n";
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let running =
            start_with(config(&door(route), GATEWAY), &["80"], &[], Options::default(), |builder| builder)
                .await;
        let waiting = [GOOD[0], GOOD[1], (b":path", b"/wait"), GOOD[3]];
        let said = |last: u32| -> Vec<u8> {
            let preface = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
            let streams = (0..last).flat_map(|at| request(2 * at + 1, &waiting));
            preface.into_iter().chain(streams).collect()
        };
        let mut clients = Vec::new();
        let mut open = async |bytes: &[u8]| {
            let mut stream = TcpStream::connect(running.address()).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            clients.push(stream);
        };
        // What all connections share is there before.
        open(&said(1)).await;
        assert_eq!(get(running.address(), "a", "/").await.body, "here");
        let before = peak_memory();
        let bytes = said(STREAMS as u32);
        for _ in 0..CONNECTIONS {
            open(&bytes).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(get(running.address(), "a", "/").await.body, "here");
        let taken = peak_memory() - before;
        println!("{} bytes for each connection of {STREAMS} streams", taken / CONNECTIONS);
        // Less than a kibibyte for each would mean that they are not there.
        assert!(
            (CONNECTIONS * STREAMS * 1024..=BOUND).contains(&taken),
            "{taken} bytes, the bound is {BOUND}"
        );
    });
}

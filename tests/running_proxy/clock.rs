//! Time as a test has it: hours pass at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::clock::ManualClock;

use crate::client::{exchange_on, get};
use crate::fixture::{Running, SIDECAR, config, reviews, start_with};
use crate::shim::Shim;
use crate::upstream::Upstream;

const ONCE: &str = "  - retries: {attempts: 0}\n    route: [{destination: {host: reviews}}]\n";
const HOUR: Duration = Duration::from_secs(3600);

async fn before(upstreams: [std::net::SocketAddr; 2], policy: &str) -> (Running, Arc<ManualClock>) {
    let text = reviews(ONCE).replace(
        "  host: reviews\n  subsets:",
        &format!("  host: reviews\n  trafficPolicy: {policy}\n  subsets:"),
    );
    let endpoints = [("10.0.1.1:9080", upstreams[0]), ("10.0.1.2:9080", upstreams[1])];
    let clock = Arc::new(ManualClock::at(1_700_000_000));
    let own = Arc::clone(&clock);
    let configured = config(&text, SIDECAR);
    let options = Options::default();
    (start_with(configured, &["9080"], &endpoints, options, |builder| builder.clock(own)).await, clock)
}

async fn failures_of(running: &Running, requests: usize) -> usize {
    let mut failed = 0;
    for _ in 0..requests {
        failed += usize::from(get(running.address(), "reviews", "/").await.status == 500);
    }
    failed
}

#[tokio::test]
async fn a_host_is_ejected_for_as_long_as_the_clock_says() {
    let good = Upstream::start("good").await;
    let bad = Shim::answering("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", false).await;
    let policy = "{outlierDetection: {consecutive5xxErrors: 2, interval: 60s, baseEjectionTime: 7200s, \
                  maxEjectionPercent: 50}, loadBalancer: {simple: ROUND_ROBIN}}";
    let (running, clock) = before([good.address, bad.address], policy).await;
    assert_eq!(failures_of(&running, 20).await, 2);
    clock.advance(HOUR);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(failures_of(&running, 10).await, 0, "it is out for two hours");
    clock.advance(HOUR + Duration::from_secs(61));
    let began = Instant::now();
    while failures_of(&running, 4).await == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_upstream_connection_is_kept_for_as_long_as_the_clock_says() {
    let shim = Shim::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", false).await;
    let policy = "{connectionPool: {http: {idleTimeout: 7200s}}}";
    let (running, clock) = before([shim.address; 2], policy).await;
    // Both endpoints are this one: their connections are two.
    let ask = async |count: usize| {
        for _ in 0..count {
            let stream = tokio::net::TcpStream::connect(running.address()).await.unwrap();
            let asked = b"GET / HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n";
            assert!(exchange_on(stream, asked).await.starts_with("HTTP/1.1 200"));
        }
    };
    // Who of two idle hosts is asked is drawn: of 32 requests some are for each.
    ask(32).await;
    let before = shim.connections();
    assert!(before <= 2, "{before}");
    clock.advance(HOUR);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    ask(32).await;
    assert_eq!(shim.connections(), before, "an hour is not two");
    clock.advance(HOUR * 2);
    ask(32).await;
    assert!(shim.connections() > before, "they are too old");
}

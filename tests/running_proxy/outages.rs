//! Upstreams that fail for long or all at once: who is left out, who is asked all the same, and what retries cost.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::dial::{BoxIo, Dial, Dialled, SystemDial, Target};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::alone::is_alone;
use crate::client::{get, request};
use crate::fixture::{Running, SIDECAR, config, reviews, start_with};
use crate::shim::Shim;
use crate::upstream::Upstream;

const ONCE: &str = "  - retries: {attempts: 0}\n    route: [{destination: {host: reviews}}]\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const ERROR: &str = "HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n";

/// A sidecar in front of two upstreams, by the `http` and the `trafficPolicy` of their service.
async fn before(upstreams: [&Shim; 2], http: &str, policy: &str) -> Running {
    let text = reviews(http).replace(
        "  host: reviews\n  subsets:",
        &format!("  host: reviews\n  trafficPolicy: {policy}\n  subsets:"),
    );
    assert!(text.contains(policy));
    let endpoints = [("10.0.1.1:9080", upstreams[0].address), ("10.0.1.2:9080", upstreams[1].address)];
    start_with(config(&text, SIDECAR), &["9080"], &endpoints, Options::default(), |builder| builder).await
}

/// An upstream that answers 500 while it is told to, and 200 otherwise.
async fn wavering(is_bad: &Arc<AtomicBool>) -> Shim {
    let is_bad = Arc::clone(is_bad);
    Shim::start(move |mut heard| {
        let is_bad = Arc::clone(&is_bad);
        async move {
            while heard.head().await.is_some() {
                heard.say(if is_bad.load(Ordering::SeqCst) { ERROR } else { OK }).await;
            }
        }
    })
    .await
}

fn outlier(more: &str) -> String {
    format!(
        "{{outlierDetection: {{consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 1s, {more}}}, \
         loadBalancer: {{simple: ROUND_ROBIN}}}}"
    )
}

/// Bad for a hundred milliseconds, good for a hundred, and so on: after two failures in a row it is left out for a second
/// at least, so that few of many requests fail; once it stays good it is asked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u03_a_host_that_flaps_costs_few_requests_and_comes_back() {
    let is_bad = Arc::new(AtomicBool::new(false));
    let (good, flapping) = (Shim::answering(OK, false).await, wavering(&is_bad).await);
    let running = before([&good, &flapping], ONCE, &outlier("maxEjectionPercent: 50")).await;
    let flap = tokio::spawn({
        let is_bad = Arc::clone(&is_bad);
        async move {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                is_bad.fetch_xor(true, Ordering::SeqCst);
            }
        }
    });
    let (begun, mut asked, mut failed) = (Instant::now(), 0_u32, 0_u32);
    while begun.elapsed() < Duration::from_secs(4) || asked < 100 {
        let status = get(running.address(), "reviews", "/").await.status;
        assert!(matches!(status, 200 | 500), "{status}");
        asked += 1;
        failed += u32::from(status == 500);
    }
    flap.abort();
    println!("{failed} of {asked} requests failed; {} were asked of the one that flaps", flapping.requests());
    // Two for an ejection, of which there are three at most in that time, and one for a bad moment that ended before two.
    assert!(failed <= 20 && failed * 4 <= asked, "{failed} of {asked} failed");
    is_bad.store(false, Ordering::SeqCst);
    let (before, begun) = (flapping.requests(), Instant::now());
    while flapping.requests() == before {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come back");
        assert_eq!(get(running.address(), "reviews", "/").await.status, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Of hosts that all fail no more are left out than may be; with a least health everybody is asked again (panic).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u03_where_all_are_bad_some_are_asked_all_the_same() {
    for (policy, both) in [
        (outlier("maxEjectionPercent: 50"), false),
        (outlier("maxEjectionPercent: 100, minHealthPercent: 60"), true),
    ] {
        let is_bad = Arc::new(AtomicBool::new(true));
        let (one, two) = (wavering(&is_bad).await, wavering(&is_bad).await);
        let running = before([&one, &two], ONCE, &policy).await;
        for _ in 0..10 {
            assert_eq!(get(running.address(), "reviews", "/").await.status, 500, "{policy}");
        }
        let (heard_one, heard_two) = (one.requests(), two.requests());
        for _ in 0..10 {
            assert_eq!(get(running.address(), "reviews", "/").await.status, 500, "{policy}");
        }
        let (more_one, more_two) = (one.requests() - heard_one, two.requests() - heard_two);
        assert_eq!((more_one + more_two, more_one > 0 && more_two > 0), (10, both), "{policy}");
        is_bad.store(false, Ordering::SeqCst);
        assert_eq!(get(running.address(), "reviews", "/").await.status, 200, "{policy}");
    }
}

/// Nobody may be asked, because all were left out, or because none is where the requests are to go: that is told without
/// a connection, and costs next to nothing, be it asked or not. Time is that of the processor, in a process of its own:
/// other programs do not count.
#[test]
fn u04_nobody_left_to_ask_is_told_for_next_to_nothing() {
    const REQUESTS: usize = 500;
    if !is_alone("outages::u04_nobody_left_to_ask_is_told_for_next_to_nothing", &[]) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let bad = Arc::new(AtomicBool::new(true));
        let (one, two) = (wavering(&bad).await, wavering(&bad).await);
        let policy = outlier("maxEjectionPercent: 100").replace("baseEjectionTime: 1s", "baseEjectionTime: 300s");
        let ejected = before([&one, &two], ONCE, &policy).await;
        for _ in 0..4 {
            assert_eq!(get(ejected.address(), "reviews", "/").await.status, 500);
        }
        let elsewhere = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: shop}
spec:
  hosts: [api.example]
  addresses: [10.9.0.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.1.1, locality: there/a}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api, namespace: shop}
spec:
  host: api.example
  trafficPolicy:
    loadBalancer: {localityLbSetting: {enabled: true, distribute: [{from: 'here/*', to: {'elsewhere/*': 100}}]}}
";
        let proxy = SIDECAR.replace("\"type\"", "\"locality\":\"here/a\",\"type\"");
        let options = Options::default();
        let wrong =
            start_with(config(elsewhere, &proxy), &["80"], &[], options, |builder| builder).await;
        let heard = one.requests() + two.requests();
        for (running, host) in [(&ejected, "reviews"), (&wrong, "api.example")] {
            running.records.take();
            let mut stream = TcpStream::connect(running.address()).await.unwrap();
            let ask = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
            let begun = processor_time();
            for _ in 0..REQUESTS {
                stream.write_all(ask.as_bytes()).await.unwrap();
                let mut answer = Vec::new();
                while !answer.ends_with(b"no healthy upstream") {
                    assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{host}");
                }
                assert!(answer.starts_with(b"HTTP/1.1 503 "), "{host}: {}", String::from_utf8_lossy(&answer));
            }
            let each = (processor_time() - begun) / REQUESTS as u32;
            println!("{host}: {each:?} of the processor for each request");
            // Client and server, and a build without optimisation; the tenth of it is what it takes.
            assert!(each < Duration::from_millis(5), "{host}: {each:?} each");
            let records = running.records.take();
            assert!(records.iter().all(|record| (record.status, &*record.flags) == (503, "UH")), "{records:?}");
            assert_eq!(records.len(), REQUESTS);
        }
        assert_eq!(one.requests() + two.requests(), heard, "somebody was asked");
        // Who has nobody to ask does not look for somebody again and again.
        let begun = processor_time();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let idle = processor_time() - begun;
        assert!(idle < Duration::from_millis(500), "{idle:?} of two seconds without a request");
    });
}

/// What this process has had of the processors, all threads together.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let ticks: u64 = after_name.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// A budget in the place of a number: on a total outage no more retries are under way at once than a fifth of the
/// requests (`retryBudget`, T-273).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u06_a_retry_budget_bounds_what_retries_add_to_the_load() {
    const CLIENTS: usize = 50;
    let (came, again) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (is_full, is_over) = (Arc::new(tokio::sync::Notify::new()), Arc::new(AtomicBool::new(false)));
    // First tries fail all at once, when all are there; second ones wait until the test has counted them.
    let shim = Shim::start({
        let (came, again, is_full, is_over) =
            (Arc::clone(&came), Arc::clone(&again), Arc::clone(&is_full), Arc::clone(&is_over));
        move |mut heard| {
            let (came, again, is_full, is_over) =
                (Arc::clone(&came), Arc::clone(&again), Arc::clone(&is_full), Arc::clone(&is_over));
            async move {
                while let Some(head) = heard.head().await {
                    if head.contains("x-envoy-attempt-count: 1") {
                        let full = is_full.notified();
                        if came.fetch_add(1, Ordering::SeqCst) + 1 < CLIENTS {
                            full.await;
                        } else {
                            is_full.notify_waiters();
                        }
                    } else {
                        again.fetch_add(1, Ordering::SeqCst);
                        while !is_over.load(Ordering::SeqCst) {
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                    }
                    heard.say("HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n").await;
                }
            }
        }
    })
    .await;
    let http = "  - retries: {attempts: 1, retryOn: 5xx}\n    route: [{destination: {host: reviews}}]\n";
    let policy = "{retryBudget: {percent: 20, minRetryConcurrency: 1}}";
    let running = before([&shim, &shim], http, policy).await;
    let address = running.address();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(async move { get(address, "reviews", "/").await.status });
    }
    // Those that may not be tried again are told; the others wait.
    let mut told = 0;
    while told < CLIENTS * 4 / 5 {
        assert_eq!(clients.join_next().await.unwrap().unwrap(), 503);
        told += 1;
    }
    let begun = Instant::now();
    while again.load(Ordering::SeqCst) + told < CLIENTS && begun.elapsed() < Duration::from_secs(2) {
        match tokio::time::timeout(Duration::from_millis(100), clients.join_next()).await {
            Ok(Some(status)) => {
                assert_eq!(status.unwrap(), 503);
                told += 1;
            }
            Ok(None) => break,
            Err(_) => {}
        }
    }
    let retries = again.load(Ordering::SeqCst);
    println!("{retries} retries for {CLIENTS} requests at once");
    assert!((1..=CLIENTS / 5).contains(&retries), "{retries} retries at once");
    is_over.store(true, Ordering::SeqCst);
    while let Some(status) = clients.join_next().await {
        assert_eq!(status.unwrap(), 503);
    }
    assert_eq!(shim.requests(), CLIENTS + again.load(Ordering::SeqCst));
    assert!(again.load(Ordering::SeqCst) <= CLIENTS / 5);
    let overflowed = running.records.take().iter().filter(|record| record.flags.contains("UO")).count();
    assert_eq!(overflowed, CLIENTS - retries, "whoever may not be tried again is told as such");
}

const CONNECTIONS: usize = 100;

/// An upstream whose first connections answer once, all of them together, and are broken off at the first byte of a second
/// request, which is counted; those after them are as they should be.
async fn broken_at_reuse(broken: &Arc<AtomicUsize>) -> Shim {
    let (waiting, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let broken = Arc::clone(broken);
    Shim::start(move |mut heard| {
        let (waiting, all, broken) = (Arc::clone(&waiting), Arc::clone(&all), Arc::clone(&broken));
        async move {
            if heard.number >= CONNECTIONS {
                while heard.head().await.is_some() {
                    heard.say(OK).await;
                }
                return;
            }
            if heard.head().await.is_none() {
                return;
            }
            let full = all.notified();
            if waiting.fetch_add(1, Ordering::SeqCst) + 1 < CONNECTIONS {
                full.await;
            } else {
                all.notify_waiters();
            }
            heard.say(OK).await;
            if heard.stream.read_u8().await.is_ok() {
                broken.fetch_add(1, Ordering::SeqCst);
                heard.reset();
            }
        }
    })
    .await
}

/// Many connections idle at once, and all of them broken off just when they are used again: what may be repeated is, and
/// nothing else is sent twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u09_connections_that_all_break_when_they_are_used_again_cost_and_double_nothing() {
    let again = "  - retries: {attempts: 3, retryOn: reset}\n    route: [{destination: {host: reviews}}]\n";
    for (http, line) in [(again, "GET /again"), (ONCE, "POST /once")] {
        let broken = Arc::new(AtomicUsize::new(0));
        let shim = broken_at_reuse(&broken).await;
        // Both endpoints are this one.
        let running = before([&shim, &shim], http, "{}").await;
        let address = running.address();
        let round = async |line: &'static str| {
            let mut clients = tokio::task::JoinSet::new();
            for _ in 0..CONNECTIONS {
                clients.spawn(async move { request(address, line, &[("host", "reviews")], "").await.status });
            }
            clients.join_all().await
        };
        assert_eq!(round("GET /first").await, [200; CONNECTIONS]);
        assert_eq!(shim.connections(), CONNECTIONS);
        let statuses = round(line).await;
        let served = statuses.iter().filter(|status| **status == 200).count();
        let heard = shim.heads.lock().unwrap().iter().filter(|head| head.starts_with(line)).count();
        let broken = broken.load(Ordering::SeqCst);
        println!("{line}: {served} served, {broken} connections broken off");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{line}: {statuses:?}");
        assert!(broken > 0, "{line}: nothing was used again");
        assert_eq!(heard, served, "{line}");
        if line.starts_with("GET") {
            assert_eq!(served, CONNECTIONS);
        } else {
            assert_eq!(heard + broken, CONNECTIONS, "sent once each, and never again");
        }
    }
}

/// A connection that takes one request. What is written after that is not taken, and nothing is heard of why: the other side
/// has closed a moment ago.
struct TakesOne {
    inner: BoxIo,
    taken: bool,
}

impl AsyncRead for TakesOne {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for TakesOne {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if std::mem::replace(&mut self.taken, true) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[derive(Debug)]
struct DialOnce(SystemDial);

impl Dial for DialOnce {
    fn dial(&self, target: Target) -> Dialled<'_> {
        Box::pin(async move {
            let inner = self.0.dial(target).await?;
            Ok(Box::new(TakesOne { inner, taken: false }) as BoxIo)
        })
    }
}

/// Of what a kept connection took nothing, nothing can have been done: it is sent on a new one, whatever the route says of
/// retries.
#[tokio::test]
async fn u09_what_a_kept_connection_did_not_take_goes_on_a_new_one() {
    let upstream = Upstream::start("reviews").await;
    let instead = ["10.0.1.1:9080", "10.0.1.2:9080"].map(|it| (it.to_owned(), upstream.address.to_string()));
    let dial = DialOnce(SystemDial { instead: instead.into() });
    let written = config(&reviews(ONCE), SIDECAR);
    let running = start_with(written, &["9080"], &[], Options::default(), |builder| builder.dial(dial)).await;
    for (round, line) in ["GET /a", "GET /b", "POST /c", "POST /d", "GET /e", "POST /f"].iter().enumerate() {
        let answer = request(running.address(), line, &[("host", "reviews")], "").await;
        assert_eq!(answer.status, 200, "{round}: {line}");
        assert_eq!(upstream.take().len(), 1, "{round}: {line}");
    }
}

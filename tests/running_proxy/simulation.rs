//! Time-outs in a simulated network: the real proxy between pipes, 100,000 requests, virtual time, an upstream whose delays
//! are drawn with a seed. Every outcome is known beforehand to the millisecond.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mesh::compile::proxy::listener::Direction;
use mesh::proxy_core::dice::{Dice, SeededDice};
use mesh::proxy_core::runtime::arrival::Arrival;
use mesh::proxy_core::runtime::options::Listen;
use mesh::proxy_core::runtime::{Options, Proxy};
use mesh::proxy_core::seam::dial::{BoxIo, Dial, Dialled, Target};
use mesh::proxy_core::seam::dice::FixedDice;
use mesh::proxy_core::seam::key_fetch;
use mesh::proxy_core::seam::resolve::InMemory;
use mesh::proxy_core::seam::sink::Kept;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use crate::fixture::{SIDECAR, config, reviews};

const REQUESTS: usize = 100_000;
const TRY_MS: u64 = 41;
const TOTAL_MS: u64 = 101;

/// How long the upstream takes for each try that reaches it, in order.
#[derive(Debug, Clone, Default)]
struct Network(Arc<Mutex<VecDeque<u64>>>);

impl Dial for Network {
    fn dial(&self, _: Target) -> Dialled<'_> {
        let (near, far) = tokio::io::duplex(4096);
        tokio::spawn(answer(far, self.clone()));
        Box::pin(async { Ok(Box::new(near) as BoxIo) })
    }
}

async fn answer(mut stream: DuplexStream, network: Network) {
    while head(&mut stream).await.is_some() {
        let delay = network.0.lock().unwrap().pop_front().expect("a try that nobody expected");
        tokio::time::sleep(Duration::from_millis(delay)).await;
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
            return;
        }
    }
}

async fn head(stream: &mut DuplexStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8(head).unwrap())
}

/// An answer with all of its body.
async fn whole(stream: &mut DuplexStream) -> String {
    let mut all = Vec::new();
    loop {
        assert!(stream.read_buf(&mut all).await.unwrap() > 0, "no answer");
        let text = String::from_utf8_lossy(&all);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if body.len() == length.parse::<usize>().unwrap() {
            return text.into_owned();
        }
    }
}

/// Status, flags, tries and time of a request, by the delays of its tries: what the route says, step by step.
fn expected(delays: &[u64; 3]) -> (u16, &'static str, u32, u64) {
    let mut passed = 0;
    for (tries, delay) in (1..).zip(delays) {
        if *delay < TRY_MS && passed + delay < TOTAL_MS {
            return (200, "", tries, passed + delay);
        }
        if passed + TRY_MS >= TOTAL_MS {
            return (504, "UT", tries, TOTAL_MS);
        }
        passed += TRY_MS;
    }
    unreachable!("three tries take longer than all of it may")
}

/// Two retries of 41 ms each, 101 ms in all, no back-off (the dice show nothing but 0): answers, time-outs of tries and of
/// the whole come exactly where the route has them.
#[tokio::test(start_paused = true)]
async fn timeouts_of_tries_and_of_the_whole_come_to_the_millisecond() {
    let http = format!(
        "  - timeout: {TOTAL_MS}ms\n    retries: {{attempts: 2, perTryTimeout: {TRY_MS}ms, retryOn: reset}}\n    \
         route: [{{destination: {{host: reviews}}}}]\n"
    );
    let network = Network::default();
    let records = Arc::new(Kept::default());
    let mut options = Options::default();
    options.listen = Listen::Nowhere;
    let proxy = Proxy::builder(options)
        .dial(network.clone())
        .dice(FixedDice::new([0]))
        .resolver(InMemory::default())
        .keys(key_fetch::InMemory::default())
        .sink(Arc::clone(&records))
        .build(config(&reviews(&http), SIDECAR));
    let (mut client, served) = tokio::io::duplex(4096);
    let arrival = Arrival {
        direction: Direction::Outbound,
        peer: SocketAddr::from(([10, 0, 0, 9], 40_000)),
        destination: SocketAddr::from(([10, 96, 0, 20], 9080)),
    };
    let serving = tokio::spawn(async move { proxy.serve(served, arrival).await });

    let mut dice = SeededDice::new(31);
    let mut counts: BTreeMap<(u16, u32), u64> = BTreeMap::new();
    for number in 0..REQUESTS {
        // Multiples of three meet neither bound, whichever try they are of.
        let delays = [(); 3].map(|()| 3 * dice.below(40));
        let (status, flags, tries, millis) = expected(&delays);
        *network.0.lock().unwrap() = delays.iter().take(tries as usize).copied().collect();
        let began = Instant::now();
        client.write_all(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n").await.unwrap();
        let mut answer = whole(&mut client).await;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap();
        answer.truncate("HTTP/1.1 200".len());
        assert_eq!(answer, format!("HTTP/1.1 {status}"), "{number}: {delays:?}");
        assert!(network.0.lock().unwrap().is_empty(), "{number}: {delays:?}: fewer tries than {tries}");
        // Timers go off in whole milliseconds: one may be begun for each wait.
        let waits = u64::from(tries);
        assert!((millis..=millis + waits).contains(&took), "{number}: {delays:?}: {took} ms, not {millis}");
        tokio::task::yield_now().await;
        let told = records.take();
        let told: Vec<_> =
            told.iter().map(|record| (record.status, &*record.flags, record.attempts)).collect();
        assert_eq!(told, [(status, flags, tries)], "{number}: {delays:?}");
        *counts.entry((status, tries)).or_default() += 1;
    }
    drop(client);
    serving.await.unwrap();
    // Of delays 0, 3, .. 117 fourteen are within a try and seven within what is left for the third.
    let (first, last) = (14.0 / 40.0, 7.0 / 40.0);
    for (outcome, share) in [
        ((200, 1), first),
        ((200, 2), (1.0 - first) * first),
        ((200, 3), (1.0 - first) * (1.0 - first) * last),
        ((504, 3), (1.0 - first) * (1.0 - first) * (1.0 - last)),
    ] {
        let (count, mean) = (counts.remove(&outcome).unwrap_or_default() as f64, REQUESTS as f64 * share);
        let sigma = (mean * (1.0 - share)).sqrt();
        assert!((count - mean).abs() <= 5.0 * sigma, "{outcome:?}: {count}, expected {mean}");
    }
    assert!(counts.is_empty(), "{counts:?}");
}

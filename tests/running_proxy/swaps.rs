//! Ten thousand configurations one after the other, under load: what the old ones held is given back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use mesh::compile::proxy::ProxyConfig;
use mesh::proxy_core::runtime::live::Generation;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::alone::is_alone;
use crate::fixture::{REVIEWS, Running, SIDECAR, config, start};
use crate::upstream::Upstream;

/// How many; more by `MESH_SWAPS`.
fn swaps() -> usize {
    std::env::var("MESH_SWAPS").ok().and_then(|swaps| swaps.parse().ok()).unwrap_or(10_000)
}

/// What is there once everything has been used: measured from here on.
const WARM: usize = 1_000;
const CLIENTS: usize = 4;

/// Memory that this process has, in KiB, and its open files.
fn held() -> (usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kibibytes = line.trim().trim_end_matches(" kB").parse().unwrap();
    (kibibytes, std::fs::read_dir("/proc/self/fd").unwrap().count())
}

/// One of the configurations: route, cluster settings, endpoints and other hosts of the mesh differ from the one before.
fn version(number: usize) -> ProxyConfig {
    let endpoints =
        if number.is_multiple_of(2) { REVIEWS.to_owned() } else { REVIEWS.replace("10.0.1.2", "10.0.1.3") };
    let most = 100 + number;
    let text = endpoints.replace(
        "  host: reviews\n",
        &format!(
            "  host: reviews\n  trafficPolicy: {{connectionPool: {{http: {{http2MaxRequests: {most}}}}}}}\n"
        ),
    );
    assert!(text.contains("http2MaxRequests"));
    let others: String = (0..5)
        .map(|other| {
            format!(
                "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\n\
                 metadata: {{name: other-{other}, namespace: shop}}\nspec:\n  hosts: [h{number}-{other}.example]\n  \
                 ports: [{{number: 9080, name: http, protocol: HTTP}}]\n  resolution: STATIC\n  \
                 endpoints: [{{address: 10.9.0.{other}}}]\n"
            )
        })
        .collect();
    let route = format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: reviews, namespace: shop}}\n\
         spec:\n  hosts: [reviews]\n  http:\n  - timeout: {}s\n    route: [{{destination: {{host: reviews}}}}]\n",
        5 + number
    );
    config(&format!("{text}{others}{route}"), SIDECAR)
}

async fn ask_until(stop: Arc<AtomicBool>, served: Arc<AtomicUsize>, address: std::net::SocketAddr) {
    while !stop.load(Ordering::Relaxed) {
        // A connection serves a hundred requests, so that connections come and go as well.
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..100 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\nreviews") {
                assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "cut off");
            }
            assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
            served.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn swap(running: &Running, upstream: &Upstream, versions: &[ProxyConfig]) {
    let mut old: Vec<Weak<Generation>> = Vec::new();
    let mut warm = (0, 0);
    let swaps = swaps();
    for number in 0..swaps {
        if number % 100 == 0 {
            old.push(Arc::downgrade(&running.proxy.generation()));
            // What the test itself keeps of requests is no leak.
            drop(upstream.take());
            assert!(
                running.records.take().iter().all(|record| record.status == 200 && record.flags.is_empty())
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if number == WARM {
            warm = held();
        }
        running.proxy.apply(versions[number % versions.len()].clone());
        tokio::task::yield_now().await;
    }
    drop((running.records.take(), upstream.take()));
    let (memory, files) = held();
    println!(
        "{swaps} swaps: {} KiB and {} files at swap {WARM}, {memory} KiB and {files} at the end",
        warm.0, warm.1
    );
    assert!(memory < warm.0 + 3 * 1024, "{} KiB became {memory} KiB", warm.0);
    // Clients and upstreams are between two connections now and then.
    assert!(files <= warm.1 + 4 * CLIENTS, "{} files became {files}", warm.1);
    // The next change takes apart what nobody has.
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.proxy.apply(versions[0].clone());
    let left = old.iter().filter(|generation| generation.strong_count() > 0).count();
    assert!(left <= 1, "{left} of {} old generations are still there", old.len());
}

#[test]
fn c05_ten_thousand_swaps_under_load_fail_nobody_and_leave_nothing_behind() {
    if !is_alone("swaps::c05_ten_thousand_swaps_under_load_fail_nobody_and_leave_nothing_behind", &[]) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let upstream = Upstream::start("reviews").await;
        let endpoints =
            ["10.0.1.1:9080", "10.0.1.2:9080", "10.0.1.3:9080"].map(|mesh| (mesh, upstream.address));
        let versions: Vec<ProxyConfig> = (0..8).map(version).collect();
        let running = start(REVIEWS, SIDECAR, &["9080"], &endpoints).await;
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(ask_until(Arc::clone(&stop), Arc::clone(&served), running.address())))
            .collect();
        swap(&running, &upstream, &versions).await;
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.unwrap();
        }
        let served = served.load(Ordering::Relaxed);
        println!("{served} requests, 0 failed");
        assert!(served > 1_000, "{served} requests over {} swaps", swaps());
    });
}

//! Changes of the configuration under load, files that change, drains.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mesh::proxy_core::runtime::files::Files;
use mesh::proxy_core::runtime::{Options, Proxy};
use mesh::proxy_core::seam::config_source::{Changed, ConfigSource, Loaded};
use mesh::proxy_core::seam::dial::SystemDial;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::get;
use crate::fixture::{SIDECAR, config, reviews, start};
use crate::upstream::Upstream;

const EVERYTHING: &str = "  - route: [{destination: {host: reviews}}]\n";

fn answering(text: &str) -> String {
    reviews(&format!("  - directResponse: {{status: 200, body: {{string: {text}}}}}\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_lose_no_request() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let running = start(&reviews(EVERYTHING), SIDECAR, &["9080"], &endpoints).await;
    let address = running.address();
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    stream.write_all(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n").await.unwrap();
                    let mut answer = Vec::new();
                    while !answer.ends_with(b"\r\n\r\nreviews") {
                        answer.push(stream.read_u8().await.unwrap());
                    }
                    assert!(answer.starts_with(b"HTTP/1.1 200 "));
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let first = config(&reviews(EVERYTHING), SIDECAR);
    let second = config(&reviews("  - timeout: 9s\n    route: [{destination: {host: reviews}}]\n"), SIDECAR);
    let started = Instant::now();
    let mut swaps = 0;
    while swaps < 10_000 || started.elapsed() < Duration::from_secs(1) {
        running.proxy.apply(if swaps % 2 == 0 { second.clone() } else { first.clone() });
        swaps += 1;
        if swaps % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let served = served.load(Ordering::Relaxed);
    assert!(served > 100, "{served} requests over {swaps} swaps");
    assert!(running.records.take().iter().all(|record| record.status == 200));
    // Clusters that did not change kept their connections.
    assert!(upstream.connections.load(Ordering::SeqCst) <= 16);
}

#[tokio::test]
async fn a_change_holds_for_the_next_request_of_a_connection() {
    let running = start(&answering("one"), SIDECAR, &["9080"], &[]).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let mut ask = async || {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    assert!(ask().await.ends_with("one"));
    running.proxy.apply(config(&answering("two"), SIDECAR));
    assert!(ask().await.ends_with("two"));
}

/// A source that takes its time: one change.
#[derive(Debug)]
struct Slow {
    is_told: bool,
    begun: Arc<AtomicBool>,
}

impl ConfigSource for Slow {
    fn load(&mut self) -> Result<Loaded, String> {
        self.begun.store(true, Ordering::SeqCst);
        std::thread::sleep(Duration::from_secs(2));
        Ok(Loaded { config: config(&answering("two"), SIDECAR), ..Loaded::default() })
    }

    fn changed(&mut self) -> Changed<'_> {
        let was_told = std::mem::replace(&mut self.is_told, true);
        Box::pin(async move {
            if was_told {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// On a runtime of one thread: what holds that thread up holds every request up.
#[tokio::test]
async fn requests_are_answered_while_a_configuration_is_loaded() {
    let running = start(&answering("one"), SIDECAR, &["9080"], &[]).await;
    let address = running.address();
    let begun = Arc::new(AtomicBool::new(false));
    let source = Slow { is_told: false, begun: Arc::clone(&begun) };
    let following = tokio::spawn({
        let proxy = running.proxy.clone();
        async move { proxy.follow(source).await }
    });
    let mut during = 0;
    let started = Instant::now();
    while get(address, "reviews", "/").await.body == "one" {
        during += usize::from(begun.load(Ordering::SeqCst));
        assert!(started.elapsed() < Duration::from_secs(30), "the change never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(during > 10, "{during} requests were answered meanwhile");
    following.abort();
}

#[tokio::test]
async fn files_are_read_again_and_a_broken_one_changes_nothing() {
    let folder = std::env::temp_dir().join(format!("mesh-reload-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("mesh.yaml");
    let proxy_file = folder.join("proxy.txt");
    std::fs::write(&file, answering("one")).unwrap();
    std::fs::write(&proxy_file, SIDECAR).unwrap();
    let mut files = Files::open(vec![folder.clone()], None, proxy_file.to_str().unwrap(), None).unwrap();
    let loaded = files.load().unwrap();
    let mut options = Options::default();
    options.listen = mesh::proxy_core::runtime::options::Listen::Mapped(vec![
        mesh::proxy_core::runtime::options::PortMap::parse("9080=127.0.0.1:0").unwrap(),
    ]);
    let proxy = Proxy::builder(options).dial(SystemDial::default()).build(loaded.config);
    let address = proxy.listen().await.unwrap()[0];
    let following = tokio::spawn({
        let proxy = proxy.clone();
        async move { proxy.follow(files).await }
    });
    let body = async || get(address, "reviews", "/").await.body;
    assert_eq!(body().await, "one");
    let until = async |wanted: &str| {
        for _ in 0..100 {
            if body().await == wanted {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    };
    std::fs::write(&file, answering("two")).unwrap();
    assert!(until("two").await);
    std::fs::write(
        &file,
        answering("three").replace("directResponse: {status: 200", "directResponse: {status: ["),
    )
    .unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(body().await, "two");
    std::fs::write(&file, answering("four")).unwrap();
    assert!(until("four").await);
    following.abort();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Files as they are really replaced: emptied and written again, moved over, behind a link that is swapped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c09_a_file_is_taken_whole_however_it_is_replaced() {
    let folder = std::env::temp_dir().join(format!("mesh-c09-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    for version in ["..v1", "..v2"] {
        std::fs::create_dir_all(folder.join(version)).unwrap();
    }
    std::fs::write(folder.join("proxy.txt"), SIDECAR).unwrap();
    std::fs::write(folder.join("..v1/mesh.yaml"), answering("one")).unwrap();
    std::fs::write(folder.join("..v2/mesh.yaml"), answering("two")).unwrap();
    // As a mounted volume has it.
    std::os::unix::fs::symlink("..v1", folder.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/mesh.yaml", folder.join("mesh.yaml")).unwrap();
    let file = folder.join("mesh.yaml");
    let proxy = folder.join("proxy.txt").display().to_string();
    let mut files = Files::open(vec![file.clone()], None, &proxy, None).unwrap();
    let mut options = Options::default();
    options.listen = mesh::proxy_core::runtime::options::Listen::Mapped(vec![
        mesh::proxy_core::runtime::options::PortMap::parse("9080=127.0.0.1:0").unwrap(),
    ]);
    let loaded = files.load().unwrap();
    let running = Proxy::builder(options).dial(SystemDial::default()).build(loaded.config);
    let address = running.listen().await.unwrap()[0];
    let following = tokio::spawn({
        let running = running.clone();
        async move { running.follow(files).await }
    });
    let until = async |wanted: &str| {
        for _ in 0..60 {
            if get(address, "reviews", "/").await.body == wanted {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    };
    assert!(until("one").await);
    std::os::unix::fs::symlink("..v2", folder.join("..new")).unwrap();
    std::fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    assert!(until("two").await, "a link that is swapped");
    // Now a file of its own, moved over the link.
    std::fs::write(folder.join("moved.tmp"), answering("three")).unwrap();
    std::fs::rename(folder.join("moved.tmp"), &file).unwrap();
    assert!(until("three").await, "a file moved over another");
    // Emptied, left so for a while, then written.
    std::fs::File::create(&file).unwrap();
    for _ in 0..16 {
        assert_eq!(get(address, "reviews", "/").await.body, "three", "an emptied file");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::write(&file, answering("four")).unwrap();
    assert!(until("four").await);
    following.abort();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let running = start(
        &reviews("  - retries: {attempts: 0}\n    route: [{destination: {host: reviews}}]\n"),
        SIDECAR,
        &["9080"],
        &endpoints,
    )
    .await;
    let address = running.address();
    let slow = tokio::spawn(async move { get(address, "reviews", "/slow").await });
    let mut idle = TcpStream::connect(address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    running.proxy.drain().await;
    assert!(started.elapsed() < Duration::from_secs(10));
    let answer = slow.await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "reviews"));
    assert!(TcpStream::connect(address).await.is_err());
    let mut rest = Vec::new();
    assert_eq!(idle.read_to_end(&mut rest).await.unwrap_or(0), 0);
}

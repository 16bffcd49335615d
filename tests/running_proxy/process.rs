//! The program `gateway` as a process: signals, limits of the system, sudden ends. Skipped where it was not built
//! (`cargo build --features runtime-tests --example gateway`).

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream as Blocking};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rcgen::{KeyPair, PublicKeyData, SigningKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::get;
use crate::fixture::{GATEWAY, door};
use crate::upstream::Upstream;

const ROUTE: &str =
    "  - retries: {attempts: 0}\n    route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n";

pub(crate) fn program() -> Option<PathBuf> {
    let own = std::env::current_exe().unwrap();
    let found = own.parent().and_then(|deps| deps.parent()).map(|target| target.join("examples/gateway"));
    let found = found.filter(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipped: the example `gateway` is not built");
    }
    found
}

/// A gateway that runs as a process of its own.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    /// Of the administration endpoint.
    pub(crate) admin: SocketAddr,
    // Kept open, so that the log can be written.
    log: mpsc::Receiver<String>,
}

impl Process {
    /// Starts the program, with files in flight limited where `files` says so.
    pub(crate) fn start(name: &str, upstream: SocketAddr, files: Option<u32>) -> Option<Self> {
        let limit = files.map(|files| format!("ulimit -n {files}; ")).unwrap_or_default();
        Self::start_with(name, &door(ROUTE), upstream, &limit, &[])
    }

    /// The same with another configuration. `limit`: what the shell does before; `more`: arguments.
    pub(crate) fn start_with(
        name: &str,
        text: &str,
        upstream: SocketAddr,
        limit: &str,
        more: &[&str],
    ) -> Option<Self> {
        let program = program()?;
        let folder = std::env::temp_dir().join(format!("mesh-process-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("proxy.txt"), GATEWAY).unwrap();
        std::fs::write(folder.join("mesh.yaml"), text).unwrap();
        Some(Self::run_with(&program, folder, upstream, limit, "127.0.0.1:0", more))
    }

    /// `limit`: what the shell does before; `local`: where it listens.
    fn run_with(
        program: &std::path::Path,
        folder: PathBuf,
        upstream: SocketAddr,
        limit: &str,
        local: &str,
        more: &[&str],
    ) -> Self {
        let mut child = Command::new("bash")
            .arg("-c")
            .arg(format!("{limit}exec \"$0\" \"$@\""))
            .arg(program)
            .arg("--config")
            .arg(folder.join("mesh.yaml"))
            .arg("--proxy")
            .arg(folder.join("proxy.txt"))
            .args(["--port-map", &format!("80={local}"), "--admin", "127.0.0.1:0"])
            .args(more)
            .arg("--endpoint")
            .arg(format!("10.0.1.1:9080={upstream},10.0.1.2:9080={upstream}"))
            .env("RUST_LOG", "info")
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let admin = told_address(&log, "administration address=");
        let address = told_address(&log, "listening address=");
        Self { child, address, folder, admin, log }
    }

    /// Where it listens besides, one after the other.
    pub(crate) fn next_address(&self) -> SocketAddr {
        told_address(&self.log, "listening address=")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        while started.elapsed() < patience {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The next address that the log tells of in these words.
fn told_address(log: &mpsc::Receiver<String>, words: &str) -> SocketAddr {
    let mut seen = Vec::new();
    loop {
        let line =
            log.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("no address: {seen:?}"));
        let plain = without_colours(&line);
        if let Some(address) = plain.split(words).nth(1) {
            return address.trim().parse().unwrap();
        }
        seen.push(plain);
    }
}

fn without_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut is_escape = false;
    for character in line.chars() {
        match (is_escape, character) {
            (false, '\u{1b}') => is_escape = true,
            (true, 'm') => is_escape = false,
            (true, _) => {}
            (false, character) => plain.push(character),
        }
    }
    plain
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q01_a_drain_under_load_fails_no_request_and_ends_in_time() {
    let upstream = Upstream::start("reviews").await;
    let Some(mut process) = Process::start("q01", upstream.address, None) else { return };
    let address = process.address;
    let (stop, served, failed) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // Clients of a connection each, and one that keeps its connection until it is told to close it.
    let mut clients = Vec::new();
    for keeps in [false, false, true] {
        let (stop, served, failed) = (Arc::clone(&stop), Arc::clone(&served), Arc::clone(&failed));
        clients.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let Ok(mut stream) = TcpStream::connect(address).await else { return };
                loop {
                    let end = if keeps { "" } else { "connection: close\r\n" };
                    let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{end}\r\n");
                    let mut answer = Vec::new();
                    let is_sent = stream.write_all(request.as_bytes()).await.is_ok();
                    while is_sent && !answer.ends_with(b"\r\n\r\nreviews") {
                        match stream.read_u8().await {
                            Ok(byte) => answer.push(byte),
                            Err(_) => break,
                        }
                    }
                    let is_good = answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"reviews");
                    if is_good { &served } else { &failed }.fetch_add(1, Ordering::Relaxed);
                    if !keeps || !is_good || String::from_utf8_lossy(&answer).contains("connection: close") {
                        break;
                    }
                }
            }
        }));
    }
    let slow = tokio::spawn(async move { get(address, "a", "/slow").await.status });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = served.load(Ordering::Relaxed);
    process.signal("-TERM");
    // While it gives notice, new connections are still served.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(served.load(Ordering::Relaxed) > before, "nothing was served while it drained");
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(slow.await.unwrap(), 200, "a request in flight");
    let status = tokio::task::spawn_blocking(move || process.wait(Duration::from_secs(10))).await.unwrap();
    assert_eq!(status.and_then(|status| status.code()), Some(0));
    assert_eq!(failed.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q02_a_second_signal_ends_the_drain_and_a_broken_pipe_ends_nothing() {
    let upstream = Upstream::start("reviews").await;
    let Some(mut process) = Process::start("q02", upstream.address, None) else { return };
    process.signal("-PIPE");
    assert_eq!(get(process.address, "a", "/").await.status, 200);
    let mut held = TcpStream::connect(process.address).await.unwrap();
    held.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    process.signal("-TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        process.wait(Duration::ZERO.max(Duration::from_millis(20))).is_none(),
        "it waits for the request"
    );
    process.signal("-TERM");
    let status = process.wait(Duration::from_secs(3)).expect("it still waits");
    assert_eq!(status.code(), Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_573_a_drain_takes_as_long_as_the_settings_or_the_arguments_give_it() {
    let start = |name: &str, given: &str, more: &[&str], upstream| {
        let file = std::env::temp_dir().join(format!("mesh-{name}-{}.yaml", std::process::id()));
        std::fs::write(&file, format!("defaultConfig: {{terminationDrainDuration: {given}}}\n")).unwrap();
        let args = [&["--mesh-config", file.to_str().unwrap()], more].concat();
        let process = Process::start_with(name, &door(ROUTE), upstream, "", &args);
        std::fs::remove_file(file).unwrap();
        process
    };
    // A request that never ends is not waited for.
    let upstream = Upstream::start("reviews").await;
    let Some(mut process) = start("brief-drain", "1s", &[], upstream.address) else { return };
    let mut held = TcpStream::connect(process.address).await.unwrap();
    held.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    process.signal("-TERM");
    let status = tokio::task::spawn_blocking(move || process.wait(Duration::from_secs(20))).await.unwrap();
    assert_eq!(status.and_then(|status| status.code()), Some(0), "it waits for the request");
    // One that ends in time is, and the argument comes first.
    for (name, given, more) in [("long-drain", "60s", &[][..]), ("told-drain", "0s", &["--drain", "60"])] {
        let Some(mut process) = start(name, given, more, upstream.address) else { return };
        let address = process.address;
        let slow = tokio::spawn(async move { get(address, "a", "/slow").await.status });
        while upstream.take().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        process.signal("-TERM");
        assert_eq!(slow.await.unwrap(), 200, "{name}");
        let status =
            tokio::task::spawn_blocking(move || process.wait(Duration::from_secs(20))).await.unwrap();
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{name}");
    }
}

/// A hundred sudden ends. At every fifth start the files are broken, at every seventh they are gone: what was in force
/// before is in force again. `MESH_GATEWAY` may name another build of the program, `MESH_START_MS` the bound for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q03_after_a_sudden_end_it_serves_again_at_once() {
    let upstream = Upstream::start("reviews").await;
    let Some(mut process) = Process::start("q03", upstream.address, None) else { return };
    let program = std::env::var_os("MESH_GATEWAY").map_or_else(|| program().unwrap(), PathBuf::from);
    let bound = std::env::var("MESH_START_MS").map_or(4_000, |bound| bound.parse().unwrap());
    let (mesh, state) = (process.folder.join("mesh.yaml"), process.folder.join("state"));
    let good = std::fs::read_to_string(&mesh).unwrap();
    let more = ["--state", state.to_str().unwrap()];
    let mut starts = Vec::new();
    for number in 0..100 {
        assert_eq!(get(process.address, "a", "/").await.status, 200, "start {number}");
        process.signal("-KILL");
        process.wait(Duration::from_secs(5)).unwrap();
        let is_kept = state.exists();
        match number {
            number if is_kept && number % 5 == 4 => {
                std::fs::write(&mesh, good.replace("hosts:", "hosts: 5 #")).unwrap();
            }
            number if is_kept && number % 7 == 6 => std::fs::remove_file(&mesh).unwrap(),
            _ => std::fs::write(&mesh, &good).unwrap(),
        }
        let started = Instant::now();
        let folder = std::mem::take(&mut process.folder);
        process = Process::run_with(&program, folder, upstream.address, "", "127.0.0.1:0", &more);
        starts.push(started.elapsed().as_millis());
    }
    assert_eq!(get(process.address, "a", "/").await.status, 200);
    starts.sort_unstable();
    let (middle, longest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    eprintln!("100 starts: {middle} ms in the middle, {longest} ms at most");
    assert!(longest <= bound, "{starts:?}");
}

#[test]
fn q05_without_a_configuration_it_says_so_and_serves_nobody() {
    let Some(program) = program() else { return };
    let folder = std::env::temp_dir().join(format!("mesh-process-q05-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("proxy.txt"), GATEWAY).unwrap();
    let missing = folder.join("nowhere.yaml");
    let output = Command::new(&program)
        .arg("--config")
        .arg(&missing)
        .arg("--proxy")
        .arg(folder.join("proxy.txt"))
        .args(["--port-map", "80=127.0.0.1:0"])
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere.yaml"));
}

/// A port that another has is told by its number, and nobody is served elsewhere in its place.
#[test]
fn x06_a_port_that_is_taken_is_named_at_the_start() {
    let Some(program) = program() else { return };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = std::env::temp_dir().join(format!("mesh-process-x06-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("proxy.txt"), GATEWAY).unwrap();
    std::fs::write(folder.join("mesh.yaml"), door(ROUTE)).unwrap();
    let started = Instant::now();
    let output = Command::new("timeout")
        .arg("10")
        .arg(&program)
        .arg("--config")
        .arg(folder.join("mesh.yaml"))
        .arg("--proxy")
        .arg(folder.join("proxy.txt"))
        .args(["--port-map", &format!("80=127.0.0.1:{port}")])
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let told =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && output.status.code() != Some(124), "{:?}: {told}", output.status);
    assert!(told.contains(&port.to_string()), "{told}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// RUSTSEC-2024-0376, CVE-2020-8663: no file descriptor left is not the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x02_running_out_of_files_ends_nothing() {
    let upstream = Upstream::start("reviews").await;
    let Some(mut process) = Process::start("x02", upstream.address, Some(64)) else { return };
    assert_eq!(get(process.address, "a", "/").await.status, 200);
    for _ in 0..2 {
        let held: Vec<Blocking> = (0..120).filter_map(|_| Blocking::connect(process.address).ok()).collect();
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(process.child.try_wait().unwrap().is_none(), "it ended");
        drop(held);
        let mut status = 0;
        for _ in 0..20 {
            status = tokio::time::timeout(Duration::from_secs(2), get(process.address, "a", "/"))
                .await
                .map_or(0, |answer| answer.status);
            if status == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(status, 200, "it does not recover");
    }
    process.signal("-TERM");
    assert_eq!(process.wait(Duration::from_secs(10)).and_then(|status| status.code()), Some(0));
}

/// A configuration that takes for ever to read is a file that nobody writes to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q01_a_drain_does_not_wait_for_a_configuration_that_is_being_read() {
    let upstream = Upstream::start("reviews").await;
    let Some(mut process) = Process::start("q01-load", upstream.address, None) else { return };
    let file = process.folder.join("mesh.yaml");
    std::fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(get(process.address, "a", "/").await.status, 200);
    process.signal("-TERM");
    // Two seconds of notice, and a little.
    let status = process.wait(Duration::from_secs(5)).expect("it waits for the file");
    assert_eq!(status.code(), Some(0));
}

/// Seconds of CPU that a process has used.
pub(crate) fn cpu(process: &Process) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // User and system time, in hundredths.
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// Three hundred connections that are kept.
pub(crate) struct Held(Vec<TcpStream>);

impl Held {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut streams = Vec::new();
        for _ in 0..300 {
            streams.push(TcpStream::connect(address).await.unwrap());
        }
        let mut held = Self(streams);
        held.ask().await;
        held
    }

    /// A request on each, which is answered.
    pub(crate) async fn ask(&mut self) {
        let mut answer = [0; 4096];
        for stream in &mut self.0 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let length = stream.read(&mut answer).await.unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 200 "), "a connection was lost");
        }
    }
}

/// Stopped for five seconds with many connections: on waking it serves at once, and no timer runs wild.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x04_a_process_that_was_stopped_goes_on_at_once() {
    let upstream = Upstream::start("reviews").await;
    let Some(process) = Process::start("x04", upstream.address, None) else { return };
    let mut held = Held::open(process.address).await;
    process.signal("-STOP");
    tokio::time::sleep(Duration::from_secs(5)).await;
    process.signal("-CONT");
    let woken = Instant::now();
    let mut slowest = Duration::ZERO;
    while woken.elapsed() < Duration::from_secs(4) {
        let started = Instant::now();
        assert_eq!(get(process.address, "a", "/").await.status, 200);
        if woken.elapsed() > Duration::from_secs(2) {
            slowest = slowest.max(started.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    let before = cpu(&process);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = cpu(&process) - before;
    assert!(idle < 0.3, "{idle} s of CPU in a second without work");
    held.ask().await;
}

/// A client that has one connection for each request, or keeps one until it is told to close it, and counts what it got.
async fn ask(address: SocketAddr, keeps: bool, stop: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let (mut served, mut failures) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let mut stream = match TcpStream::connect(address).await {
            Ok(stream) => stream,
            Err(error) => {
                failures.push(format!("connect: {error}"));
                continue;
            }
        };
        loop {
            let end = if keeps { "" } else { "connection: close\r\n" };
            let sent = stream.write_all(format!("GET / HTTP/1.1\r\nhost: a\r\n{end}\r\n").as_bytes()).await;
            let mut answer = Vec::new();
            let mut problem = sent.err();
            while problem.is_none() && !answer.ends_with(b"\r\n\r\nreviews") {
                match stream.read_u8().await {
                    Ok(byte) => answer.push(byte),
                    Err(error) => problem = Some(error),
                }
            }
            let answer = String::from_utf8_lossy(&answer);
            let is_good = answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("reviews");
            if is_good {
                served += 1;
            } else {
                failures.push(format!("{problem:?} after {answer:?}"));
            }
            if !keeps || !is_good || answer.contains("connection: close") || stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    (served, failures)
}

/// Three versions take over from each other at one port, under load: nobody notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q04_a_version_takes_over_from_another_and_fails_no_request() {
    let upstream = Upstream::start("reviews").await;
    let Some(mut process) = Process::start("q04", upstream.address, None) else { return };
    let program = program().unwrap();
    // The port of one that is gone: nobody else has it.
    let local = process.address.to_string();
    process.signal("-KILL");
    process.wait(Duration::from_secs(5)).unwrap();
    let folder = std::mem::take(&mut process.folder);
    let start = |folder: &PathBuf| {
        Process::run_with(&program, folder.clone(), upstream.address, "", &local, &["--share-ports"])
    };
    let mut old = start(&folder);
    let address = old.address;
    assert_eq!(address.to_string(), local);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = [false, false, false, true, true]
        .map(|keeps| tokio::spawn(ask(address, keeps, Arc::clone(&stop))))
        .into();
    for _ in 0..2 {
        let new = start(&folder);
        assert_eq!(new.address, address);
        tokio::time::sleep(Duration::from_millis(200)).await;
        old.signal("-TERM");
        let ended = tokio::task::spawn_blocking(move || {
            // The folder is the next one's too.
            std::mem::take(&mut old.folder);
            old.wait(Duration::from_secs(10))
        });
        assert_eq!(ended.await.unwrap().and_then(|status| status.code()), Some(0));
        tokio::time::sleep(Duration::from_millis(200)).await;
        old = new;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let (served, failures) = client.await.unwrap();
        assert!(failures.is_empty(), "{failures:?}");
        assert!(served > 100, "{served} requests show nothing");
    }
}

/// Every other port is its own: without the option the second process is told that the address is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q04_ports_that_are_not_shared_are_refused() {
    let upstream = Upstream::start("reviews").await;
    let Some(process) = Process::start("q04-own", upstream.address, None) else { return };
    let output = tokio::process::Command::new(program().unwrap())
        .arg("--config")
        .arg(process.folder.join("mesh.yaml"))
        .arg("--proxy")
        .arg(process.folder.join("proxy.txt"))
        .args(["--port-map", &format!("80={}", process.address), "--share-ports"])
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(20), output).await.expect("it listens").unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&process.address.to_string()), "{said}");
    assert_eq!(get(process.address, "a", "/").await.status, 200);
}

/// A token whose claims are nested, signed with a key.
fn nested_token(key: &KeyPair, depth: usize) -> String {
    let claims = format!(
        "{{\"iss\":\"https://login.example.com\",\"sub\":\"a\",\"exp\":4070908800,\"deep\":{}1{}}}",
        "{\"a\":".repeat(depth),
        "}".repeat(depth)
    );
    let head = base64(b"{\"alg\":\"EdDSA\",\"kid\":\"deep\"}");
    let signed = format!("{head}.{}", base64(claims.as_bytes()));
    let signature = key.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", base64(&signature))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for at in 0..=three.len() {
            text.push(char::from(DIGITS[(number >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}

/// The limit of the system is 256 KiB; the deepest configuration and the deepest tokens are read all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x07_what_is_nested_deepest_is_read_whatever_the_limit_of_the_stack_is() {
    let upstream = Upstream::start("reviews").await;
    let Some(program) = program() else { return };
    let folder = std::env::temp_dir().join(format!("mesh-process-x07-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("proxy.txt"), GATEWAY).unwrap();
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let public = base64(key.der_bytes());
    let keys = serde_json::json!({ "keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "deep", "x": public}] });
    let tokens = format!(
        "\n---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\n\
         metadata: {{name: tokens, namespace: edge}}\nspec: {{jwtRules: [{{issuer: 'https://login.example.com', \
         jwks: '{keys}'}}]}}\n"
    );
    // Nested as deep as text is read at all, and deeper; neither is a kind that anybody knows.
    let deep = |depth: usize| {
        let (open, close) = ("{a: [".repeat(depth), "]}".repeat(depth));
        format!(
            "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: d{depth}}}\ndata: {open}1{close}\n"
        )
    };
    let text = door(ROUTE) + &tokens + &deep(20) + &deep(60) + &deep(5000);
    std::fs::write(folder.join("mesh.yaml"), text).unwrap();
    let mut process =
        Process::run_with(&program, folder, upstream.address, "ulimit -s 256; ", "127.0.0.1:0", &[]);
    let mut deepest = 0;
    for depth in (0..=130).chain([1000, 5000]) {
        let bearer = format!("Bearer {}", nested_token(&key, depth));
        let headers = [("host", "a"), ("authorization", &*bearer)];
        let answer = crate::client::request(process.address, "GET /", &headers, "").await;
        match answer.status {
            200 => deepest = depth,
            status => assert_eq!(status, 401, "{depth} deep"),
        }
    }
    assert!((100..130).contains(&deepest), "{deepest} is the deepest");
    process.signal("-TERM");
    assert_eq!(process.wait(Duration::from_secs(10)).and_then(|status| status.code()), Some(0));
}

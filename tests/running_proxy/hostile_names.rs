//! A name server that answers wrongly in every way, in a network namespace of its own: the system's resolver asks it, and
//! what was good stays. Skipped where namespaces cannot be made.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::resolve::SystemResolver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::alone::is_alone_through;
use crate::client::get;
use crate::fixture::{SIDECAR, config, start_with};
use crate::names::entry;
use crate::shim::Shim;

/// How questions are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// With these addresses.
    Good(u8),
    NoSuchName,
    ServerFailure,
    Refused,
    Silence,
    /// A thousand addresses: too many for a datagram.
    Thousand,
    /// Cut off in the datagram, and whole over TCP.
    OverTcp(u8),
    /// Cut off in the datagram, and TCP ends without an answer.
    CutOff,
    /// A name that is another name for itself.
    Loop,
    /// Another name of more than 255 bytes.
    LongName,
    /// The answer to a question that was not asked.
    OtherQuestion,
    /// The address of a name that was not asked for.
    OtherName,
    /// A name whose end is where it begins.
    PointsAtItself,
    /// Half a header, and what is no message at all.
    Half,
    Noise,
    /// An answer of the right form with an address of five bytes.
    FiveBytes,
    /// Nothing but a count of answers.
    Missing,
}

const GOOD: u16 = 0x8180;
const TRUNCATED: u16 = 0x8380;

fn header(id: [u8; 2], flags: u16, answers: u16) -> Vec<u8> {
    let mut bytes = id.to_vec();
    for number in [flags, 1, answers, 0, 0] {
        bytes.extend(number.to_be_bytes());
    }
    bytes
}

/// A record of the class IN whose time to live is over.
fn record(name: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    [name, &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 0], &length, data].concat()
}

fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

/// The name of the question.
const ASKED: &[u8] = &[0xc0, 12];

/// The answer to a question; `None`: there is none.
fn answer(mode: Mode, question: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
    let id = [*question.first()?, *question.get(1)?];
    // One question, without what comes after it.
    let labels = question.get(12..)?;
    let end = labels.iter().position(|byte| *byte == 0)? + 5;
    let asked = labels.get(..end)?;
    let is_v4 = asked.get(end - 4..end - 2)? == [0, 1];
    let address = |last: u8| record(ASKED, 1, &[127, 0, 0, last]);
    let with = |flags, answers: &[Vec<u8>]| {
        let count = if is_v4 { answers.len() as u16 } else { 0 };
        let answers = if is_v4 { answers.concat() } else { Vec::new() };
        [header(id, flags, count), asked.to_vec(), answers].concat()
    };
    Some(match mode {
        Mode::Silence => return None,
        Mode::Good(last) => with(GOOD, &[address(last)]),
        Mode::NoSuchName => with(GOOD | 3, &[]),
        Mode::ServerFailure => with(GOOD | 2, &[]),
        Mode::Refused => with(GOOD | 5, &[]),
        Mode::Thousand | Mode::OverTcp(_) | Mode::CutOff if !over_tcp => {
            [header(id, TRUNCATED, 0), asked.to_vec()].concat()
        }
        Mode::CutOff => return None,
        Mode::OverTcp(last) => with(GOOD, &[address(last)]),
        Mode::Thousand => {
            let all: Vec<_> = (0..1000_u16)
                .map(|at| record(ASKED, 1, &[127, 1, (at / 250) as u8, (at % 250) as u8 + 1]))
                .collect();
            with(GOOD, &all)
        }
        Mode::Loop => {
            with(GOOD, &[record(ASKED, 5, &name("b.example")), record(&name("b.example"), 5, ASKED)])
        }
        Mode::LongName => {
            let long = name(&vec!["x".repeat(60); 8].join("."));
            with(GOOD, &[record(ASKED, 5, &long), record(&long, 1, &[127, 0, 0, 66])])
        }
        Mode::OtherQuestion => {
            let other = [name("evil.example"), vec![0, 1, 0, 1]].concat();
            [header(id, GOOD, 1), other, record(ASKED, 1, &[127, 0, 0, 66])].concat()
        }
        Mode::OtherName => with(GOOD, &[record(&name("evil.example"), 1, &[127, 0, 0, 66])]),
        Mode::PointsAtItself => {
            let at = (12 + asked.len()) as u16 | 0xc000;
            with(GOOD, &[record(&at.to_be_bytes(), 1, &[127, 0, 0, 66])])
        }
        Mode::Half => id.iter().chain(&[0x81]).copied().collect(),
        Mode::Noise => (0..200_u8).map(|byte| byte.wrapping_mul(77)).collect(),
        Mode::FiveBytes => with(GOOD, &[record(ASKED, 1, &[127, 0, 0, 66, 1])]),
        Mode::Missing => [header(id, GOOD, 9), asked.to_vec()].concat(),
    })
}

/// The server at port 53 of the namespace.
struct Server {
    mode: Arc<Mutex<Mode>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn start() -> Self {
        let server = Self { mode: Arc::new(Mutex::new(Mode::NoSuchName)), asked: Arc::default() };
        let socket = UdpSocket::bind("127.0.0.1:53").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:53").await.unwrap();
        let (mode, asked) = (Arc::clone(&server.mode), Arc::clone(&server.asked));
        tokio::spawn(async move {
            let mut question = [0; 2048];
            while let Ok((length, client)) = socket.recv_from(&mut question).await {
                asked.fetch_add(1, Ordering::SeqCst);
                let mode = *mode.lock().unwrap();
                if let Some(answer) = answer(mode, &question[..length], false) {
                    let _ = socket.send_to(&answer, client).await;
                }
            }
        });
        let mode = Arc::clone(&server.mode);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mode = *mode.lock().unwrap();
                tokio::spawn(async move {
                    // Both kinds of addresses may be asked for on one connection.
                    while let Ok(length) = stream.read_u16().await {
                        let mut question = vec![0; length.into()];
                        if stream.read_exact(&mut question).await.is_err() {
                            return;
                        }
                        let Some(answer) = answer(mode, &question, true) else { return };
                        let length = (answer.len() as u16).to_be_bytes();
                        if stream.write_all(&[&length[..], &answer].concat()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        server
    }

    /// Answers otherwise from now on.
    fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
        self.asked.store(0, Ordering::SeqCst);
    }
}

/// A network namespace with a resolver's file of its own.
struct Namespace(String);

impl Namespace {
    fn new() -> Option<Self> {
        let namespace = Self(format!("mesh-names-{}", std::process::id()));
        let ip = |arguments: &[&str]| {
            Command::new("ip").args(arguments).status().is_ok_and(|status| status.success())
        };
        let files = format!("/etc/netns/{}", namespace.0);
        let is_made = ip(&["netns", "add", &namespace.0])
            && std::fs::create_dir_all(&files).is_ok()
            && std::fs::write(
                format!("{files}/resolv.conf"),
                "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
            )
            .is_ok()
            && ip(&["netns", "exec", &namespace.0, "ip", "link", "set", "lo", "up"]);
        is_made.then_some(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
        let _ = std::fs::remove_dir_all(format!("/etc/netns/{}", self.0));
    }
}

#[test]
fn u05_a_hostile_name_server_changes_nothing_that_was_good() {
    const TEST: &str = "hostile_names::u05_a_hostile_name_server_changes_nothing_that_was_good";
    const MARK: &str = "MESH_TEST_ALONE";
    let namespace = if std::env::var(MARK).is_ok() { None } else { Some(Namespace::new()) };
    let through = match &namespace {
        Some(None) => return eprintln!("skipped: no network namespace can be made here"),
        Some(Some(namespace)) => vec!["ip", "netns", "exec", &namespace.0],
        None => Vec::new(),
    };
    if is_alone_through(&through, TEST, &[]) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(hostile());
    }
}

async fn hostile() {
    let server = Server::start().await;
    let upstream = Shim::start_at("0.0.0.0:8080", |mut heard| async move {
        while heard.head().await.is_some() {
            let at = heard.stream.local_addr().unwrap().ip().to_string();
            heard.say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{at}", at.len())).await;
        }
    })
    .await;
    assert_eq!(upstream.address.ip(), Ipv4Addr::UNSPECIFIED);
    let mut options = Options::default();
    options.dns_refresh = Some(Duration::from_millis(200));
    let running = start_with(config(&entry(8080), SIDECAR), &["8080"], &[], options, |builder| {
        builder.resolver(SystemResolver::default())
    })
    .await;
    let ask = async || {
        let answer = get(running.address(), "api.example:8080", "/").await;
        (answer.status, answer.body)
    };
    let found = |last: u8| (200, format!("127.0.0.{last}"));
    // A look-up is over after a second; the next one is due a fifth of one later.
    let settle = || tokio::time::sleep(Duration::from_millis(1500));
    // In a file of the machine the resolver may have other ways to know names.
    assert_eq!(ask().await.0, 503, "nobody knows the name");
    server.set(Mode::Good(2));
    settle().await;
    assert_eq!(ask().await, found(2));
    let hostile = [
        Mode::NoSuchName,
        Mode::ServerFailure,
        Mode::Refused,
        Mode::Silence,
        Mode::CutOff,
        Mode::Loop,
        Mode::LongName,
        Mode::OtherQuestion,
        Mode::OtherName,
        Mode::PointsAtItself,
        Mode::Half,
        Mode::Noise,
        Mode::FiveBytes,
        Mode::Missing,
    ];
    for mode in hostile {
        server.set(mode);
        settle().await;
        assert_eq!(ask().await, found(2), "{mode:?}");
        let asked = server.asked.load(Ordering::SeqCst);
        // Two questions each time, asked again once at most; two seconds have room for ten times.
        assert!((1..=40).contains(&asked), "{mode:?}: {asked} questions");
    }
    // Whoever answers rightly again is believed, without a time to live and over TCP.
    server.set(Mode::Good(3));
    settle().await;
    assert_eq!(ask().await, found(3));
    server.set(Mode::OverTcp(4));
    settle().await;
    assert_eq!(ask().await, found(4));
    server.set(Mode::Thousand);
    settle().await;
    let mut heard = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let (status, at) = ask().await;
        assert_eq!(status, 200);
        heard.insert(at);
    }
    assert!(heard.iter().all(|at| at.starts_with("127.1.")), "{heard:?}");
    assert!((100..=256).contains(&heard.len()), "{} hosts", heard.len());
    tokio::time::timeout(Duration::from_secs(5), running.proxy.drain())
        .await
        .expect("somebody is still there");
    assert_eq!(running.proxy.panics(), 0);
}

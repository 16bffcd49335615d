//! HTTP/1 that is well formed and ill meant: floods, stalls, answers that do not fit, protocols that change too early.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mesh::proxy_core::runtime::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{exchange, get};
use crate::fixture::{GATEWAY, Running, config, door, start_with};
use crate::shim::Shim;
use crate::upstream::Upstream;

const ONCE: &str =
    "  - retries: {attempts: 0}\n    route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n";

async fn before(upstream: std::net::SocketAddr, options: Options) -> Running {
    let endpoints = [("10.0.1.1:9080", upstream), ("10.0.1.2:9080", upstream)];
    start_with(config(&door(ONCE), GATEWAY), &["80"], &endpoints, options, |builder| builder).await
}

async fn gateway() -> (Running, Upstream) {
    let upstream = Upstream::start("reviews").await;
    (before(upstream.address, Options::default()).await, upstream)
}

/// Reads until so many bytes are there, the connection ends, or nothing comes.
async fn some(stream: &mut TcpStream, patience: Duration) -> String {
    let mut all = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(Ok(length @ 1..)) = tokio::time::timeout(patience, stream.read(&mut buffer)).await {
        all.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// CVE-2020-8661: answers to pipelined requests must not pile up for a client that does not read them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m08_a_pipelining_client_that_reads_slowly_is_not_read_ahead_of() {
    let (running, _upstream) = gateway().await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let socket = socket2::SockRef::from(&stream);
    socket.set_recv_buffer_size(4096).unwrap();
    // Refused by the proxy itself, without a body: the codec alone would buffer the answers without bound.
    let one = "GET /%00 HTTP/1.1\r\nhost: a\r\n\r\n".repeat(1000);
    let mut sent = 0;
    for _ in 0..400 {
        match tokio::time::timeout(Duration::from_millis(300), stream.write_all(one.as_bytes())).await {
            Ok(Ok(())) => sent += 1000,
            _ => break,
        }
    }
    assert!(sent < 400_000, "the proxy took {sent} requests whose answers nobody read");
    // The system's buffers hold some ten thousand answers; nothing else may.
    let mut answered = 0;
    loop {
        let more = running.records.take().len();
        answered += more;
        assert!(answered < 150_000, "{answered} requests were answered into the void");
        if more == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn m08_pipelined_requests_are_answered_in_order() {
    let (running, upstream) = gateway().await;
    let status = |number: usize| if number.is_multiple_of(3) { 400 } else { 200 + number % 2 };
    let target = |number: usize| match status(number) {
        // Refused by the proxy itself, between requests that the upstream answers.
        400 => "/%00".to_owned(),
        status => format!("/status/{status}"),
    };
    let good: String = (0..1000)
        .map(|number| format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", target(number)))
        .chain(["GET /status/202 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned()])
        .collect();
    let answer = exchange(running.address(), good).await;
    let statuses: Vec<usize> =
        answer.split("HTTP/1.1 ").skip(1).map(|rest| rest[..3].parse().unwrap()).collect();
    let wanted: Vec<usize> = (0..1000).map(status).chain([202]).collect();
    assert_eq!(statuses, wanted);
    // A message that is none ends the connection: nothing after it is served.
    upstream.take();
    let good = "GET /1 HTTP/1.1\r\nhost: a\r\n\r\n";
    let answer = exchange(running.address(), format!("{good}GET /2 HTTP/1.1\nhost: a\n\n{good}")).await;
    let statuses: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).map(|rest| &rest[..3]).collect();
    assert_eq!(statuses, ["200", "400"]);
    assert_eq!(upstream.only().target, "/1");
}

const ASK: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";

/// CVE-2025-64763 and its kin: bytes that come before the other protocol is granted.
#[tokio::test]
async fn m09_bytes_before_an_upgrade_is_granted_are_held_and_never_a_request() {
    // The upstream refuses: what followed is nobody's.
    let refusing = Shim::answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno", false).await;
    let running = before(refusing.address, Options::default()).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(format!("{ASK}{HIDDEN}").as_bytes()).await.unwrap();
    let answer = some(&mut stream, Duration::from_secs(3)).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(!refusing.heads.lock().unwrap().iter().any(|head| head.contains("hidden")));
    // CONNECT is refused, and so is all behind it.
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let connect = format!("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n{HIDDEN}");
    stream.write_all(connect.as_bytes()).await.unwrap();
    let answer = some(&mut stream, Duration::from_secs(3)).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(refusing.requests(), 1);

    // The upstream grants it, late: the bytes reach it after its answer, as bytes.
    let granting = Shim::start(|mut heard| async move {
        heard.head().await;
        let mut early = [0; 64];
        let waiting = heard.stream.read(&mut early);
        let is_early = tokio::time::timeout(Duration::from_millis(200), waiting).await.is_ok();
        heard.say("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
        let length = heard.stream.read(&mut early).await.unwrap();
        let text = format!("{is_early} {}", String::from_utf8_lossy(&early[..length]));
        heard.say(&text).await;
    })
    .await;
    let running = before(granting.address, Options::default()).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(format!("{ASK}early").as_bytes()).await.unwrap();
    let answer = some(&mut stream, Duration::from_secs(3)).await;
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("false early"), "{answer}");
}

/// CVE-2025-4366: an answer that came before the body was read.
#[tokio::test]
async fn m10_a_connection_with_an_unread_body_is_not_used_again() {
    // An upstream that answers at once, keeps the connection, and never reads the body.
    let early = Shim::start(|mut heard| async move {
        heard.head().await;
        heard.say("HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nlarge").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(heard);
    })
    .await;
    let running = before(early.address, Options::default()).await;
    for round in 1..=3 {
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 64 << 20);
        stream.write_all(head.as_bytes()).await.unwrap();
        let piece = HIDDEN.repeat(200);
        let started = Instant::now();
        let mut answer = String::new();
        while started.elapsed() < Duration::from_secs(4) && answer.is_empty() {
            let _ = tokio::time::timeout(Duration::from_millis(50), stream.write_all(piece.as_bytes())).await;
            answer = some(&mut stream, Duration::from_millis(50)).await;
        }
        assert!(answer.starts_with("HTTP/1.1 413 "), "round {round}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1);
        assert_eq!(early.connections(), round, "a connection was used again");
    }
    assert!(!early.heads.lock().unwrap().iter().any(|head| head.contains("hidden")));
}

#[tokio::test]
async fn m11_expectations_are_met_once_and_ambiguous_ones_leave_nothing_behind() {
    let (running, upstream) = gateway().await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    tokio::time::timeout(Duration::from_secs(3), stream.read_exact(&mut interim)).await.unwrap().unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    assert!(some(&mut stream, Duration::from_secs(3)).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(upstream.only().body, "hello");
    // No body, whatever is expected, and a length of zero with something behind it: one request each.
    for lines in [
        "expect: 100-continue\r\n",
        "expect: 100-continue\r\ncontent-length: 0\r\n",
        "expect: x\r\ncontent-length: 0\r\n",
    ] {
        let bytes = format!(
            "POST /first HTTP/1.1\r\nhost: a\r\n{lines}\r\nGET /second HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        );
        let answer = exchange(running.address(), bytes).await;
        let targets: Vec<String> = upstream.take().into_iter().map(|seen| seen.target).collect();
        let finals = answer.split("HTTP/1.1 ").skip(1).filter(|rest| !rest.starts_with("100")).count();
        assert_eq!(targets.len(), finals, "{lines:?}: {targets:?}");
        assert!(targets.iter().all(|target| target == "/first" || target == "/second"));
    }
}

#[tokio::test]
async fn m12_a_connection_header_takes_away_what_is_the_connections_own() {
    let (running, upstream) = gateway().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close, content-length, host, authorization, x-own, te, transfer-encoding\r\n\
                authorization: Basic x\r\nx-own: 1\r\nkeep-alive: 5\r\nproxy-connection: x\r\ncontent-length: 5\r\n\r\nhello";
    assert!(exchange(running.address(), head).await.starts_with("HTTP/1.1 200 "));
    let seen = upstream.only();
    assert_eq!(
        (&*seen.body, &*seen.authority, seen.header("authorization")),
        ("hello", "a", Some("Basic x"))
    );
    assert_eq!(seen.header("content-length"), Some("5"));
    for gone in ["x-own", "keep-alive", "proxy-connection", "connection"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
}

/// CVE-2020-8659: chunks of one byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m13_chunks_of_one_byte_stream_through_and_longer_bodies_than_said_do_not() {
    let (running, upstream) = gateway().await;
    let mut bytes =
        b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    bytes.extend_from_slice(&b"1\r\nx\r\n".repeat(100_000));
    bytes.extend_from_slice(b"0\r\n\r\n");
    let started = Instant::now();
    let answer = exchange(running.address(), &bytes).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(upstream.only().body.len(), 100_000);
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    // What comes after a body is the next message, and no part of this one.
    let answer =
        exchange(running.address(), "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabcdef\r\n\r\n")
            .await;
    assert_eq!(upstream.only().body, "abc");
    assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 1);
    assert!(answer.contains("HTTP/1.1 400 "), "{answer}");
}

/// CVE-2019-15226: the time of a head grows with its length, and no faster.
#[tokio::test]
async fn m14_counts_and_sizes_of_headers_are_bounded() {
    let (running, upstream) = gateway().await;
    let lines = |count: usize| (0..count).map(|number| format!("x-{number}: 1\r\n")).collect::<String>();
    let head = |lines: &str| format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{lines}\r\n");
    let status = async |bytes: String| {
        exchange(running.address(), bytes).await.get(9..12).and_then(|status| status.parse::<u16>().ok())
    };
    // The upstream counts what is added on the way.
    assert_eq!(status(head(&lines(80))).await, Some(200));
    assert_eq!(status(head(&lines(99))).await, Some(431));
    assert_eq!(status(head(&lines(1000))).await, Some(431));
    assert_eq!(status(head(&format!("x: {}\r\n", "y".repeat(50 << 10)))).await, Some(200));
    assert_eq!(status(head(&format!("x: {}\r\n", "y".repeat(61 << 10)))).await, Some(431));
    assert_eq!(status(head(&format!("{}: y\r\n", "x".repeat(8 << 10)))).await, Some(200));
    assert_eq!(status(head(&format!("{}: y\r\n", "x".repeat(64 << 10)))).await, Some(431));
    assert_eq!(upstream.take().len(), 3);
}

fn impatient() -> Options {
    let mut options = Options::default();
    options.patience.request_head = Duration::from_millis(300);
    options.patience.request_body = Duration::from_millis(300);
    options.patience.idle = Duration::from_millis(500);
    options.patience.stalled_write = Duration::from_millis(400);
    options
}

#[tokio::test]
async fn m15_slow_heads_slow_bodies_and_idle_connections_are_cut() {
    let upstream = Upstream::start("reviews").await;
    let running = before(upstream.address, impatient()).await;
    let bound = Duration::from_millis(1800);
    // A byte now and then keeps no head alive.
    for prefix in ["", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let started = Instant::now();
        let (mut read, mut write) = TcpStream::connect(running.address()).await.unwrap().into_split();
        write.write_all(prefix.as_bytes()).await.unwrap();
        let writing = tokio::spawn(async move {
            for byte in b"GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n" {
                if write.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let mut answer = Vec::new();
        let _ = read.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("HTTP/1.1 408 "), "{answer}");
        assert!(started.elapsed() < bound, "{:?}", started.elapsed());
        writing.abort();
    }
    // Silence, before a request and after one.
    for said in ["", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let started = Instant::now();
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(started.elapsed() < bound, "{:?}", started.elapsed());
    }
    // A body that stops.
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
    assert!(some(&mut stream, bound).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn m15_a_client_that_does_not_read_its_answer_is_cut() {
    let endless = Shim::start(|mut heard| async move {
        heard.head().await;
        heard.say("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
        while heard.stream.write_all(&[b'x'; 65536]).await.is_ok() {}
    })
    .await;
    let running = before(endless.address, impatient()).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let started = Instant::now();
    while running.records.take().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(8), "the answer is still on its way");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The client goes at each byte of a request: nothing of it stays, and others are served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m15_a_reset_at_each_byte_leaves_nothing_behind() {
    let upstream = Upstream::start("reviews").await;
    let running = before(upstream.address, Options::default()).await;
    let request = b"POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n";
    for at in 0..=request.len() {
        for reset in [true, false] {
            let mut stream = TcpStream::connect(running.address()).await.unwrap();
            let _ = stream.write_all(&request[..at]).await;
            if reset {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        }
    }
    assert_eq!(get(running.address(), "a", "/").await.status, 200);
    let whole = upstream.take().iter().filter(|seen| seen.target == "/x" && seen.body == "hello").count();
    assert!(whole <= 2, "{whole}");
    // All of them end: a drain has nobody to wait for.
    let started = Instant::now();
    tokio::time::timeout(Duration::from_secs(5), running.proxy.drain()).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Answers that no client of ours may see, and after which the connection is no good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m16_an_answer_that_is_none_is_a_502_and_its_connection_goes() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(1 << 20));
    let refused: Vec<(&str, String)> = vec![
        ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello".to_owned()),
        ("a list of lengths", "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello".to_owned()),
        (
            "both lengths",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        ),
        ("no number", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nhello".to_owned()),
        ("status 99", "HTTP/1.1 99 Low\r\ncontent-length: 0\r\n\r\n".to_owned()),
        ("status 1000", "HTTP/1.1 1000 High\r\ncontent-length: 0\r\n\r\n".to_owned()),
        ("another protocol", "SSH-2.0-x\r\n\r\n".to_owned()),
        ("a large head", large),
        ("a control byte", "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n".to_owned()),
        ("a folded line", "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n".to_owned()),
        ("a name with a space", "HTTP/1.1 200 OK\r\nx y: a\r\ncontent-length: 0\r\n\r\n".to_owned()),
    ];
    let mut wrong = Vec::new();
    for (name, bytes) in refused {
        let shim = Shim::answering(bytes, false).await;
        let running = before(shim.address, Options::default()).await;
        for round in 1..=2 {
            let answer = tokio::time::timeout(Duration::from_secs(5), get(running.address(), "a", "/")).await;
            let status = answer.map(|answer| answer.status).unwrap_or(0);
            if !matches!(status, 502 | 503) || shim.connections() != round {
                wrong.push(format!("{name}: {status}, {} connections in round {round}", shim.connections()));
            }
        }
    }
    // More than was said: the client gets what was said, and the rest is nobody's.
    for (name, bytes) in [
        (
            "a body with 204",
            "HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhidden".to_owned(),
        ),
        ("a body with 304", "HTTP/1.1 304 No\r\ncontent-length: 6\r\n\r\nhidden".to_owned()),
        ("more than its length", format!("{ok}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhidden")),
        ("no reason", "HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello".to_owned()),
    ] {
        let shim = Shim::answering(bytes, false).await;
        let running = before(shim.address, Options::default()).await;
        for _ in 0..3 {
            let answer = get(running.address(), "a", "/").await;
            if !matches!(answer.status, 200 | 204 | 304) || answer.body.contains("hidden") {
                wrong.push(format!("{name}: {} {:?}", answer.status, answer.body));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // Cut within a chunk: the client can tell.
    let cut = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n9\r\nhal";
    let shim = Shim::answering(cut, true).await;
    let running = before(shim.address, Options::default()).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let answer = some(&mut stream, Duration::from_secs(3)).await;
    if answer.ends_with("0\r\n\r\n") {
        wrong.push(format!("a cut answer looks whole: {answer}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Interim answers without end are bounded by the route's patience.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m16_interim_answers_without_end_run_into_the_timeout() {
    let shim = Shim::start(|mut heard| async move {
        heard.head().await;
        let flood: Arc<[u8]> = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100).into();
        while heard.stream.write_all(&flood).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let route = "  - retries: {attempts: 0}\n    timeout: 400ms\n    route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n";
    let endpoints = [("10.0.1.1:9080", shim.address), ("10.0.1.2:9080", shim.address)];
    let running =
        start_with(config(&door(route), GATEWAY), &["80"], &endpoints, Options::default(), |builder| builder);
    let running = running.await;
    assert!(matches!(get(running.address(), "a", "/").await.status, 504 | 502));
}

//! HTTP/2 that is well formed and ill meant, towards us and from an upstream.

use std::time::{Duration, Instant};

use mesh::proxy_core::runtime::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{self, get};
use crate::fixture::{GATEWAY, Running, config, door, start_with};
use crate::http2_attacks::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, GOOD, HEADERS, PREFACE, PUSH_PROMISE, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, answer, connect, fields, frame, frames, gateway, opened, request, succeeded,
    with,
};
use crate::shim::{Heard, Shim};

/// Sends a frame at a time, with a moment between them; after how many the server had enough, `None`: it never had.
async fn paced(running: &Running, start: &[u8], one: impl Fn(u32) -> Vec<u8>, max: u32) -> Option<u32> {
    let mut stream = connect(running).await;
    stream.set_nodelay(true).unwrap();
    let _ = stream.write_all(start).await;
    let mut buffer = vec![0; 64 * 1024];
    for sent in 0..max {
        if stream.write_all(&one(sent)).await.is_err() {
            return Some(sent);
        }
        match tokio::time::timeout(Duration::from_millis(1), stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return Some(sent),
            Ok(Ok(length)) if frames(&buffer[..length]).iter().any(|frame| frame.0 == GOAWAY) => {
                return Some(sent);
            }
            _ => {}
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h03_paced_floods_are_cut_within_their_frames() {
    let (running, _upstream) = gateway().await;
    let mut wrong = Vec::new();
    let mut check = |name: &str, cut: Option<u32>, most: u32| {
        if cut.is_none_or(|cut| cut > most) {
            wrong.push(format!("{name}: cut after {cut:?}, wanted {most} at most"));
        }
    };
    // What the server says takes a moment to be heard: a few frames more than the budget may be sent.
    let reset = |at: u32| {
        let stream = 2 * at + 1;
        [request(stream, &GOOD), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    };
    check("rapid reset", paced(&running, &[], reset, 400).await, 110);
    let provoke = |at: u32| {
        let stream = 2 * at + 1;
        [frame(HEADERS, END_HEADERS, stream, &fields(&GOOD)), frame(WINDOW_UPDATE, 0, stream, &[0; 4])]
            .concat()
    };
    check("provoked resets", paced(&running, &[], provoke, 400).await, 115);
    let endless = |_| frame(CONTINUATION, 0, 1, &fields(&[(b"x", b"y")]));
    let start = frame(HEADERS, END_STREAM, 1, &fields(&GOOD));
    check("continuations", paced(&running, &start, endless, 400).await, 110);
    let empty = |_| frame(DATA, 0, 1, &[]);
    check("empty data", paced(&running, &opened(&[]), empty, 800).await, 310);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(get(running.address(), "a", "/").await.status, 200);
}

#[tokio::test]
async fn h03_few_resets_among_many_requests_are_an_honest_clients() {
    let (running, _upstream) = gateway().await;
    let one = |at: u32| {
        let stream = 4 * at + 1;
        let kept = [request(stream, &GOOD), request(stream + 2, &GOOD)].concat();
        let taken_back = frame(RST_STREAM, 0, stream + 2, &[0, 0, 0, 8]);
        [kept, taken_back].concat()
    };
    assert_eq!(paced(&running, &[], one, 90).await, None);
}

/// One field of some KB that costs a byte each time it is named, and cookies in crumbs.
#[tokio::test]
async fn h03_compression_bombs_are_refused_and_cost_nothing() {
    let (running, upstream) = gateway().await;
    // A literal with indexing, then its index again and again.
    let mut bomb = fields(&GOOD);
    let large = fields(&[(b"x-large", &[b'y'; 3000])]);
    bomb.push(0x40);
    bomb.extend_from_slice(&large[1..]);
    bomb.extend(std::iter::repeat_n(0xbe, 10_000));
    let crumbs: Vec<(&[u8], &[u8])> = std::iter::repeat_n((&b"cookie"[..], &b"a=b"[..]), 1000).collect();
    let many = [&GOOD[..], &crumbs].concat();
    let tiny: Vec<(&[u8], &[u8])> = std::iter::repeat_n((&b"x"[..], &b""[..]), 150).collect();
    for (name, block) in
        [("index", bomb), ("crumbs", fields(&many)), ("tiny", fields(&[&GOOD[..], &tiny].concat()))]
    {
        let mut stream = connect(&running).await;
        let mut bytes = Vec::new();
        let pieces: Vec<&[u8]> = block.chunks(16_000).collect();
        for (at, piece) in pieces.iter().enumerate() {
            let flags = if at + 1 == pieces.len() { END_HEADERS } else { 0 };
            let (kind, flags) = if at == 0 { (HEADERS, flags | END_STREAM) } else { (CONTINUATION, flags) };
            bytes.extend(frame(kind, flags, 1, piece));
        }
        let _ = stream.write_all(&bytes).await;
        let (answered, _) = answer(&mut stream, Duration::from_millis(300)).await;
        assert!(!succeeded(&answered), "{name}");
        assert!(upstream.take().is_empty(), "{name}");
    }
    assert_eq!(get(running.address(), "a", "/").await.status, 200);
}

/// A hundred streams whose answers nobody takes: what the upstream can send is bounded, others are served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h03_a_closed_window_holds_nobody_else_up() {
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&sent);
    let endless = Shim::start(move |mut heard| {
        let counted = std::sync::Arc::clone(&counted);
        async move {
            let head = heard.head().await.unwrap_or_default();
            if head.starts_with("GET /small") {
                return heard.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            }
            let socket = socket2::SockRef::from(&heard.stream);
            socket.set_send_buffer_size(4096).unwrap();
            heard.say("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n").await;
            while let Ok(length) = heard.stream.write(&[b'x'; 8192]).await {
                counted.fetch_add(length, std::sync::atomic::Ordering::Relaxed);
            }
        }
    })
    .await;
    let endpoints = [("10.0.1.1:9080", endless.address), ("10.0.1.2:9080", endless.address)];
    let text = door("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n");
    let running =
        start_with(config(&text, GATEWAY), &["80"], &endpoints, Options::default(), |builder| builder).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let no_window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let requests: Vec<u8> = (0..100).flat_map(|at| request(2 * at + 1, &GOOD)).collect();
    stream.write_all(&[PREFACE, &no_window, &requests].concat()).await.unwrap();
    let (_, closed) = answer(&mut stream, Duration::from_millis(700)).await;
    assert!(!closed);
    let held = sent.load(std::sync::atomic::Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sent.load(std::sync::atomic::Ordering::Relaxed), held, "it is still being read");
    assert_eq!(get(running.address(), "a", "/small").await.body, "ok");
}

/// HTTP/2 has no line ends: what would be one in HTTP/1 goes no further.
#[tokio::test]
async fn h04_what_goes_on_as_http1_is_what_the_strict_reader_takes() {
    let (running, upstream) = gateway().await;
    let crumbs: [(&[u8], &[u8]); 3] = [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-kept", b" spaced \t")];
    for (name, bytes, taken) in [
        ("crumbs", with(&crumbs), true),
        ("a host that agrees", with(&[(b"host", b"a")]), true),
        ("a host that does not", with(&[(b"host", b"b")]), true),
        ("an expectation", with(&[(b"expect", b"100-continue")]), true),
        ("a method in lower case", request(1, &[(b":method", b"get"), GOOD[1], GOOD[2], GOOD[3]]), true),
        (
            "a length",
            [opened(&[(b"content-length", b"5")]), frame(DATA, END_STREAM, 1, b"hello")].concat(),
            true,
        ),
        (
            "a length and more",
            [opened(&[(b"content-length", b"5")]), frame(DATA, END_STREAM, 1, b"hello!")].concat(),
            false,
        ),
        ("chunks", with(&[(b"transfer-encoding", b"chunked")]), false),
        ("a line end in a value", with(&[(b"x", b"y\r\ncontent-length: 5")]), false),
    ] {
        let mut stream = connect(&running).await;
        stream.write_all(&bytes).await.unwrap();
        let (answered, _) = answer(&mut stream, Duration::from_millis(250)).await;
        assert_eq!(succeeded(&answered), taken, "{name}: {answered:?}");
        let heard: Vec<_> =
            upstream.take().into_iter().filter(|seen| !seen.body.starts_with("broken")).collect();
        assert_eq!(heard.len(), usize::from(taken), "{name}");
        let Some(seen) = heard.first() else { continue };
        assert_eq!(seen.authority, "a", "{name}");
        let hosts = seen.headers.iter().filter(|(key, _)| key == "host").count();
        assert_eq!(hosts, 1, "{name}");
        if name == "crumbs" {
            let cookies: Vec<&str> =
                seen.headers.iter().filter(|(key, _)| key == "cookie").map(|(_, value)| &**value).collect();
            assert_eq!(cookies.join("; "), "a=1; b=2");
            // CVE-2019-18802: whitespace around a value does not survive.
            assert_eq!(seen.header("x-kept"), Some("spaced"));
        }
    }
}

#[tokio::test]
async fn h05_trailers_that_do_not_end_or_come_late_reset_the_stream() {
    let (running, upstream) = gateway().await;
    let trailers = fields(&[(b"x", b"y")]);
    let head = opened(&[]);
    for (name, rest) in [
        ("no end", frame(HEADERS, END_HEADERS, 1, &trailers)),
        ("a second head", frame(HEADERS, END_HEADERS, 1, &fields(&GOOD))),
        (
            "after the end",
            [frame(DATA, END_STREAM, 1, b"x"), frame(HEADERS, END_STREAM | END_HEADERS, 1, &trailers)]
                .concat(),
        ),
        (
            "data after the end",
            [frame(DATA, END_STREAM, 1, b"x"), frame(DATA, END_STREAM, 1, b"hidden")].concat(),
        ),
    ] {
        let mut stream = connect(&running).await;
        stream.write_all(&[&head[..], &rest].concat()).await.unwrap();
        let (answered, closed) = answer(&mut stream, Duration::from_millis(250)).await;
        let is_reset = frames(&answered).iter().any(|frame| matches!(frame.0, RST_STREAM | GOAWAY));
        assert!(is_reset || closed, "{name}: {:?}", frames(&answered));
        assert!(!upstream.take().iter().any(|seen| seen.body.contains("hidden")), "{name}");
    }
}

/// The other side of an HTTP/2 connection, just enough of it.
struct Peer {
    heard: Heard,
    buffered: Vec<u8>,
    has_acknowledged: bool,
}

impl Peer {
    async fn accept(mut heard: Heard, settings: &[u8]) -> Option<Self> {
        let mut preface = [0; 24];
        heard.stream.read_exact(&mut preface).await.ok()?;
        heard.stream.write_all(&frame(SETTINGS, 0, 0, settings)).await.ok()?;
        Some(Self { heard, buffered: Vec::new(), has_acknowledged: false })
    }

    /// The stream of the next request.
    async fn request(&mut self) -> Option<u32> {
        loop {
            let all = frames(&self.buffered);
            if let Some(found) = all.iter().find(|frame| frame.0 == HEADERS) {
                self.buffered.clear();
                return Some(found.2);
            }
            if !self.has_acknowledged && all.iter().any(|frame| frame.0 == SETTINGS && frame.1 == 0) {
                self.has_acknowledged = true;
                self.send(&frame(SETTINGS, 1, 0, &[])).await;
            }
            let mut buffer = vec![0; 16 * 1024];
            let length = self.heard.stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
            self.buffered.extend_from_slice(&buffer[..length]);
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        let _ = self.heard.stream.write_all(bytes).await;
    }

    /// Status 200 with a body of two bytes.
    async fn answer(&mut self, stream: u32) {
        self.send(
            &[frame(HEADERS, END_HEADERS, stream, &[0x88]), frame(DATA, END_STREAM, stream, b"ok")].concat(),
        )
        .await;
    }
}

/// A gateway in front of an upstream that speaks HTTP/2.
async fn before_http2(upstream: &Shim, retries: u32) -> Running {
    before_http2_on(upstream, retries, "refused-stream,reset,connect-failure").await
}

async fn before_http2_on(upstream: &Shim, retries: u32, on: &str) -> Running {
    let text = door(&format!(
        "  - retries: {{attempts: {retries}, retryOn: '{on}'}}\n    timeout: 3s\n    \
         route: [{{destination: {{host: reviews.shop.svc.cluster.local}}}}]\n"
    ))
    .replace("ports: [{name: http, port: 9080}]", "ports: [{name: http2, port: 9080}]");
    assert!(text.contains("name: http2"));
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    start_with(config(&text, GATEWAY), &["80"], &endpoints, Options::default(), |builder| builder).await
}

/// CVE-2021-32780 and its kin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h06_an_upstream_that_goes_away_or_breaks_the_rules_costs_a_request_at_most() {
    type Deed = fn(u32) -> Vec<u8>;
    let away_and_none: Deed =
        |_| [frame(GOAWAY, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 0])].concat();
    let deeds: [(&str, Deed); 6] = [
        ("goaway, then no streams", away_and_none),
        ("a promise", |stream| {
            frame(PUSH_PROMISE, END_HEADERS, stream, &[&[0, 0, 0, 2][..], &fields(&GOOD)].concat())
        }),
        ("interim answers", |stream| {
            // `:status: 100`, again and again.
            let interim = frame(HEADERS, END_HEADERS, stream, &fields(&[(b":status", b"100")]));
            interim.repeat(2_000)
        }),
        ("a window beyond all bounds", |stream| {
            frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]).repeat(2)
        }),
        ("more than the window", |stream| {
            [frame(HEADERS, END_HEADERS, stream, &[0x88]), frame(DATA, 0, stream, &[0; 16_000]).repeat(400)]
                .concat()
        }),
        ("refused", |stream| frame(RST_STREAM, 0, stream, &[0, 0, 0, 7])),
    ];
    let mut wrong = Vec::new();
    for (name, deed) in deeds {
        // The first request of the first connection is ill served, those after it are not.
        let shim = Shim::start(move |heard| async move {
            let mut misbehaves = heard.number == 0;
            let Some(mut peer) = Peer::accept(heard, &[]).await else { return };
            while let Some(stream) = peer.request().await {
                if std::mem::take(&mut misbehaves) {
                    peer.send(&deed(stream)).await;
                } else {
                    peer.answer(stream).await;
                }
            }
        })
        .await;
        let running = before_http2(&shim, 2).await;
        let started = Instant::now();
        let first = tokio::time::timeout(Duration::from_secs(8), get(running.address(), "a", "/")).await;
        let first = first.map(|answer| answer.status).unwrap_or(0);
        if !matches!(first, 200 | 502 | 503 | 504) {
            wrong.push(format!("{name}: {first} after {:?}", started.elapsed()));
        }
        // One request at most: the next is answered.
        let next = tokio::time::timeout(Duration::from_secs(8), get(running.address(), "a", "/")).await;
        if next.as_ref().map_or(0, |answer| answer.status) != 200 {
            wrong.push(format!("{name}: and then {next:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A stream that was refused was not looked at, and is tried again where the route says so; one that was reset otherwise may
/// have been.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u06_a_refused_stream_is_tried_again_and_a_cancelled_one_is_not() {
    const REFUSED: u8 = 7;
    const CANCEL: u8 = 8;
    let details = |reason: &str| format!("upstream_reset_before_response_started{{{reason}}}");
    for (code, on, wanted) in [
        (REFUSED, "refused-stream", (200, "", 2, "via_upstream".to_owned())),
        (REFUSED, "connect-failure", (503, "UR", 1, details("remote_refused_stream_reset"))),
        (CANCEL, "refused-stream", (503, "UR", 1, details("remote_reset"))),
        (CANCEL, "reset", (200, "", 2, "via_upstream".to_owned())),
    ] {
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&asked);
        let shim = Shim::start(move |heard| {
            let count = std::sync::Arc::clone(&count);
            async move {
                let Some(mut peer) = Peer::accept(heard, &[]).await else { return };
                while let Some(stream) = peer.request().await {
                    if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                        peer.send(&frame(RST_STREAM, 0, stream, &[0, 0, 0, code])).await;
                    } else {
                        peer.answer(stream).await;
                    }
                }
            }
        })
        .await;
        let running = before_http2_on(&shim, 2, on).await;
        let body = if on == "refused-stream" { "money" } else { "" };
        let method = if body.is_empty() { "GET /" } else { "POST /" };
        let answer = client::request(running.address(), method, &[("host", "a")], body).await;
        let record = running.records.take().remove(0);
        let told = (answer.status, &*record.flags, record.attempts, record.details);
        assert_eq!(told, wanted, "{code} on {on}");
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), wanted.2 as usize, "{code} on {on}");
    }
}

/// Resets, ends and broken rules of an HTTP/2 upstream, before its answer and within it: told as an Envoy with the same
/// upstream tells them, and never taken for the end of an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u01_how_an_http2_upstream_breaks_off_is_told_and_never_hidden() {
    #[derive(Clone, Copy, PartialEq)]
    enum Deed {
        Reset(u8),
        End,
        /// GOAWAY with the last stream that is looked at, and an error.
        Away(u8, u8),
        /// DATA on the stream 0.
        Unruly,
    }
    use Deed::{Away, End, Reset, Unruly};
    const TERMINATED: (u16, &str, &str) = (503, "UC", "connection_termination");
    const RESET: (u16, &str, &str) = (503, "UR", "remote_reset");
    const REFUSED: (u16, &str, &str) = (503, "UR", "remote_refused_stream_reset");
    const UNRULY: (u16, &str, &str) = (502, "UPE", "protocol_error");
    let deeds = [
        (Reset(0), RESET),
        (Reset(1), UNRULY),
        (Reset(2), RESET),
        (Reset(7), REFUSED),
        (Reset(8), RESET),
        (Reset(11), RESET),
        (End, TERMINATED),
        (Away(0, 0), REFUSED),
        (Away(0, 2), REFUSED),
        (Away(1, 0), TERMINATED),
        (Unruly, UNRULY),
    ];
    for (deed, (status, flags, reason)) in deeds {
        for answers in [None, Some("head"), Some("half")] {
            let shim = Shim::start(move |heard| async move {
                let Some(mut peer) = Peer::accept(heard, &[]).await else { return };
                let Some(stream) = peer.request().await else { return };
                if answers.is_some() {
                    peer.send(&frame(HEADERS, END_HEADERS, stream, &[0x88])).await;
                }
                if answers == Some("half") {
                    peer.send(&frame(DATA, 0, stream, b"half")).await;
                }
                tokio::time::sleep(Duration::from_millis(60)).await;
                match deed {
                    Reset(code) => peer.send(&frame(RST_STREAM, 0, stream, &[0, 0, 0, code])).await,
                    End => return,
                    Away(last, code) => {
                        peer.send(&frame(GOAWAY, 0, 0, &[0, 0, 0, last, 0, 0, 0, code])).await;
                        tokio::time::sleep(Duration::from_millis(30)).await;
                        return;
                    }
                    Unruly => peer.send(&frame(DATA, 0, 0, b"x")).await,
                }
                peer.heard.hold().await;
            })
            .await;
            let running = before_http2(&shim, 0).await;
            let raw =
                client::exchange(running.address(), "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                    .await;
            let record = running.records.take().remove(0);
            let (status, when) = if answers.is_some() { (200, "after") } else { (status, "before") };
            // The codec does not say that it was GOAWAY that left out a stream whose answer had begun.
            let reason = if deed == Away(0, 0) && answers.is_some() { "remote_reset" } else { reason };
            let details = format!("upstream_reset_{when}_response_started{{{reason}}}");
            let what = format!("{:?} {answers:?}", (flags, reason));
            assert_eq!(
                (record.status, &*record.flags, &*record.details),
                (status, flags, &*details),
                "{what}"
            );
            // What had not gone on when the stream ended may be lost with it.
            let is_begun = raw.starts_with(&format!("HTTP/1.1 {status} "));
            assert!(is_begun || (answers.is_some() && raw.is_empty()), "{what}: {raw}");
            assert!(
                answers.is_none() || !raw.ends_with("0\r\n\r\n"),
                "{what}: half an answer is told to be all: {raw}"
            );
        }
    }
}

/// A client that takes its request back within its body, without an error to its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h05_half_a_request_is_never_sent_on_as_the_whole() {
    let heard_of = std::sync::Arc::new(std::sync::Mutex::new(Vec::<Vec<u8>>::new()));
    let kept = std::sync::Arc::clone(&heard_of);
    let shim = Shim::start(move |mut heard| {
        let kept = std::sync::Arc::clone(&kept);
        async move {
            let mut all = Vec::new();
            while matches!(heard.stream.read_buf(&mut all).await, Ok(1..)) {}
            kept.lock().unwrap().push(all);
        }
    })
    .await;
    let text = door("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n");
    let endpoints = [("10.0.1.1:9080", shim.address), ("10.0.1.2:9080", shim.address)];
    let running =
        start_with(config(&text, GATEWAY), &["80"], &endpoints, Options::default(), |builder| builder).await;
    let post = [(&b":method"[..], &b"POST"[..]), GOOD[1], GOOD[2], GOOD[3]];
    for code in [0, 2, 8] {
        let mut stream = connect(&running).await;
        let begun = [frame(HEADERS, END_HEADERS, 1, &fields(&post)), frame(DATA, 0, 1, b"half")].concat();
        stream.write_all(&begun).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(&frame(RST_STREAM, 0, 1, &[0, 0, 0, code])).await.unwrap();
        let ended = async {
            while heard_of.lock().unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
        for all in heard_of.lock().unwrap().drain(..) {
            let all = String::from_utf8_lossy(&all).into_owned();
            assert!(all.contains("half") && !all.ends_with("0\r\n\r\n"), "{code}: {all}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h06_a_request_that_a_goaway_left_out_is_sent_on_another_connection() {
    let shim = Shim::start(|heard| async move {
        let is_first = heard.number == 0;
        let Some(mut peer) = Peer::accept(heard, &[]).await else { return };
        while let Some(stream) = peer.request().await {
            if is_first {
                peer.send(&frame(GOAWAY, 0, 0, &[0; 8])).await;
                return;
            }
            peer.answer(stream).await;
        }
    })
    .await;
    let running = before_http2(&shim, 2).await;
    let answer = get(running.address(), "a", "/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("ok"), "{}", answer.body);
    assert_eq!(shim.connections(), 2);
}

/// CVE-2021-28682: deadlines that no clock can hold.
#[tokio::test]
async fn h07_grpc_deadlines_saturate_or_are_none() {
    let (running, upstream) = gateway().await;
    for value in [
        "99999999H",
        "999999999H",
        "18446744073709551616S",
        "-1S",
        "1",
        "S",
        "",
        "1x",
        "0x1S",
        "\u{661}S",
        "1.5S",
        "1 S",
        "00000001H",
    ] {
        let list = [
            &GOOD[..],
            &[(&b"content-type"[..], &b"application/grpc"[..]), (b"grpc-timeout", value.as_bytes())],
        ]
        .concat();
        let mut stream = connect(&running).await;
        stream.write_all(&request(1, &list)).await.unwrap();
        let (answered, _) = answer(&mut stream, Duration::from_millis(200)).await;
        assert!(succeeded(&answered), "{value:?}: {answered:?}");
        assert_eq!(upstream.take().len(), 1, "{value:?}");
    }
    // A short one is kept to, and told in the words of gRPC: status 200, `grpc-status` 4 or 14 at once, no body.
    let list = [
        GOOD[0],
        GOOD[1],
        (&b":path"[..], &b"/slow"[..]),
        GOOD[3],
        (b"content-type", b"application/grpc"),
        (b"grpc-timeout", b"100m"),
    ];
    let mut stream = connect(&running).await;
    let started = Instant::now();
    stream.write_all(&request(1, &list)).await.unwrap();
    let (answered, _) = answer(&mut stream, Duration::from_millis(700)).await;
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
    assert!(succeeded(&answered));
    let of_stream: Vec<_> = frames(&answered).into_iter().filter(|frame| frame.2 == 1).collect();
    assert!(of_stream.iter().all(|frame| frame.0 == HEADERS || frame.3.is_empty()), "{of_stream:?}");
}

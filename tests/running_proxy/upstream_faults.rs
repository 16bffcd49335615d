//! Upstreams that fail in every way a connection can: what the client is told, how long it takes, what is tried again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mesh::proxy_core::runtime::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{exchange, get, request};
use crate::fixture::{Running, SIDECAR, config, reviews, start_with};
use crate::shim::Shim;
use crate::upstream::Upstream;

const ONCE: &str = "  - retries: {attempts: 0}\n    route: [{destination: {host: reviews}}]\n";

/// A sidecar in front of one upstream behind both endpoints, by the `http` and the `trafficPolicy` of the service.
async fn before(upstream: SocketAddr, http: &str, policy: &str) -> Running {
    let text = reviews(http).replace(
        "  host: reviews\n  subsets:",
        &format!("  host: reviews\n  trafficPolicy: {policy}\n  subsets:"),
    );
    assert!(text.contains(policy));
    let endpoints = [("10.0.1.1:9080", upstream), ("10.0.1.2:9080", upstream)];
    start_with(config(&text, SIDECAR), &["9080"], &endpoints, Options::default(), |builder| builder).await
}

/// Status and response flags of a request, and how long it took.
async fn told(running: &Running) -> (u16, String, Duration) {
    let started = Instant::now();
    let status = tokio::time::timeout(Duration::from_secs(10), get(running.address(), "reviews", "/x"));
    let status = status.await.map_or(0, |answer| answer.status);
    let took = started.elapsed();
    let flags = running.records.take().first().map(|record| record.flags.clone());
    (status, flags.unwrap_or_default(), took)
}

/// What a request's line in the log says: status, flags and details.
async fn logged(running: &Running) -> (u16, String, String) {
    let answer = get(running.address(), "reviews", "/x").await;
    let record = running.records.take().pop().unwrap();
    assert_eq!(record.status, answer.status);
    (record.status, record.flags, record.details)
}

/// The same as it is to be.
fn in_full((status, flags, details): (u16, &str, &str)) -> (u16, String, String) {
    let upstream = if details.contains('{') { "upstream_reset_" } else { "" };
    (status, flags.to_owned(), format!("{upstream}{details}"))
}

/// A listener that answers no one: its queue is full.
pub async fn black_hole() -> (SocketAddr, impl Drop) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        let connecting = TcpStream::connect(address);
        held.extend(tokio::time::timeout(Duration::from_millis(100), connecting).await.ok());
    }
    (address, Held(socket, held))
}

struct Held(#[allow(dead_code)] socket2::Socket, #[allow(dead_code)] Vec<std::io::Result<TcpStream>>);

impl Drop for Held {
    fn drop(&mut self) {}
}

#[tokio::test]
async fn u01_connections_that_fail_are_told_by_flag() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (status, flags, took) = told(&before(closed, ONCE, "{}").await).await;
    assert_eq!((status, &*flags), (503, "UF"));
    assert!(took < Duration::from_secs(1));
    let retried =
        "  - retries: {attempts: 2, retryOn: connect-failure}\n    route: [{destination: {host: reviews}}]\n";
    let (status, flags, _) = told(&before(closed, retried, "{}").await).await;
    assert_eq!((status, &*flags), (503, "URX,UF"));

    type Deed = fn(crate::shim::Heard) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    let deeds: [(&str, Deed); 6] = [
        ("reset after accept", |heard| Box::pin(async move { heard.reset() })),
        ("reset after the head", |mut heard| {
            Box::pin(async move {
                heard.head().await;
                heard.reset();
            })
        }),
        ("end without an answer", |mut heard| {
            Box::pin(async move {
                heard.head().await;
            })
        }),
        ("end within an interim head's answer", |mut heard| {
            Box::pin(async move {
                heard.head().await;
                heard.say("HTTP/1.1 100 Continue\r\n\r\n").await;
            })
        }),
        ("end within the head", |mut heard| {
            Box::pin(async move {
                heard.head().await;
                heard.say("HTTP/1.1 200 OK\r\ncontent-le").await;
            })
        }),
        ("reset within the head", |mut heard| {
            Box::pin(async move {
                heard.head().await;
                heard.say("HTTP/1.1 200 OK\r\ncontent-le").await;
                tokio::time::sleep(Duration::from_millis(30)).await;
                heard.reset();
            })
        }),
    ];
    for (name, deed) in deeds {
        let shim = Shim::start(deed).await;
        let running = before(shim.address, ONCE, "{}").await;
        let started = Instant::now();
        let wanted = match name {
            "end within the head" | "reset within the head" => {
                (502, "UPE", "before_response_started{protocol_error}")
            }
            _ => (503, "UC", "before_response_started{connection_termination}"),
        };
        assert_eq!(logged(&running).await, in_full(wanted), "{name}");
        let took = started.elapsed();
        assert!(took < Duration::from_secs(2), "{name}: {took:?}");
        assert_eq!(shim.requests().max(1), 1, "{name}");
    }
}

#[tokio::test]
async fn u01_an_answer_that_breaks_in_its_body_is_seen_to_be_broken() {
    let shim = Shim::start(|mut heard| async move {
        heard.head().await;
        heard.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        heard.reset();
    })
    .await;
    let running = before(shim.address, ONCE, "{}").await;
    let answer = get(running.address(), "reviews", "/x").await;
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("100")));
    assert!(answer.body.len() < 100);
    let wanted = in_full((200, "UPE", "after_response_started{protocol_error}"));
    let record = running.records.take().remove(0);
    assert_eq!((record.status, record.flags, record.details), wanted);
    // The next one has a connection of its own.
    assert_eq!(logged(&running).await, wanted);
    assert_eq!(shim.connections(), 2);
    for rest in ["", "zz\r\n\r\n"] {
        let shim = Shim::start(move |mut heard| async move {
            heard.head().await;
            heard.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n").await;
            tokio::time::sleep(Duration::from_millis(30)).await;
            heard.say(rest).await;
        })
        .await;
        let running = before(shim.address, ONCE, "{}").await;
        let raw =
            exchange(running.address(), "GET / HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n").await;
        assert!(raw.contains("half") && !raw.ends_with("0\r\n\r\n"), "{raw}");
        let record = running.records.take().remove(0);
        assert_eq!((record.status, record.flags, record.details), wanted, "{rest:?}");
    }
}

/// As at an Envoy with the same upstreams and routes.
#[tokio::test]
async fn u01_what_came_of_the_tries_is_told_by_flag() {
    let route = |retries: &str| format!("  - {retries}\n    route: [{{destination: {{host: reviews}}}}]\n");
    let garbage = Shim::answering("garbage\r\n\r\n", true).await;
    let failing = Shim::answering("HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n", false).await;
    let silent = Shim::start(|mut heard| async move {
        heard.head().await;
        heard.hold().await;
    })
    .await;
    let before_head = "before_response_started{protocol_error}";
    for (upstream, retries, wanted) in [
        (&garbage, "retries: {attempts: 0}", (502, "UPE", before_head)),
        (&garbage, "retries: {attempts: 1, retryOn: reset}", (502, "URX,UPE", before_head)),
        (&garbage, "retries: {attempts: 1, retryOn: connect-failure}", (502, "UPE", before_head)),
        (&failing, "retries: {attempts: 0}", (503, "-", "via_upstream")),
        (&failing, "retries: {attempts: 1, retryOn: 5xx}", (503, "URX", "via_upstream")),
        (
            &silent,
            "retries: {attempts: 1, retryOn: 5xx, perTryTimeout: 100ms}",
            (504, "URX,UT", "upstream_per_try_timeout"),
        ),
        (&silent, "retries: {attempts: 0}\n    timeout: 100ms", (504, "UT", "response_timeout")),
    ] {
        let running = before(upstream.address, &route(retries), "{}").await;
        let (status, flags, details) = logged(&running).await;
        let flags = if flags.is_empty() { "-".to_owned() } else { flags };
        assert_eq!((status, flags, details), in_full(wanted), "{retries}");
    }

    // Who ended an answer that had begun: its time, or the client.
    let half = Shim::start(|mut heard| async move {
        heard.head().await;
        heard.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
        heard.hold().await;
    })
    .await;
    let running = before(half.address, &route("retries: {attempts: 0}\n    timeout: 200ms"), "{}").await;
    assert_eq!(logged(&running).await, in_full((200, "UT", "response_timeout")));
    let running = before(half.address, ONCE, "{}").await;
    let mut client = TcpStream::connect(running.address()).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"half") {
        assert!(client.read_buf(&mut seen).await.unwrap() > 0);
    }
    drop(client);
    let record = loop {
        if let Some(record) = running.records.take().pop() {
            break record;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let told = (record.status, record.flags, record.details);
    assert_eq!(told, in_full((200, "DC", "downstream_remote_disconnect")));
}

#[tokio::test]
async fn u01_the_connect_timeout_is_kept() {
    let (address, _held) = black_hole().await;
    let running = before(address, ONCE, "{connectionPool: {tcp: {connectTimeout: 500ms}}}").await;
    let (status, flags, took) = told(&running).await;
    assert_eq!((status, &*flags), (503, "UF"));
    assert!((Duration::from_millis(490)..Duration::from_millis(900)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn u02_slow_answers_end_with_the_routes_patience() {
    let silent = Shim::start(|mut heard| async move {
        heard.head().await;
        heard.hold().await;
    })
    .await;
    let http =
        "  - retries: {attempts: 0}\n    timeout: 400ms\n    route: [{destination: {host: reviews}}]\n";
    let (status, flags, took) = told(&before(silent.address, http, "{}").await).await;
    assert_eq!((status, &*flags), (504, "UT"));
    assert!((Duration::from_millis(390)..Duration::from_millis(800)).contains(&took), "{took:?}");

    let http = "  - timeout: 5s\n    retries: {attempts: 2, perTryTimeout: 200ms, retryOn: 'reset,gateway-error,5xx'}\n    route: [{destination: {host: reviews}}]\n";
    let (status, flags, took) = told(&before(silent.address, http, "{}").await).await;
    assert_eq!((status, &*flags), (504, "URX,UT"));
    assert!((Duration::from_millis(590)..Duration::from_millis(1500)).contains(&took), "{took:?}");

    // A byte now and then is no answer in time either.
    let trickling = Shim::start(|mut heard| async move {
        heard.head().await;
        heard.say("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        while heard.stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let http =
        "  - retries: {attempts: 0}\n    timeout: 400ms\n    route: [{destination: {host: reviews}}]\n";
    let running = before(trickling.address, http, "{}").await;
    let started = Instant::now();
    let answer = get(running.address(), "reviews", "/x").await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(answer.body.len() < 100, "{}", answer.body.len());
    let record = running.records.take().remove(0);
    let told = (record.status, record.flags, record.details);
    assert_eq!(told, in_full((200, "UT", "response_timeout")));
}

#[tokio::test]
async fn u02_an_upstream_that_never_reads_holds_one_request_only() {
    let deaf = Shim::start(|heard| async move {
        tokio::time::sleep(Duration::from_secs(4)).await;
        drop(heard);
    })
    .await;
    let http =
        "  - retries: {attempts: 0}\n    timeout: 300ms\n    route: [{destination: {host: reviews}}]\n";
    let running = before(deaf.address, http, "{}").await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: {}\r\n\r\n", 256 << 20);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut taken = 0_usize;
    let piece = vec![b'x'; 64 * 1024];
    while let Ok(Ok(length)) = tokio::time::timeout(Duration::from_millis(300), stream.write(&piece)).await {
        taken += length;
        if taken > 200 << 20 {
            break;
        }
    }
    // The system's buffers on four ends hold some megabytes; the proxy itself keeps little.
    assert!(taken < 64 << 20, "{taken} bytes were taken for an upstream that reads none");
}

#[tokio::test]
async fn u03_a_host_that_fails_is_left_out_and_comes_back() {
    let (good, bad) = (
        Upstream::start("good").await,
        Shim::answering("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", false).await,
    );
    let policy = "{outlierDetection: {consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 1s, maxEjectionPercent: 50}, loadBalancer: {simple: ROUND_ROBIN}}";
    let text = reviews(ONCE).replace(
        "  host: reviews\n  subsets:",
        &format!("  host: reviews\n  trafficPolicy: {policy}\n  subsets:"),
    );
    let endpoints = [("10.0.1.1:9080", good.address), ("10.0.1.2:9080", bad.address)];
    let running =
        start_with(config(&text, SIDECAR), &["9080"], &endpoints, Options::default(), |builder| builder)
            .await;
    let mut failed = 0;
    for _ in 0..20 {
        failed += u32::from(get(running.address(), "reviews", "/").await.status == 500);
    }
    assert_eq!(failed, 2, "two failures eject, the rest go to the good one");
    tokio::time::sleep(Duration::from_millis(2300)).await;
    let mut again = 0;
    for _ in 0..10 {
        again += u32::from(get(running.address(), "reviews", "/").await.status == 500);
    }
    assert!((1..=2).contains(&again), "it is tried again, and left out again: {again}");
}

#[tokio::test]
async fn u06_what_an_upstream_may_have_done_is_not_done_twice() {
    let shim = Shim::start(|mut heard| async move {
        heard.head().await;
        heard.reset();
    })
    .await;
    // Istio's default policy: connect-failure, refused-stream, unavailable, cancelled; no reset after the request was sent.
    let running = before(shim.address, "  - route: [{destination: {host: reviews}}]\n", "{}").await;
    let answer = request(running.address(), "POST /pay", &[("host", "reviews")], "money").await;
    assert_eq!(answer.status, 503);
    assert_eq!(shim.requests(), 1);
}

/// On a total outage every request costs its own tries and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u06_retries_on_a_total_outage_are_bounded() {
    let shim = Shim::answering("HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n", false).await;
    let http = "  - retries: {attempts: 3, retryOn: 5xx}\n    route: [{destination: {host: reviews}}]\n";
    let running = before(shim.address, http, "{connectionPool: {http: {maxRetries: 1}}}").await;
    let address = running.address();
    let clients: Vec<_> =
        (0..20).map(|_| tokio::spawn(async move { get(address, "reviews", "/").await.status })).collect();
    for client in clients {
        assert_eq!(client.await.unwrap(), 503);
    }
    // At once only one retry is out: far from three for each.
    let requests = shim.requests();
    assert!((21..60).contains(&requests), "{requests}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u07_beyond_its_limits_a_cluster_refuses_at_once() {
    let slow = Shim::start(|mut heard| async move {
        while heard.head().await.is_some() {
            tokio::time::sleep(Duration::from_millis(500)).await;
            heard.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let policy = "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}}";
    let running = before(slow.address, ONCE, policy).await;
    let address = running.address();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(tokio::spawn(async move {
            let started = Instant::now();
            (get(address, "reviews", "/").await.status, started.elapsed())
        }));
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let mut statuses = Vec::new();
    for client in clients {
        let (status, took) = client.await.unwrap();
        assert!(status != 503 || took < Duration::from_millis(200), "{took:?}");
        statuses.push(status);
    }
    assert_eq!(statuses, [200, 200, 503, 503, 503]);
    let records = running.records.take();
    let overflows: Vec<_> = records.iter().filter(|record| record.flags == "UO").collect();
    assert_eq!(overflows.len(), 3);
    for record in overflows {
        assert_eq!(record.details, "upstream_reset_before_response_started{overflow}");
        assert_eq!(record.response_headers["x-envoy-overloaded"], "true");
    }
    assert_eq!(slow.requests(), 2, "the others went nowhere");
}

/// An upstream that closes each connection a few milliseconds after its first answer, be there a second request or not.
async fn closing_when_idle() -> Shim {
    Shim::start(|mut heard| async move {
        heard.head().await;
        heard.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        tokio::time::sleep(Duration::from_millis(heard.number as u64 % 7)).await;
    })
    .await
}

/// A kept connection that the upstream closes just when it is used again: what it did not take is sent once more, and what
/// it may have read is only where the route says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u09_a_connection_closed_while_idle_doubles_no_request_and_costs_none_that_may_be_repeated() {
    let shim = closing_when_idle().await;
    let running = before(shim.address, ONCE, "{}").await;
    let mut served = 0;
    for round in 0..60 {
        let target = format!("POST /{round}-");
        let answer = request(running.address(), &target, &[("host", "reviews")], "").await;
        let told = running.records.take();
        let heard = shim.heads.lock().unwrap().iter().filter(|head| head.starts_with(&target)).count();
        assert!(heard <= 1, "{target}: heard {heard} times");
        match answer.status {
            200 => assert_eq!(heard, 1, "{target}"),
            // It was written while the other side closed, and may have been read: that is said, and nothing is hidden.
            status => assert_eq!((status, told.first().map(|it| &*it.flags)), (503, Some("UC")), "{target}"),
        }
        served += u32::from(answer.status == 200);
        tokio::time::sleep(Duration::from_millis(round % 9)).await;
    }
    // Most connections are closed before they are used again, or are closed for a request that was not sent.
    assert!(served >= 30, "{served}");

    let again = "  - retries: {attempts: 3, retryOn: reset}\n    route: [{destination: {host: reviews}}]\n";
    let shim = closing_when_idle().await;
    let running = before(shim.address, again, "{}").await;
    for round in 0..60 {
        assert_eq!(get(running.address(), "reviews", "/x").await.status, 200, "{round}");
        tokio::time::sleep(Duration::from_millis(round % 9)).await;
    }
    assert!(shim.connections() > 20, "{}: nothing was closed", shim.connections());
}

#[tokio::test]
async fn u10_a_dead_mirror_and_a_fault_change_nothing_else() {
    let upstream = Upstream::start("reviews").await;
    let (hole, _held) = black_hole().await;
    let http = "  - retries: {attempts: 0}\n    mirrors: [{destination: {host: reviews, subset: v2}}]\n    route: [{destination: {host: reviews, subset: v1}}]\n";
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", hole)];
    let running =
        start_with(config(&reviews(http), SIDECAR), &["9080"], &endpoints, Options::default(), |builder| {
            builder
        })
        .await;
    for _ in 0..5 {
        let (status, _, took) = told(&running).await;
        assert_eq!(status, 200);
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    assert_eq!(upstream.take().len(), 5);
    let http = "  - fault: {delay: {fixedDelay: 200ms, percentage: {value: 100}}, abort: {httpStatus: 418, percentage: {value: 100}}}\n    route: [{destination: {host: reviews}}]\n";
    let (status, flags, took) = told(&before(upstream.address, http, "{}").await).await;
    assert_eq!((status, &*flags), (418, "DI,FI"));
    assert!(upstream.take().is_empty(), "what is aborted goes nowhere");
    assert!((Duration::from_millis(195)..Duration::from_millis(900)).contains(&took), "{took:?}");
}

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    /// It ends its side and waits.
    Ends,
    /// It ends its side with its last byte.
    EndsAtOnce,
    /// It ends its side behind another request.
    EndsBehindMore,
    /// It asked for another protocol, and ends its side.
    EndsBeforeUpgrade,
    Resets,
    /// The upstream has begun to answer.
    ResetsWithin,
}

/// Measured at Envoy 1.35: half-open clients of HTTP/1 are gone clients, and what is done for them ends. The upstream's
/// connection is closed, its place in the pool and in the breakers is free, and the log tells of it with `DC`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u01_a_half_open_upstream_is_given_up_with_the_client() {
    let (gone, mut told) = tokio::sync::mpsc::unbounded_channel();
    let shim = Shim::start(move |mut heard| {
        let gone = gone.clone();
        async move {
            while let Some(head) = heard.head().await {
                if head.starts_with("GET /quick") {
                    heard.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                    continue;
                }
                if head.starts_with("GET /begun") {
                    heard.say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await;
                }
                let number = heard.number;
                heard.hold().await;
                let _ = gone.send(number);
                return;
            }
        }
    })
    .await;
    let policy = "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1, \
                  http2MaxRequests: 1}}}";
    let running = before(shim.address, ONCE, policy).await;
    use Leaves::*;
    for leaves in [Ends, EndsAtOnce, EndsBehindMore, EndsBeforeUpgrade, Resets, ResetsWithin] {
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        let asked = match leaves {
            EndsBehindMore => {
                "GET / HTTP/1.1\r\nhost: reviews\r\n\r\nGET /quick HTTP/1.1\r\nhost: reviews\r\n\r\n"
            }
            EndsBeforeUpgrade => {
                "GET / HTTP/1.1\r\nhost: reviews\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
            }
            ResetsWithin => "GET /begun HTTP/1.1\r\nhost: reviews\r\n\r\n",
            _ => "GET / HTTP/1.1\r\nhost: reviews\r\n\r\n",
        };
        stream.write_all(asked.as_bytes()).await.unwrap();
        if !matches!(leaves, EndsAtOnce) {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let left = Instant::now();
        if matches!(leaves, Resets | ResetsWithin) {
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            drop(stream);
        } else {
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            let reading = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer));
            reading.await.unwrap_or_else(|_| panic!("{leaves:?}: the connection stays")).ok();
            assert!(answer.is_empty(), "{leaves:?}: {}", String::from_utf8_lossy(&answer));
        }
        if !matches!(leaves, EndsAtOnce) {
            let gone = tokio::time::timeout(Duration::from_secs(2), told.recv()).await;
            gone.unwrap_or_else(|_| panic!("{leaves:?}: the upstream's connection stays")).unwrap();
        }
        // The only connection and the only place are free again.
        let next = tokio::time::timeout(Duration::from_secs(2), get(running.address(), "reviews", "/quick"));
        assert_eq!(next.await.expect("no room").status, 200, "{leaves:?}");
        assert!(left.elapsed() < Duration::from_secs(2), "{leaves:?}: {:?}", left.elapsed());
        if matches!(leaves, EndsAtOnce) {
            // Whether the upstream had heard of it is open; if so, it hears of the end about now.
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        while let Ok(number) = told.try_recv() {
            assert!(matches!(leaves, EndsAtOnce), "{leaves:?}: {number}");
        }
        let records = running.records.take();
        let told: Vec<_> = records.iter().map(|record| (record.status, &*record.flags)).collect();
        let first = if matches!(leaves, ResetsWithin) { (200, "DC") } else { (0, "DC") };
        assert_eq!(told, [first, (200, "")], "{leaves:?}");
    }
}

/// Who leaves while nothing is asked of an upstream gets what was answered at once, and is not waited for.
#[tokio::test]
async fn what_is_answered_at_once_is_told_to_a_client_that_ends_its_side() {
    let text = "  - directResponse: {status: 200, body: {string: hello}}\n";
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let running = before(nowhere, text, "{}").await;
    for asked in ["GET / HTTP/1.1\r\nhost: reviews\r\n\r\n", "GET / HTTP/1.1\r\nhost reviews\r\n\r\n"] {
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        stream.write_all(asked.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(Duration::from_secs(2), stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let wanted = if asked.contains("host:") { "HTTP/1.1 200" } else { "HTTP/1.1 400" };
        assert!(answer.starts_with(wanted), "{answer}");
    }
}

/// An upstream that took a request and says nothing more, for a client that waits without end: a drain waits for the two as
/// long as it may, and then lets go of both.
#[tokio::test]
async fn u01_a_half_open_upstream_is_given_up_when_a_drain_has_had_its_time() {
    let (gone, mut told) = tokio::sync::mpsc::unbounded_channel();
    let shim = Shim::start(move |mut heard| {
        let gone = gone.clone();
        async move {
            heard.head().await;
            heard.hold().await;
            let _ = gone.send(());
        }
    })
    .await;
    let mut options = Options::default();
    options.patience.drain = Some(Duration::from_millis(700));
    let endpoints = [("10.0.1.1:9080", shim.address), ("10.0.1.2:9080", shim.address)];
    let config = config(&reviews(ONCE), SIDECAR);
    let running = start_with(config, &["9080"], &endpoints, options, |builder| builder).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n").await.unwrap();
    let mut one = [0];
    assert!(tokio::time::timeout(Duration::from_millis(200), stream.read(&mut one)).await.is_err());
    assert_eq!((shim.requests(), told.try_recv().is_ok()), (1, false), "it is waited for");
    let started = Instant::now();
    tokio::time::timeout(Duration::from_secs(5), running.proxy.drain())
        .await
        .expect("it is waited for without end");
    assert!(started.elapsed() >= Duration::from_millis(690), "a request in flight is waited for");
    let gone = tokio::time::timeout(Duration::from_secs(5), told.recv()).await;
    gone.expect("the upstream's connection is still held").unwrap();
    assert!(matches!(stream.read(&mut one).await, Ok(0) | Err(_)), "the client is told nothing more");
}

/// CVE-2024-53270: who is told that there is too much of everything may be gone already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_of_overload_to_clients_that_are_gone_hurt_nobody() {
    let slow = Shim::start(|mut heard| async move {
        while heard.head().await.is_some() {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            heard.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let policy = "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}}";
    let running = before(slow.address, ONCE, policy).await;
    let address = running.address();
    let occupying: Vec<_> =
        (0..2).map(|_| tokio::spawn(async move { get(address, "reviews", "/").await.status })).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let h2: [crate::http2_attacks::Field<'_>; 4] =
        [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"reviews")];
    for round in 0..60 {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let said = match round % 3 {
            0 => b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n".to_vec(),
            1 => b"POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: 9\r\n\r\nabc".to_vec(),
            _ => {
                use crate::http2_attacks::{PREFACE, RST_STREAM, SETTINGS, frame, request};
                let pairs = (0..10u32).map(|at| {
                    [request(2 * at + 1, &h2), frame(RST_STREAM, 0, 2 * at + 1, &[0, 0, 0, 8])].concat()
                });
                [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[]), pairs.collect::<Vec<_>>().concat()].concat()
            }
        };
        tokio::io::AsyncWriteExt::write_all(&mut stream, &said).await.unwrap();
        if round % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(round / 10)).await;
        }
        // A reset, not an end.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
    for client in occupying {
        assert_eq!(client.await.unwrap(), 200);
    }
    assert_eq!(get(address, "reviews", "/").await.status, 200);
    tokio::time::timeout(Duration::from_secs(5), running.proxy.drain())
        .await
        .expect("somebody is still there");
}

/// Connections that the system does not make: `(its error, how many times)`.
#[derive(Debug)]
struct Refusing(Vec<i32>, std::sync::atomic::AtomicUsize, mesh::proxy_core::seam::dial::SystemDial);

impl mesh::proxy_core::seam::dial::Dial for Refusing {
    fn dial(
        &self,
        target: mesh::proxy_core::seam::dial::Target,
    ) -> mesh::proxy_core::seam::dial::Dialled<'_> {
        let turn = self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        match self.0.get(turn) {
            Some(code) => Box::pin(std::future::ready(Err(std::io::Error::from_raw_os_error(*code)))),
            None => self.2.dial(target),
        }
    }
}

/// No local port is left, no file, no memory for a socket: requests are refused with 503 while it lasts, and served after.
#[tokio::test]
async fn x06_x02_what_the_system_does_not_give_is_a_503_until_it_does() {
    const ADDRESS_NOT_AVAILABLE: i32 = 99;
    const PROCESS_FILES: i32 = 24;
    const SYSTEM_FILES: i32 = 23;
    const BUFFERS: i32 = 105;
    let upstream = Upstream::start("reviews").await;
    let codes = vec![ADDRESS_NOT_AVAILABLE, PROCESS_FILES, SYSTEM_FILES, BUFFERS];
    let times = codes.len();
    let instead = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let instead = instead.iter().map(|(mesh, local)| ((*mesh).to_owned(), local.to_string())).collect();
    let dial = Refusing(codes, Default::default(), mesh::proxy_core::seam::dial::SystemDial { instead });
    let configured = config(&reviews(ONCE), SIDECAR);
    let running =
        start_with(configured, &["9080"], &[], Options::default(), |builder| builder.dial(dial)).await;
    for _ in 0..times {
        let (status, flags, took) = told(&running).await;
        assert_eq!((status, &*flags), (503, "UF"));
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    for _ in 0..3 {
        assert_eq!(told(&running).await.0, 200);
    }
}

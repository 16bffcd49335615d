//! HTTP through sidecars and gateways.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, exchange, get, request};
use crate::fixture::{GATEWAY, Running, SIDECAR, door, reviews, start};
use crate::upstream::Upstream;

const EVERYTHING: &str = "  - route: [{destination: {host: reviews}}]\n";

/// A sidecar in front of one upstream that is all of `reviews`.
async fn sidecar(http: &str) -> (Running, Upstream) {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    (start(&reviews(http), SIDECAR, &["9080"], &endpoints).await, upstream)
}

async fn gateway(http: &str) -> (Running, Upstream) {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    (start(&door(http), GATEWAY, &["80"], &endpoints).await, upstream)
}

#[tokio::test]
async fn the_upstream_receives_the_canonical_request() {
    let (proxy, upstream) = sidecar(EVERYTHING).await;
    let headers = [
        ("host", "reviews:9080"),
        ("X-Own", "1"),
        ("keep-alive", "timeout=5"),
        ("te", "gzip"),
        ("x-forwarded-client-cert", "URI=spiffe://forged"),
    ];
    let answer = request(proxy.address(), "GET /a/./b/../c?x=1", &headers, "").await;
    assert_eq!((answer.status, &*answer.body), (200, "reviews"));
    assert_eq!(answer.header("server"), Some("envoy"));
    assert!(answer.header("x-envoy-upstream-service-time").is_some());
    let seen = upstream.only();
    assert_eq!((&*seen.target, &*seen.authority, &*seen.version), ("/a/c?x=1", "reviews:9080", "HTTP/1.1"));
    assert_eq!(seen.header("x-own"), Some("1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-envoy-attempt-count"), Some("1"));
    assert_eq!(seen.header("x-request-id").map(str::len), Some(36));
    for gone in ["connection", "keep-alive", "te", "x-forwarded-client-cert"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn rewrites_and_header_operations_take_effect() {
    let (proxy, upstream) = sidecar(
        "  - match: [{uri: {prefix: /old}}]
    rewrite: {uri: /new, authority: other.example}
    headers:
      request: {set: {x-set: a}, add: {x-add: b}, remove: [x-gone]}
      response: {add: {x-answer: c}, remove: [x-upstream]}
    route: [{destination: {host: reviews}}]
",
    )
    .await;
    let headers = [("host", "reviews"), ("x-gone", "1"), ("x-set", "0"), ("x-add", "0")];
    let answer = request(proxy.address(), "POST /old/x?y", &headers, "body").await;
    assert_eq!((answer.header("x-answer"), answer.header("x-upstream")), (Some("c"), None));
    let seen = upstream.only();
    assert_eq!((&*seen.target, &*seen.authority, &*seen.body), ("/new/x?y", "other.example", "body"));
    assert_eq!(seen.header("x-envoy-original-path"), Some("/old/x?y"));
    assert_eq!((seen.header("x-set"), seen.header("x-gone")), (Some("a"), None));
    let added: Vec<&str> =
        seen.headers.iter().filter(|(name, _)| name == "x-add").map(|(_, value)| &**value).collect();
    assert_eq!(added, ["0", "b"]);
}

#[tokio::test]
async fn answers_of_its_own_have_envoys_words() {
    let (proxy, upstream) = sidecar(
        "  - match: [{uri: {prefix: /moved}}]
    redirect: {uri: /here, redirectCode: 307}
  - match: [{uri: {prefix: /teapot}}]
    directResponse: {status: 418, body: {string: short and stout}}
  - match: [{uri: {prefix: /fault}}]
    fault: {abort: {httpStatus: 555, percentage: {value: 100}}}
    route: [{destination: {host: reviews}}]
  - match: [{uri: {prefix: /nowhere}}]
    route: [{destination: {host: reviews, subset: v9}}]
  - match: [{uri: {prefix: /known}}]
    route: [{destination: {host: reviews}}]
",
    )
    .await;
    let get = async |target: &str| get(proxy.address(), "reviews", target).await;
    let moved = get("/moved/x").await;
    assert_eq!((moved.status, moved.header("location")), (307, Some("http://reviews/here")));
    let teapot = get("/teapot").await;
    assert_eq!((teapot.status, &*teapot.body), (418, "short and stout"));
    assert_eq!(teapot.header("content-type"), Some("text/plain"));
    let fault = get("/fault").await;
    assert_eq!((fault.status, &*fault.body), (555, "fault filter abort"));
    assert_eq!((get("/nowhere").await.status, get("/unknown").await.status), (503, 404));
    let flags: Vec<String> = proxy.records.take().into_iter().map(|record| record.flags).collect();
    assert_eq!(flags, ["-", "-", "FI", "NC", "NR"]);
    assert!(upstream.take().is_empty());
}

#[tokio::test]
async fn a_policy_that_denies_is_heard_in_the_body() {
    let text = door("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n")
        + "
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: edge}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: [/admin*]}}]}]
";
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let proxy = start(&text, GATEWAY, &["80"], &endpoints).await;
    for target in ["/admin", "/x/../admin/users", "/%61dmin/./x"] {
        let answer = get(proxy.address(), "a", target).await;
        assert_eq!((answer.status, &*answer.body), (403, "RBAC: access denied"), "{target}");
    }
    assert_eq!(get(proxy.address(), "a", "/public").await.status, 200);
    assert_eq!(upstream.only().target, "/public");
}

#[tokio::test]
async fn retries_send_the_same_body_again() {
    let (proxy, upstream) = sidecar(
        "  - retries: {attempts: 3, retryOn: 5xx}
    route: [{destination: {host: reviews}}]
",
    )
    .await;
    let body = "x".repeat(20_000);
    let answer = request(proxy.address(), "POST /fail/2", &[("host", "reviews")], &body).await;
    assert_eq!(answer.status, 200);
    let seen = upstream.take();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.body == body));
    assert_eq!(seen[2].header("x-envoy-attempt-count"), Some("3"));
}

#[tokio::test]
async fn a_body_too_large_to_keep_is_sent_once() {
    let (proxy, upstream) = sidecar(
        "  - retries: {attempts: 3, retryOn: 5xx}
    route: [{destination: {host: reviews}}]
",
    )
    .await;
    let body = "x".repeat(200_000);
    let answer = request(proxy.address(), "POST /fail/2", &[("host", "reviews")], &body).await;
    assert_eq!(answer.status, 503);
    assert_eq!(upstream.only().body.len(), body.len());
}

#[tokio::test]
async fn timeouts_end_the_wait() {
    let (proxy, _upstream) = sidecar(
        "  - match: [{uri: {prefix: /slow/try}}]
    retries: {attempts: 1, perTryTimeout: 100ms, retryOn: 5xx}
    route: [{destination: {host: reviews}}]
  - timeout: 200ms
    route: [{destination: {host: reviews}}]
",
    )
    .await;
    for (target, least, most) in [("/slow", 190, 1500), ("/slow/try", 190, 1500)] {
        let started = Instant::now();
        let answer = get(proxy.address(), "reviews", target).await;
        assert_eq!((answer.status, &*answer.body), (504, "upstream request timeout"), "{target}");
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(least) && took < Duration::from_millis(most), "{took:?}");
    }
    let flags: Vec<String> = proxy.records.take().into_iter().map(|record| record.flags).collect();
    assert_eq!(flags, ["UT", "URX,UT"]);
}

#[tokio::test]
async fn upstream_failures_have_envoys_words() {
    let (proxy, upstream) =
        sidecar("  - retries: {attempts: 0}\n    route: [{destination: {host: reviews}}]\n").await;
    let cut = get(proxy.address(), "reviews", "/cut").await;
    assert_eq!(cut.status, 503);
    assert_eq!(
        cut.body,
        "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
    );
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = reviews("  - retries: {attempts: 0}\n    route: [{destination: {host: reviews}}]\n");
    let endpoints = [("10.0.1.1:9080", closed), ("10.0.1.2:9080", closed)];
    let other = start(&text, SIDECAR, &["9080"], &endpoints).await;
    let refused = get(other.address(), "reviews", "/").await;
    assert_eq!(
        refused.body,
        "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"
    );
    let flags: Vec<String> = [proxy.records.take(), other.records.take()]
        .concat()
        .into_iter()
        .map(|record| record.flags)
        .collect();
    assert_eq!(flags, ["UC", "UF"]);
    drop(upstream);
}

#[tokio::test]
async fn no_endpoint_is_told_at_once() {
    let text = reviews(EVERYTHING).replace("conditions: {ready: true}", "conditions: {ready: false}");
    let proxy = start(&text, SIDECAR, &["9080"], &[]).await;
    let started = Instant::now();
    let answer = get(proxy.address(), "reviews", "/").await;
    assert_eq!((answer.status, &*answer.body), (503, "no healthy upstream"));
    assert!(started.elapsed() < Duration::from_millis(500));
    let record = proxy.records.take().remove(0);
    assert_eq!((&*record.flags, &*record.details, record.attempts), ("UH", "no_healthy_upstream", 0));
    // Nor in a subset that selects nobody.
    let text = reviews("  - route: [{destination: {host: reviews, subset: v3}}]\n")
        .replace("  - {name: v1, labels", "  - {name: v3, labels: {version: v3}}\n  - {name: v1, labels");
    let proxy = start(&text, SIDECAR, &["9080"], &[]).await;
    let answer = get(proxy.address(), "reviews", "/").await;
    assert_eq!((answer.status, &*answer.body), (503, "no healthy upstream"));
    assert_eq!(proxy.records.take()[0].flags, "UH");
}

#[tokio::test]
async fn weights_are_shares() {
    let (one, two) = (Upstream::start("one").await, Upstream::start("two").await);
    let text = reviews(
        "  - route:
    - {destination: {host: reviews, subset: v1}, weight: 80}
    - {destination: {host: reviews, subset: v2}, weight: 20}
",
    );
    let endpoints = [("10.0.1.1:9080", one.address), ("10.0.1.2:9080", two.address)];
    let proxy = start(&text, SIDECAR, &["9080"], &endpoints).await;
    for _ in 0..300 {
        assert_eq!(get(proxy.address(), "reviews", "/").await.status, 200);
    }
    let share = one.take().len();
    assert!((200..280).contains(&share), "{share} of 300");
}

#[tokio::test]
async fn mirrors_get_a_copy_and_change_nothing() {
    let (one, two) = (Upstream::start("one").await, Upstream::start("two").await);
    let text = reviews(
        "  - route: [{destination: {host: reviews, subset: v1}}]
    mirrors: [{destination: {host: reviews, subset: v2}}]
",
    );
    let endpoints = [("10.0.1.1:9080", one.address), ("10.0.1.2:9080", two.address)];
    let proxy = start(&text, SIDECAR, &["9080"], &endpoints).await;
    let answer = request(proxy.address(), "POST /x", &[("host", "reviews")], "hello").await;
    assert_eq!((answer.status, &*answer.body), (200, "one"));
    let mut copies = Vec::new();
    for _ in 0..100 {
        copies.extend(two.take());
        if !copies.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((&*copies[0].body, &*copies[0].target), ("hello", "/x"));
    assert_eq!(one.only().body, "hello");
}

#[tokio::test]
async fn cors_answers_carry_the_policys_headers() {
    let (proxy, upstream) = gateway(
        "  - corsPolicy:
      allowOrigins: [{exact: 'https://a.example'}]
      allowMethods: [GET, POST]
      allowCredentials: true
      exposeHeaders: [x-upstream]
      maxAge: 10s
    route: [{destination: {host: reviews.shop.svc.cluster.local}}]
",
    )
    .await;
    let preflight =
        [("host", "a"), ("origin", "https://a.example"), ("access-control-request-method", "GET")];
    let answer = request(proxy.address(), "OPTIONS /", &preflight, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET,POST"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-max-age"), Some("10"));
    assert!(upstream.take().is_empty());
    let allowed = request(proxy.address(), "GET /", &preflight[..2], "").await;
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(allowed.header("access-control-expose-headers"), Some("x-upstream"));
    let other =
        request(proxy.address(), "GET /", &[("host", "a"), ("origin", "https://b.example")], "").await;
    assert_eq!((other.status, other.header("access-control-allow-origin")), (200, None));
}

#[tokio::test]
async fn upstream_connections_are_used_again() {
    let (proxy, upstream) = sidecar(EVERYTHING).await;
    for _ in 0..20 {
        assert_eq!(get(proxy.address(), "reviews", "/").await.status, 200);
    }
    assert!(upstream.connections.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn http2_clients_reach_http1_upstreams() {
    let (proxy, upstream) =
        gateway("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n").await;
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let requests = (0..20).map(|number| {
        let request = hyper::Request::post(format!("http://a.example/{number}"))
            .body(Full::new(Bytes::from(format!("body {number}"))))
            .unwrap();
        sender.send_request(request)
    });
    let requests: Vec<_> = requests.collect();
    for answer in requests {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "reviews");
    }
    let seen = upstream.take();
    assert_eq!(seen.len(), 20);
    assert!(seen.iter().all(|seen| seen.version == "HTTP/1.1" && seen.authority == "a.example"));
    assert!(seen.iter().any(|seen| seen.body == "body 7" && seen.target == "/7"));
    assert_eq!(seen[0].header("x-forwarded-for"), Some("127.0.0.1"));
}

#[tokio::test]
async fn websockets_pass_both_ways() {
    let (proxy, _upstream) =
        gateway("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n").await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream
        .write_all(b"GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n")
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let answer = Answer::parse(&String::from_utf8(head).unwrap());
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("websocket")));
    stream.write_all(b"ping").await.unwrap();
    let mut echoed = [0; 4];
    stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"ping");
    let other = request(
        proxy.address(),
        "GET /",
        &[("host", "a"), ("connection", "upgrade"), ("upgrade", "h2c")],
        "",
    );
    assert_eq!(other.await.status, 403);
    assert_eq!(request(proxy.address(), "CONNECT a:80", &[("host", "a:80")], "").await.status, 404);
}

#[tokio::test]
async fn http10_is_told_to_upgrade() {
    let (proxy, _upstream) =
        gateway("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n").await;
    let answer = exchange(proxy.address(), "GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
    assert_eq!(Answer::parse(&answer).status, 426);
}

#[tokio::test]
async fn a_client_without_a_host_or_with_two_is_refused() {
    let (proxy, upstream) =
        gateway("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n").await;
    assert_eq!(request(proxy.address(), "GET /", &[], "").await.status, 400);
    assert_eq!(request(proxy.address(), "GET /", &[("host", "a"), ("host", "b")], "").await.status, 400);
    assert!(upstream.take().is_empty());
}

#[tokio::test]
async fn absolute_targets_win_over_the_host_line() {
    let (proxy, upstream) =
        gateway("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n").await;
    let answer = request(proxy.address(), "GET http://b.example/x?y", &[("host", "a.example")], "").await;
    assert_eq!(answer.status, 200);
    let seen = upstream.only();
    assert_eq!((&*seen.authority, &*seen.target), ("b.example", "/x?y"));
}

#[tokio::test]
async fn grpc_clients_hear_of_failures_by_status() {
    let (proxy, _upstream) = gateway("  - match: [{uri: {prefix: /known}}]\n    route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n").await;
    let headers = [("host", "a"), ("content-type", "application/grpc")];
    let answer = request(proxy.address(), "POST /pkg.Service/Method", &headers, "").await;
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("12")));
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
}

#[tokio::test]
async fn hash_keys_pick_one_endpoint_and_cookies_are_made() {
    let (one, two) = (Upstream::start("one").await, Upstream::start("two").await);
    let text = reviews(EVERYTHING)
        .replace("  host: reviews\n  subsets", "  host: reviews\n  trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: who, ttl: 60s, path: /}}}}\n  subsets");
    let endpoints = [("10.0.1.1:9080", one.address), ("10.0.1.2:9080", two.address)];
    let proxy = start(&text, SIDECAR, &["9080"], &endpoints).await;
    let answer = get(proxy.address(), "reviews", "/").await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("who=\"") && cookie.ends_with("; Max-Age=60; Path=/; HttpOnly"), "{cookie}");
    let first = answer.body.clone();
    let own = cookie.split(';').next().unwrap();
    for _ in 0..10 {
        let headers = [("host", "reviews"), ("cookie", own)];
        let again = request(proxy.address(), "GET /", &headers, "").await;
        assert_eq!((&*again.body, again.header("set-cookie")), (&*first, None));
    }
}

#[tokio::test]
async fn grpc_passes_with_its_trailers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service =
            hyper::service::service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                assert_eq!(request.headers()["te"], "trailers");
                let asked = request.into_body().collect().await.unwrap().to_bytes();
                let mut trailers = hyper::HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let body = Full::new(asked).with_trailers(async move { Some(Ok(trailers)) });
                Ok::<_, std::convert::Infallible>(hyper::Response::new(body))
            });
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.serve_connection(TokioIo::new(stream), service).await.unwrap();
    });
    let text = reviews(EVERYTHING).replace("{name: http, port: 9080}", "{name: grpc, port: 9080}");
    let endpoints = [("10.0.1.1:9080", upstream), ("10.0.1.2:9080", upstream)];
    let proxy = start(&text, SIDECAR, &["9080"], &endpoints).await;
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::post("http://reviews:9080/pkg.Service/Method")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "5S")
        .body(Full::new(Bytes::from("message")))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(answer.to_bytes(), "message");
}

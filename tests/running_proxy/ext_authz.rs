//! External authorizers: real servers that allow, deny, are down, slow or talk without end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use mesh::model::mesh_config::MeshConfig;
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::authorizer::{Answer as Said, Consent, InProcess};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Answer, request};
use crate::fixture::{GATEWAY, Running, config_with, door, start_with};
use crate::upstream::Upstream;

/// The authorizer's service, HTTP on port 8000 and gRPC on port 9000, and a policy that asks `provider` below `/asked`.
fn asked(text: &str, provider: &str) -> String {
    format!(
        "{text}
---
apiVersion: v1
kind: Service
metadata: {{name: authz, namespace: shop}}
spec:
  clusterIP: 10.96.0.40
  ports: [{{name: http, port: 8000}}, {{name: grpc, port: 9000}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: authz-1, namespace: shop, labels: {{kubernetes.io/service-name: authz}}}}
addressType: IPv4
endpoints: [{{addresses: [10.0.2.1], conditions: {{ready: true}}}}]
ports: [{{name: http, port: 8000}}, {{name: grpc, port: 9000}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: ask, namespace: edge}}
spec:
  action: CUSTOM
  provider: {{name: {provider}}}
  rules: [{{to: [{{operation: {{paths: [/asked*]}}}}]}}]
"
    )
}

const ROUTES: &str = "  - match: [{headers: {x-user: {exact: ann}}}]
    directResponse: {status: 201}
  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]
";

fn provider(kind: &str, port: u16, more: &str) -> MeshConfig {
    let text = format!(
        r#"{{"extensionProviders": [{{"name": "ext", "{kind}": {{"service": "shop/authz.shop.svc.cluster.local",
            "port": {port}{more}}}}}]}}"#
    );
    MeshConfig::with_defaults().overlay(serde_json::from_str(&text).unwrap())
}

/// A gateway in front of `reviews` that asks an authorizer at `authz`.
async fn gateway(kind: &str, more: &str, authz: SocketAddr) -> (Running, Upstream) {
    let upstream = Upstream::start("reviews").await;
    let port = if kind == "envoyExtAuthzHttp" { 8000 } else { 9000 };
    let endpoints = [
        ("10.0.1.1:9080", upstream.address),
        ("10.0.1.2:9080", upstream.address),
        ("10.0.2.1:8000", authz),
        ("10.0.2.1:9000", authz),
    ];
    let config = config_with(&asked(&door(ROUTES), "ext"), GATEWAY, provider(kind, port, more));
    (start_with(config, &["80"], &endpoints, Options::default(), |builder| builder).await, upstream)
}

/// A server that answers with a function of the request and its body.
pub async fn server<F>(answer: F) -> SocketAddr
where
    F: Fn(Request<()>, Bytes) -> Response<Bytes> + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let (mut parts, body) = answer(Request::from_parts(parts, ()), body).into_parts();
                    let trailers = parts.extensions.remove::<HeaderMap>().map(Ok::<_, Infallible>);
                    let body = Full::new(body).with_trailers(std::future::ready(trailers));
                    Ok::<_, Infallible>(Response::from_parts(parts, body))
                }
            });
            let builder = auto::Builder::new(TokioExecutor::new());
            tokio::spawn(
                async move { builder.serve_connection(TokioIo::new(stream), service).await.map(drop) },
            );
        }
    });
    address
}

/// Requests that an authorizer saw.
type Log = Arc<Mutex<Vec<(Request<()>, Bytes)>>>;

/// An HTTP authorizer that says what the request's `x-say` header says: `ok`, `no`, or a status.
async fn http_authorizer(log: Log) -> SocketAddr {
    server(move |request, body| {
        let say = request.headers().get("x-say").map(|say| say.to_str().unwrap().to_owned());
        log.lock().unwrap().push((request, body));
        let response =
            Response::builder().header("x-user", "ann").header("x-user", "bob").header("x-secret", "s");
        match say.as_deref() {
            Some("ok") => response.body(Bytes::from_static(b"unheard")),
            Some("huge") => response.status(403).body(Bytes::from(vec![b'x'; 3 << 20])),
            say => {
                let status: u16 = say.and_then(|say| say.parse().ok()).unwrap_or(403);
                response.status(status).body(Bytes::from_static(b"\xffno"))
            }
        }
        .unwrap()
    })
    .await
}

async fn ask(proxy: &Running, say: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![("host", "shop.example"), ("x-say", say), ("x-user", "mallory")];
    headers.extend(more);
    request(proxy.address(), "GET /asked/x?y=1", &headers, "").await
}

const SHOWN: &str = r#", "pathPrefix": "/check", "includeRequestHeadersInCheck": ["x-say", "x-pre-*"],
    "includeAdditionalHeadersInCheck": {"x-added": "yes"}, "headersToUpstreamOnAllow": ["x-user"],
    "headersToDownstreamOnAllow": ["x-secret"], "headersToDownstreamOnDeny": ["x-user"]"#;

#[tokio::test]
async fn an_http_authorizer_sees_and_changes_what_its_settings_say() {
    let log = Log::default();
    let (proxy, upstream) = gateway("envoyExtAuthzHttp", SHOWN, http_authorizer(log.clone()).await).await;
    let answer = ask(&proxy, "ok", &[("authorization", "Bearer t"), ("x-pre-1", "p"), ("cookie", "c")]).await;
    // The route was chosen before the authorizer changed `x-user`.
    assert_eq!((answer.status, &*answer.body), (200, "reviews"));
    assert_eq!(answer.header("x-secret"), Some("s"));
    let seen = upstream.only();
    let users: Vec<&str> =
        seen.headers.iter().filter(|(name, _)| name == "x-user").map(|(_, value)| &**value).collect();
    assert_eq!(users, ["ann", "bob"], "what the client sent is gone");
    assert_eq!(seen.header("x-secret"), None);
    let (question, body) = log.lock().unwrap().pop().unwrap();
    assert_eq!(question.uri(), "/check/asked/x?y=1");
    let header = |name: &str| question.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!((header("host"), header("authorization")), (Some("shop.example"), Some("Bearer t")));
    assert_eq!(
        (header("x-pre-1"), header("x-added"), header("content-length")),
        (Some("p"), Some("yes"), Some("0"))
    );
    assert_eq!((header("cookie"), header("x-user"), body.len()), (None, None, 0));

    let refused = ask(&proxy, "no", &[]).await;
    assert_eq!(
        (refused.status, refused.header("x-user"), refused.header("x-secret")),
        (403, Some("ann"), None)
    );
    assert_eq!(refused.body, "\u{fffd}no");
    assert_eq!(ask(&proxy, "302", &[]).await.status, 302);
    assert!(upstream.take().is_empty());
    let other = request(proxy.address(), "GET /free", &[("host", "shop.example")], "").await;
    assert_eq!((other.status, log.lock().unwrap().len()), (200, 2));
    let records = proxy.records.take();
    let told: Vec<(&str, &str)> = records.iter().map(|record| (&*record.flags, &*record.details)).collect();
    assert_eq!(
        told,
        [
            ("", "via_upstream"),
            ("UAEX", "ext_authz_denied"),
            ("UAEX", "ext_authz_denied"),
            ("", "via_upstream")
        ]
    );
}

#[tokio::test]
async fn a_cleared_route_is_chosen_by_what_the_authorizer_changed() {
    let more = format!("{SHOWN}, \"clearRouteCache\": true");
    let (proxy, upstream) = gateway("envoyExtAuthzHttp", &more, http_authorizer(Log::default()).await).await;
    assert_eq!(ask(&proxy, "ok", &[]).await.status, 201);
    assert!(upstream.take().is_empty());
}

#[tokio::test]
async fn u08_no_answer_in_time_or_in_size_is_none_and_the_settings_decide() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let garbage = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endless = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let places = [silent.local_addr(), Ok(nobody), garbage.local_addr(), endless.local_addr()];
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = garbage.accept().await.unwrap();
            let _ = stream.write_all(b"\0\0\x06\x04 this is no answer\r\n\r\n").await;
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = endless.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(b"HTTP/1.1 403 No\r\ntransfer-encoding: chunked\r\n\r\n").await;
                while stream.write_all(b"4000\r\n").await.is_ok()
                    && stream.write_all(&[b'x'; 0x4000]).await.is_ok()
                    && stream.write_all(b"\r\n").await.is_ok()
                {}
            });
        }
    });
    for kind in ["envoyExtAuthzHttp", "envoyExtAuthzGrpc"] {
        for place in &places {
            let place = *place.as_ref().unwrap();
            for (more, status) in [
                (r#", "timeout": "0.3s""#, 403),
                (r#", "timeout": "0.3s", "statusOnError": "503""#, 503),
                (r#", "timeout": "0.3s", "failOpen": true"#, 200),
            ] {
                let (proxy, upstream) = gateway(kind, more, place).await;
                let began = Instant::now();
                assert_eq!(ask(&proxy, "ok", &[]).await.status, status, "{kind} {place} {more}");
                assert!(began.elapsed() < Duration::from_secs(3));
                assert_eq!(upstream.take().len(), usize::from(status == 200));
                if status != 200 {
                    let records = proxy.records.take();
                    assert_eq!((&*records[0].flags, &*records[0].details), ("UAEX", "ext_authz_error"));
                }
            }
        }
    }
    drop(silent);
}

#[tokio::test]
async fn u08_a_huge_refusal_is_no_answer_and_a_failing_authorizer_neither() {
    for (say, status) in [("huge", 503), ("500", 503), ("599", 503), ("499", 499)] {
        let more = format!("{SHOWN}, \"statusOnError\": \"503\"");
        let (proxy, upstream) =
            gateway("envoyExtAuthzHttp", &more, http_authorizer(Log::default()).await).await;
        let answer = ask(&proxy, say, &[]).await;
        assert_eq!(answer.status, status, "{say}");
        assert!(answer.body.len() < 1024, "{say}: {} bytes of it went on", answer.body.len());
        assert!(upstream.take().is_empty(), "{say}");
        assert_eq!(proxy.records.take()[0].flags, "UAEX", "{say}");
    }
}

#[tokio::test]
async fn s110_a_body_is_shown_whole_or_in_part_or_refused() {
    let body = |partial: bool| {
        format!(
            r#"{SHOWN}, "includeRequestBodyInCheck": {{"maxRequestBytes": 8, "allowPartialMessage": {partial}}}"#
        )
    };
    let send = async |proxy: &Running, body: &str| {
        let headers = [("host", "shop.example"), ("x-say", "ok")];
        request(proxy.address(), "POST /asked", &headers, body).await.status
    };
    let log = Log::default();
    let (proxy, upstream) =
        gateway("envoyExtAuthzHttp", &body(false), http_authorizer(log.clone()).await).await;
    assert_eq!(send(&proxy, "12345678").await, 200);
    let (question, shown) = log.lock().unwrap().pop().unwrap();
    assert_eq!(
        (&*shown, question.headers()["x-envoy-auth-partial-body"].as_bytes()),
        (&b"12345678"[..], &b"false"[..])
    );
    assert_eq!(upstream.only().body, "12345678", "the upstream gets it too");
    assert_eq!(send(&proxy, "123456789").await, 413);
    assert!(log.lock().unwrap().is_empty() && upstream.take().is_empty());

    let (proxy, upstream) =
        gateway("envoyExtAuthzHttp", &body(true), http_authorizer(log.clone()).await).await;
    let long = "12345678".repeat(100_000);
    assert_eq!(send(&proxy, &long).await, 200);
    let (question, shown) = log.lock().unwrap().pop().unwrap();
    assert_eq!(
        (&*shown, question.headers()["x-envoy-auth-partial-body"].as_bytes()),
        (&b"12345678"[..], &b"true"[..])
    );
    assert_eq!(upstream.only().body.len(), long.len());
}

/// A field of a protobuf message with a length.
fn field(number: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut made = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
    made.extend(bytes);
    made
}

fn header(number: u8, name: &str, value: &str, more: &[u8]) -> Vec<u8> {
    let line = [field(1, name), field(2, value)].concat();
    field(number, [field(1, line), more.to_vec()].concat())
}

/// A gRPC authorizer that says `say`; it keeps the questions.
async fn grpc_authorizer(log: Arc<Mutex<Vec<Bytes>>>) -> SocketAddr {
    server(move |request, body| {
        assert_eq!(request.uri().path(), "/envoy.service.auth.v3.Authorization/Check");
        assert_eq!(request.headers()["content-type"], "application/grpc");
        assert_eq!(u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize, body.len() - 5);
        let says = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
        let message = if says("say-ok") {
            let consent = [
                header(2, "x-user", "ann", &[]),
                header(2, "x-team", "a", &field(2, [8, 1])),
                field(5, "x-gone"),
                header(6, "x-answer", "1", &[]),
            ]
            .concat();
            field(3, consent)
        } else {
            let refusal =
                [field(1, [8, 0x91, 3]), header(2, "x-why", "because", &[]), field(3, "denied")].concat();
            [field(1, [8, 7]), field(2, refusal)].concat()
        };
        log.lock().unwrap().push(body);
        let mut framed = vec![0];
        framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        framed.extend(message);
        let mut response = Response::new(Bytes::from(framed));
        response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        response.extensions_mut().insert(trailers);
        response
    })
    .await
}

#[tokio::test]
async fn a_grpc_authorizer_sees_all_and_changes_what_it_says() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let (proxy, upstream) = gateway("envoyExtAuthzGrpc", "", grpc_authorizer(Arc::clone(&log)).await).await;
    let answer = ask(&proxy, "say-ok", &[("x-gone", "1"), ("x-team", "b"), ("cookie", "c=1")]).await;
    assert_eq!((answer.status, answer.header("x-answer")), (200, Some("1")));
    let seen = upstream.only();
    let lines = |name: &str| -> Vec<&str> {
        seen.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| &**value).collect()
    };
    // An action that is not named joins, as proto3 has it; the old switch joins too.
    assert_eq!((lines("x-user"), lines("x-team")), (vec!["mallory", "ann"], vec!["b", "a"]));
    assert!(lines("x-gone").is_empty());
    let question = log.lock().unwrap().pop().unwrap();
    for told in ["/asked/x?y=1", ":authority", "shop.example", "127.0.0.1", "c=1", "HTTP/1.1"] {
        assert!(question.windows(told.len()).any(|window| window == told.as_bytes()), "{told}");
    }

    let refused = ask(&proxy, "say-no", &[]).await;
    assert_eq!((refused.status, &*refused.body, refused.header("x-why")), (401, "denied", Some("because")));
    assert_eq!(proxy.records.take().last().unwrap().flags, "UAEX");
}

#[tokio::test]
async fn a_service_that_is_not_in_the_mesh_denies_even_where_failures_are_open() {
    let upstream = Upstream::start("reviews").await;
    let mesh = r#"{"extensionProviders": [{"name": "ext", "envoyExtAuthzHttp": {"service": "nobody.example",
        "port": 80, "failOpen": true}}]}"#;
    let mesh = MeshConfig::with_defaults().overlay(serde_json::from_str(mesh).unwrap());
    let config = config_with(&asked(&door(ROUTES), "ext"), GATEWAY, mesh);
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let proxy = start_with(config, &["80"], &endpoints, Options::default(), |builder| builder).await;
    assert_eq!(ask(&proxy, "ok", &[]).await.status, 403);
}

#[tokio::test]
async fn a_program_can_put_its_own_authorizer_in_the_place_of_a_provider() {
    let config = config_with(&asked(&door(ROUTES), "ext"), GATEWAY, provider("envoyExtAuthzHttp", 8000, ""));
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let proxy = start_with(config, &["80"], &endpoints, Options::default(), |builder| {
        builder.authorizer(
            "ext",
            InProcess::new(|question| {
                let request = question.request.unwrap();
                match request.headers.first("x-say") {
                    Some(b"ok") => Said::Allowed(Consent::default()),
                    _ => Said::Silent("no opinion".to_owned()),
                }
            }),
        )
    })
    .await;
    assert_eq!((ask(&proxy, "ok", &[]).await.status, ask(&proxy, "no", &[]).await.status), (200, 403));
}

#[tokio::test]
async fn a_connection_of_bytes_is_asked_about_over_grpc() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let authz = grpc_authorizer(Arc::clone(&log)).await;
    let echo = crate::upstream::echo().await;
    let text = asked(
        "apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: 10.96.0.50, selector: {app: web}, ports: [{name: tcp, port: 5432}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, labels: {app: web}}
status: {podIP: 10.0.0.9, phase: Running}",
        "ext",
    )
    .replace("namespace: edge", "namespace: shop")
    .replace(
        "rules: [{to: [{operation: {paths: [/asked*]}}]}]",
        "rules: [{to: [{operation: {ports: ['5432']}}]}]",
    );
    let mesh = provider("envoyExtAuthzGrpc", 9000, "");
    let config = config_with(&text, crate::fixture::SIDECAR, mesh);
    let endpoints = [("10.0.2.1:9000", authz), ("10.0.0.9:5432", echo), ("127.0.0.1:5432", echo)];
    let ports = ["in:10.0.0.9:5432"];
    let proxy = start_with(config, &ports, &endpoints, Options::default(), |builder| builder).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut heard = Vec::new();
    // The authorizer refuses all that does not say `say-ok`.
    let _ = stream.read_to_end(&mut heard).await;
    assert!(heard.is_empty());
    let question = log.lock().unwrap().pop().expect("it was asked");
    assert!(question.windows(8).any(|window| window == b"10.0.0.9"));
    assert_eq!(proxy.records.take()[0].flags, "UAEX");
}

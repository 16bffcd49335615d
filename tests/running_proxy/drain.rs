//! The program `gateway` told to end while clients of every protocol are served. Skipped where it was not built.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::client::get;
use crate::fixture::door;
use crate::http2_attacks::{DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, fields, frame};
use crate::process::Process;
use crate::upstream::{Upstream, echo};

const MORE: &str = "
---
apiVersion: v1
kind: Service
metadata: {name: calls, namespace: shop}
spec: {clusterIP: 10.96.0.30, selector: {app: calls}, ports: [{name: grpc, port: 9090}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: calls-1, namespace: shop, labels: {kubernetes.io/service-name: calls}}
addressType: IPv4
endpoints: [{addresses: [10.0.1.5], conditions: {ready: true}}]
ports: [{name: grpc, port: 9090}]
---
apiVersion: v1
kind: Service
metadata: {name: bytes, namespace: shop}
spec: {clusterIP: 10.96.0.31, selector: {app: bytes}, ports: [{name: tcp, port: 9000}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: bytes-1, namespace: shop, labels: {kubernetes.io/service-name: bytes}}
addressType: IPv4
endpoints: [{addresses: [10.0.1.6], conditions: {ready: true}}]
ports: [{name: tcp, port: 9000}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: side, namespace: edge}
spec:
  selector: {app: door}
  servers: [{port: {number: 9000, name: tcp, protocol: TCP}, hosts: ['*']}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: side, namespace: edge}
spec:
  hosts: ['*']
  gateways: [side]
  tcp: [{route: [{destination: {host: bytes.shop.svc.cluster.local}}]}]
";
const ROUTES: &str = "  - match: [{uri: {prefix: /call}}]
    route: [{destination: {host: calls.shop.svc.cluster.local}}]
  - retries: {attempts: 0}
    route: [{destination: {host: reviews.shop.svc.cluster.local}}]
";

/// A server of gRPC that sends back every message when it comes.
async fn calls() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| async move {
                let mut response = Response::new(request.into_body());
                response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
                Ok::<_, Infallible>(response)
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

const PATIENCE: Duration = Duration::from_secs(8);

/// What came of a kind of clients.
#[derive(Debug, Default)]
struct Outcome {
    served: usize,
    failures: Vec<String>,
    /// How often they were told to go elsewhere.
    sent_away: usize,
}

/// HTTP/1 on one connection for as long as it is kept.
async fn kept(address: SocketAddr, connects: Arc<AtomicBool>) -> Outcome {
    let mut outcome = Outcome::default();
    while connects.load(Ordering::Relaxed) {
        let mut stream = match TcpStream::connect(address).await {
            Ok(stream) => stream,
            Err(error) => {
                outcome.failures.push(error.to_string());
                continue;
            }
        };
        loop {
            let mut answer = Vec::new();
            let asking = async {
                stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await?;
                while !answer.ends_with(b"\r\n\r\nreviews") {
                    answer.push(stream.read_u8().await?);
                }
                Ok::<_, std::io::Error>(())
            };
            let asked = timeout(PATIENCE, asking).await;
            let answer = String::from_utf8_lossy(&answer);
            if !matches!(asked, Ok(Ok(()))) || !answer.starts_with("HTTP/1.1 200 ") {
                outcome.failures.push(format!("{asked:?} after {answer:?}"));
                break;
            }
            outcome.served += 1;
            if answer.to_ascii_lowercase().contains("connection: close") {
                outcome.sent_away += 1;
                break;
            }
        }
    }
    outcome
}

/// HTTP/2 on one connection until it is told to go away: plain requests, or calls with a message.
async fn streams(address: SocketAddr, connects: Arc<AtomicBool>, is_call: bool) -> Outcome {
    let mut outcome = Outcome::default();
    while connects.load(Ordering::Relaxed) {
        let Ok(stream) = TcpStream::connect(address).await else {
            outcome.failures.push("no connection".into());
            continue;
        };
        let (mut sender, driving) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let driving = tokio::spawn(driving);
        // Whoever has heard that the connection ends asks nothing more on it.
        while sender.ready().await.is_ok() {
            let mut request = Request::post(if is_call { "http://a/call" } else { "http://a/" });
            if is_call {
                request = request.header("content-type", "application/grpc").header("te", "trailers");
            }
            let message = Bytes::from_static(b"\0\0\0\0\x02hi");
            let request = request.body(Full::new(message.clone())).unwrap();
            let asking = async {
                let answer = sender.send_request(request).await?;
                let status = answer.status();
                Ok::<_, hyper::Error>((status, answer.into_body().collect().await?.to_bytes()))
            };
            match timeout(PATIENCE, asking).await {
                Ok(Ok((status, body))) if status == 200 => {
                    let wanted = if is_call { &message[..] } else { b"reviews" };
                    assert_eq!(&body[..], wanted);
                    outcome.served += 1;
                }
                // It never left: the connection had ended before.
                Ok(Err(error)) if error.is_canceled() => break,
                other => {
                    outcome.failures.push(format!("{other:?}"));
                    break;
                }
            }
        }
        outcome.sent_away += 1;
        let _ = timeout(PATIENCE, driving).await;
    }
    outcome
}

async fn web_socket(address: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        .await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    Ok(stream)
}

async fn echoed(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"are you there").await?;
    let mut heard = [0; 13];
    stream.read_exact(&mut heard).await?;
    assert_eq!(&heard, b"are you there");
    Ok(())
}

/// Connections one after the other, each with a few bytes there and back.
async fn tunnels(address: SocketAddr, connects: Arc<AtomicBool>, is_web_socket: bool) -> Outcome {
    let mut outcome = Outcome::default();
    while connects.load(Ordering::Relaxed) {
        let asking = async {
            let mut stream =
                if is_web_socket { web_socket(address).await? } else { TcpStream::connect(address).await? };
            echoed(&mut stream).await
        };
        match timeout(PATIENCE, asking).await {
            Ok(Ok(())) => outcome.served += 1,
            other => outcome.failures.push(format!("{other:?}")),
        }
    }
    outcome
}

/// A call whose messages go there and back one at a time.
struct Call(TcpStream);

impl Call {
    async fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let opening: [(&[u8], &[u8]); 6] = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/call"),
            (b":authority", b"a"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        ];
        let head = frame(HEADERS, END_HEADERS, 1, &fields(&opening));
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &head].concat()).await.unwrap();
        let mut call = Self(stream);
        call.message("first", 0).await;
        call
    }

    /// Says something, and hears it.
    async fn message(&mut self, text: &str, flags: u8) {
        self.0.write_all(&frame(DATA, flags, 1, text.as_bytes())).await.unwrap();
        let mut heard = String::new();
        while !heard.ends_with(text) {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            self.0.read_exact(&mut payload).await.unwrap();
            if head[3] == DATA {
                heard.push_str(std::str::from_utf8(&payload).unwrap());
            }
            assert_ne!(head[3], crate::http2_attacks::RST_STREAM, "the call was reset");
        }
    }
}

/// New requests of every protocol are served for as long as notice is given, what was begun ends well after that, and then
/// the program ends at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q01_a_drain_fails_nobody_whatever_is_spoken() {
    let (upstream, calls, bytes) = (Upstream::start("reviews").await, calls().await, echo().await);
    let elsewhere = format!("10.0.1.5:9090={calls},10.0.1.6:9000={bytes}");
    let more = ["--port-map", "9000=127.0.0.1:0", "--endpoint", &elsewhere];
    let text = door(ROUTES) + MORE;
    let Some(mut process) = Process::start_with("q01-all", &text, upstream.address, "", &more) else {
        return;
    };
    let (http, tcp, admin) = (process.address, process.next_address(), process.admin);
    assert_eq!(get(admin, "localhost", "/ready").await.status, 200);

    // What lasts longer than the notice.
    let mut call = Call::open(http).await;
    let mut socket = web_socket(http).await.unwrap();
    let mut stream = TcpStream::connect(tcp).await.unwrap();
    echoed(&mut stream).await.unwrap();

    let connects = Arc::new(AtomicBool::new(true));
    let go = || Arc::clone(&connects);
    let clients = [
        ("HTTP/1", tokio::spawn(kept(http, go()))),
        ("HTTP/2", tokio::spawn(streams(http, go(), false))),
        ("gRPC", tokio::spawn(streams(http, go(), true))),
        ("WebSocket", tokio::spawn(tunnels(http, go(), true))),
        ("TCP", tokio::spawn(tunnels(tcp, go(), false))),
    ];
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.signal("-TERM");
    let told = Instant::now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(get(admin, "localhost", "/ready").await.status, 503, "readiness");
    tokio::time::sleep(Duration::from_millis(900)).await;
    let slow = tokio::spawn(async move { get(http, "a", "/slow").await.status });
    tokio::time::sleep(Duration::from_millis(400)).await;
    connects.store(false, Ordering::Relaxed);
    for (name, client) in clients {
        let outcome = timeout(PATIENCE, client).await.expect(name).unwrap();
        println!("{name}: {} served, {} sent away", outcome.served, outcome.sent_away);
        assert!(outcome.failures.is_empty(), "{name}: {:?}", outcome.failures);
        assert!(outcome.served > 10, "{name}: {} requests show nothing", outcome.served);
        if name.starts_with("HTTP") || name == "gRPC" {
            assert!(outcome.sent_away > 0, "{name}: nobody was told to go elsewhere");
        }
    }
    assert_eq!(slow.await.unwrap(), 200, "a request in flight");
    tokio::time::sleep(Duration::from_secs(3).saturating_sub(told.elapsed())).await;
    assert!(TcpStream::connect(http).await.is_err(), "connections are still taken");
    assert!(process.child.try_wait().unwrap().is_none(), "it did not wait for those in flight");
    echoed(&mut socket).await.expect("WebSocket");
    echoed(&mut stream).await.expect("TCP");
    call.message("last", END_STREAM).await;
    drop((socket, stream, call));
    let ended = Instant::now();
    let status = tokio::task::spawn_blocking(move || process.wait(Duration::from_secs(10))).await.unwrap();
    assert_eq!(status.and_then(|status| status.code()), Some(0));
    assert!(ended.elapsed() < Duration::from_secs(1), "{:?}", ended.elapsed());
}

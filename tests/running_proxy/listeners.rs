//! Listeners that come and go, what stands in front of a connection, and versions and methods that are not for all.

use std::net::SocketAddr;
use std::time::Duration;

use mesh::model::mesh_config::MeshConfig;
use mesh::proxy_core::runtime::options::Listen;
use mesh::proxy_core::runtime::{Options, Proxy};
use mesh::proxy_core::seam::dial::SystemDial;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Answer, exchange, get, say_and_end};
use crate::fixture::{
    GATEWAY, REVIEWS, Running, SIDECAR, config, config_with, door, reviews, start, start_with,
};
use crate::upstream::Upstream;

const EVERYTHING: &str = "  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n";

/// A gateway with a server at each of these ports, all answered by the gateway itself.
fn doors(ports: &[u16]) -> String {
    let servers: String = ports
        .iter()
        .map(|port| {
            format!("  - port: {{number: {port}, name: http-{port}, protocol: HTTP}}\n    hosts: ['*']\n")
        })
        .collect();
    format!(
        "{REVIEWS}\n---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: door, namespace: edge}}\n\
         spec:\n  selector: {{app: door}}\n  servers:\n{servers}---\napiVersion: networking.istio.io/v1\n\
         kind: VirtualService\nmetadata: {{name: door, namespace: edge}}\nspec:\n  hosts: ['*']\n  gateways: [door]\n  \
         http:\n  - directResponse: {{status: 200, body: {{string: here}}}}\n"
    )
}

/// Ports that were free a moment ago.
async fn free_ports() -> [u16; 2] {
    let one = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let two = TcpListener::bind("0.0.0.0:0").await.unwrap();
    [one.local_addr().unwrap().port(), two.local_addr().unwrap().port()]
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

async fn until_open(port: u16) -> bool {
    for _ in 0..100 {
        if TcpStream::connect(local(port)).await.is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    false
}

async fn until_closed(port: u16) -> bool {
    for _ in 0..100 {
        if TcpStream::connect(local(port)).await.is_err() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    false
}

/// Asks once on a connection that stays; empty: it was closed.
async fn ask(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 1024];
    if stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.is_err() {
        return String::new();
    }
    let length = stream.read(&mut answer).await.unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

fn as_configured(ports: &[u16]) -> Proxy {
    let mut options = Options::default();
    options.listen = Listen::AsConfigured;
    Proxy::builder(options).dial(SystemDial::default()).build(config(&doors(ports), GATEWAY))
}

#[tokio::test]
async fn a_reload_opens_and_closes_listeners_and_leaves_the_others_alone() {
    let [first, second] = free_ports().await;
    let proxy = as_configured(&[first]);
    proxy.listen().await.unwrap();
    let mut kept = TcpStream::connect(local(first)).await.unwrap();
    assert!(ask(&mut kept).await.ends_with("here"));

    proxy.apply(config(&doors(&[first, second]), GATEWAY));
    assert!(until_open(second).await, "the new listener");
    assert_eq!(get(local(second), "a", "/").await.body, "here");
    assert!(ask(&mut kept).await.ends_with("here"), "a connection that nothing changed for");

    let mut other = TcpStream::connect(local(second)).await.unwrap();
    assert!(ask(&mut other).await.ends_with("here"));
    proxy.apply(config(&doors(&[second]), GATEWAY));
    assert!(until_closed(first).await, "the old listener");
    assert_eq!(ask(&mut kept).await, "", "no listener takes this connection any more");
    assert!(ask(&mut other).await.ends_with("here"), "a connection of the listener that stays");
    proxy.drain().await;
    assert!(until_closed(second).await);
}

#[tokio::test]
async fn a_listener_whose_address_is_taken_opens_once_it_is_free() {
    let [first, second] = free_ports().await;
    let proxy = as_configured(&[first]);
    proxy.listen().await.unwrap();
    let holder = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], second))).await.unwrap();
    proxy.apply(config(&doors(&[first, second]), GATEWAY));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(get(local(first), "a", "/").await.body, "here");
    drop(holder);
    assert!(until_open(second).await);
    assert_eq!(get(local(second), "a", "/").await.body, "here");
}

/// A gateway that wants the PROXY protocol, and denies two clients: one by the address that it has, one by the address
/// of the peer that speaks for it.
async fn proxied() -> (Running, Upstream) {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let text = door(EVERYTHING)
        + "\n---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
           metadata: {name: not-these, namespace: edge}\nspec:\n  selector: {matchLabels: {app: door}}\n  action: DENY\n  \
           rules:\n  - from: [{source: {remoteIpBlocks: [203.0.113.66]}}]\n  - from: [{source: {ipBlocks: [198.51.100.1]}}]\n";
    let own: MeshConfig =
        serde_json::from_str(r#"{"defaultConfig": {"gatewayTopology": {"proxyProtocol": {}}}}"#).unwrap();
    let mesh = MeshConfig::with_defaults().overlay(own);
    let config = config_with(&text, GATEWAY, mesh);
    let running = start_with(config, &["80"], &endpoints, Options::default(), |builder| builder).await;
    (running, upstream)
}

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// A block of version 2 for TCP over IPv4.
fn block(source: [u8; 4]) -> Vec<u8> {
    let [a, b, c, d] = source;
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[0x21, 0x11, 0, 12, a, b, c, d, 10, 0, 0, 1, 0x12, 0x67, 0, 80]]
        .concat()
}

#[tokio::test]
async fn proxy_protocol_names_the_client() {
    let (gateway, upstream) = proxied().await;
    for header in [b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n".to_vec(), block([203, 0, 113, 7])] {
        let bytes = [&header[..], REQUEST.as_bytes()].concat();
        assert_eq!(Answer::parse(&exchange(gateway.address(), bytes).await).status, 200, "{header:?}");
        assert_eq!(upstream.only().header("x-forwarded-for"), Some("203.0.113.7"));
        assert_eq!(gateway.records.take()[0].peer.to_string(), "203.0.113.7:4711");
    }
    let bytes = format!("PROXY UNKNOWN\r\n{REQUEST}");
    assert_eq!(Answer::parse(&exchange(gateway.address(), bytes).await).status, 200);
    assert_eq!(upstream.only().header("x-forwarded-for"), Some("127.0.0.1"));
}

#[tokio::test]
async fn remote_ip_blocks_mean_the_client_and_ip_blocks_the_peer() {
    let (gateway, upstream) = proxied().await;
    for header in [b"PROXY TCP4 203.0.113.66 10.0.0.1 4711 80\r\n".to_vec(), block([203, 0, 113, 66])] {
        let bytes = [&header[..], REQUEST.as_bytes()].concat();
        assert_eq!(Answer::parse(&exchange(gateway.address(), bytes).await).status, 403, "{header:?}");
    }
    assert!(upstream.take().is_empty());
    // `ipBlocks` is the address of the packets, which a header cannot change.
    let bytes = [&block([198, 51, 100, 1])[..], REQUEST.as_bytes()].concat();
    assert_eq!(Answer::parse(&exchange(gateway.address(), bytes).await).status, 200);
}

#[tokio::test]
async fn without_a_proxy_protocol_header_nothing_is_taken() {
    let (gateway, upstream) = proxied().await;
    for bytes in [
        REQUEST.to_owned(),
        format!("PROXY TCP4 203.0.113.7 10.0.0.1 4711\r\n{REQUEST}"),
        format!("PROXY TCP9 203.0.113.7 10.0.0.1 4711 80\r\n{REQUEST}"),
        format!(" PROXY UNKNOWN\r\n{REQUEST}"),
    ] {
        let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{bytes:?}");
    }
    assert!(upstream.take().is_empty());
}

#[tokio::test]
async fn clusters_that_want_the_proxy_protocol_get_it_for_each_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap();
    let rule = "\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
                metadata: {name: proxied, namespace: shop}\nspec:\n  host: reviews.shop.svc.cluster.local\n  \
                trafficPolicy: {proxyProtocol: {version: V1}}\n";
    let text = reviews("  - route: [{destination: {host: reviews}}]\n").replace(
        "metadata: {name: reviews, namespace: shop}\nspec:\n  host: reviews\n",
        "metadata: {name: unused, namespace: shop}\nspec:\n  host: unused\n",
    ) + rule;
    let endpoints = [("10.0.1.1:9080", endpoint), ("10.0.1.2:9080", endpoint)];
    let running = start(&text, SIDECAR, &["9080"], &endpoints).await;
    let address = running.address();
    for _ in 0..2 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n").await.unwrap();
        let (mut upstream, _) = listener.accept().await.unwrap();
        let mut got = vec![0; 4096];
        let length = upstream.read(&mut got).await.unwrap();
        let mut got = String::from_utf8_lossy(&got[..length]).into_owned();
        if !got.contains("GET /") {
            let mut more = vec![0; 4096];
            let length = upstream.read(&mut more).await.unwrap();
            got.push_str(&String::from_utf8_lossy(&more[..length]));
        }
        let client_port = client.local_addr().unwrap().port();
        let wanted = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {client_port} 9080\r\nGET / HTTP/1.1\r\n");
        assert!(got.starts_with(&wanted), "{got:?}");
        upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 1024];
        assert!(client.read(&mut answer).await.unwrap() > 0);
    }
}

#[tokio::test]
async fn http_1_0_is_served_where_it_is_configured_and_upgraded_elsewhere() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let allowing = GATEWAY.replace("\"labels\"", "\"metadata\":{\"HTTP10\":\"1\"},\"labels\"");
    for (proxy, wanted) in [(GATEWAY, 426), (&*allowing, 200)] {
        let running = start(&door(EVERYTHING), proxy, &["80"], &endpoints).await;
        let answer = exchange(running.address(), "GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
        assert_eq!(Answer::parse(&answer).status, wanted, "{answer}");
    }
    assert_eq!(upstream.take().len(), 1);
}

#[tokio::test]
async fn connect_is_refused_as_no_route_has_it() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let running = start(&door(EVERYTHING), GATEWAY, &["80"], &endpoints).await;
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let said = format!("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n{hidden}");
    let answer = say_and_end(&mut stream, said.as_bytes()).await.unwrap();
    let status = Answer::parse(&String::from_utf8_lossy(&answer)).status;
    assert!(matches!(status, 403 | 404 | 400), "{status}");
    let heard: Vec<String> = upstream.take().into_iter().map(|seen| seen.target).collect();
    assert!(!heard.iter().any(|target| target != "/hidden"), "{heard:?}");
}

/// An answer of 2xx would be an open tunnel to who asked in a form that no tunnel has.
#[tokio::test]
async fn connect_by_anything_but_host_and_port_is_a_bad_request() {
    let everything = "  - directResponse: {status: 200, body: {string: hello}}\n";
    let running = start(&door(everything), GATEWAY, &["80"], &[]).await;
    for target in ["/", "http://a/x", "a", "a:", "*", "a:443/x", "a:65536"] {
        let head = format!("CONNECT {target} HTTP/1.1\r\nhost: a\r\n\r\n");
        let answer = crate::client::exchange(running.address(), head).await;
        assert_eq!(Answer::parse(&answer).status, 400, "{target}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_stops_is_answered_with_408() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let mut options = Options::default();
    options.patience.request_body = Duration::from_millis(200);
    let config = config(&door(EVERYTHING), GATEWAY);
    let running = start_with(config, &["80"], &endpoints, options, |builder| builder).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
    let mut answer = vec![0; 1024];
    let reading = tokio::time::timeout(Duration::from_secs(3), stream.read(&mut answer));
    let length = reading.await.unwrap().unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer[..length]));
    // One that keeps coming, however slowly, is let come.
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 10\r\n\r\n";
    stream.write_all(head).await.unwrap();
    for _ in 0..10 {
        stream.write_all(b"x").await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

/// Sockets that clients and the application itself dial: both directions of a Sidecar's `captureMode: NONE`.
#[tokio::test]
async fn a_sidecar_opens_the_listeners_that_nothing_is_redirected_to() {
    let upstream = Upstream::start("app").await;
    let ([inbound, outbound], [virtual_out, virtual_in]) = (free_ports().await, free_ports().await);
    let app = upstream.address;
    let sidecar = format!(
        "\n---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: s, namespace: shop}}\nspec:\n  \
         ingress:\n  - {{port: {{number: {inbound}, protocol: HTTP, name: http}}, bind: 127.0.0.1, \
         defaultEndpoint: '{app}', captureMode: NONE}}\n  egress:\n  - {{port: {{number: {outbound}, protocol: HTTP, \
         name: http-e}}, bind: 127.0.0.1, captureMode: NONE, hosts: ['*/*']}}\n"
    );
    let mesh = MeshConfig {
        proxy_listen_port: Some(i32::from(virtual_out)),
        proxy_inbound_listen_port: Some(i32::from(virtual_in)),
        ..MeshConfig::with_defaults()
    };
    let mut options = Options::default();
    options.listen = Listen::AsConfigured;
    let instead = [("10.0.1.1:9080", app), ("10.0.1.2:9080", app)];
    let instead = instead.into_iter().map(|(mesh, local)| (mesh.to_owned(), local.to_string())).collect();
    // A listener with a port is for the services that have it.
    let service = format!("{{name: http, port: {outbound}}}");
    let text = reviews("  - route: [{destination: {host: reviews}}]\n");
    let text = text.replacen("{name: http, port: 9080}", &service, 1) + &sidecar;
    let proxy = Proxy::builder(options).dial(SystemDial { instead }).build(config_with(&text, SIDECAR, mesh));
    let addresses = proxy.listen().await.unwrap();
    for port in [inbound, outbound] {
        assert!(addresses.contains(&local(port)), "{addresses:?}");
    }
    assert_eq!(addresses.len(), 4, "{addresses:?}");
    assert_eq!(get(local(inbound), "me", "/in").await.status, 200);
    assert_eq!(get(local(outbound), "reviews", "/out").await.status, 200);
    let seen: Vec<_> = upstream.take().into_iter().map(|seen| seen.target).collect();
    assert_eq!(seen, ["/in", "/out"]);
    proxy.drain().await;
}

//! Clients that nobody here wrote: curl, h2load, openssl, Google's gRPC and `websockets` for Python. Skipped, in so many words,
//! where they are not installed.

use std::net::SocketAddr;
use std::process::Stdio;

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::certificate_source::InMemory;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::ca::Ca;
use crate::fixture::{GATEWAY, REVIEWS, Running, config, start_with};
use crate::upstream::Upstream;

const EDGE: &str = "
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door, namespace: edge}
spec:
  selector: {app: door}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*']
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [shop.example]
    tls: {mode: SIMPLE, credentialName: shop, minProtocolVersion: TLSV1_3}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: door, namespace: edge}
spec:
  hosts: ['*']
  gateways: [door]
  http:
  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]
";

async fn gateway(ca: &Ca) -> (Running, Upstream) {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    (gateway_before(ca, &endpoints).await, upstream)
}

async fn gateway_before(ca: &Ca, endpoints: &[(&str, SocketAddr)]) -> Running {
    let held = InMemory::default();
    held.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
    let config = config(&format!("{REVIEWS}{EDGE}"), GATEWAY);
    let options = Options::default();
    start_with(config, &["80", "443"], endpoints, options, |builder| builder.certificates(held)).await
}

/// What a program prints; `None`: it is not installed.
async fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().await;
    match output {
        Ok(output) => Some(
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        ),
        Err(error) => {
            println!("skipped: {program}: {error}");
            None
        }
    }
}

#[tokio::test]
async fn curl_is_answered_over_http1_http2_and_tls() {
    let ca = Ca::new();
    let (proxy, upstream) = gateway(&ca).await;
    let file = std::env::temp_dir().join(format!("mesh-ca-{}.pem", std::process::id()));
    std::fs::write(&file, ca.pem()).unwrap();
    let plain = format!("http://{}/a", proxy.addresses[0]);
    let port = proxy.addresses[1].port();
    let secure = format!("https://shop.example:{port}/b");
    let resolve = format!("shop.example:{port}:127.0.0.1");
    let file_name = file.to_str().unwrap();
    for arguments in [
        vec!["-sS", "-i", &plain],
        vec!["-sS", "-i", "--http2-prior-knowledge", &plain],
        vec!["-sS", "-i", "--http1.1", "--cacert", file_name, "--resolve", &resolve, &secure],
        vec!["-sS", "-i", "--http2", "--cacert", file_name, "--resolve", &resolve, "-d", "body", &secure],
        vec!["-sS", "-i", "-H", "expect: 100-continue", "-d", "body", &plain],
    ] {
        let Some(printed) = run("curl", &arguments).await else { return };
        assert!(printed.contains(" 200") && printed.ends_with("reviews"), "{arguments:?}: {printed}");
    }
    let seen = upstream.take();
    assert_eq!(seen.len(), 5);
    assert_eq!((&*seen[3].body, seen[3].header("x-forwarded-proto")), ("body", Some("https")));
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn h2load_is_answered_over_http1_http2_and_tls() {
    let ca = Ca::new();
    let (proxy, upstream) = gateway(&ca).await;
    let plain = format!("http://{}/load", proxy.addresses[0]);
    let secure = format!("https://shop.example:{}/load", proxy.addresses[1].port());
    let connect = format!("--connect-to={}", proxy.addresses[1]);
    let load = ["-n", "2000", "-c", "16", "-m", "10", "-T", "10", "-N", "10"];
    for arguments in [
        [&load[..], &["--h1", &plain]].concat(),
        [&load[..], &[&plain]].concat(),
        [&load[..], &[&connect, &secure]].concat(),
        // 64 KiB of body each way cross the windows of flow control.
        [&load[..], &["-d", "Cargo.lock", "-n", "100", &plain]].concat(),
    ] {
        let Some(printed) = run("h2load", &arguments).await else { return };
        let total = if arguments.contains(&"-d") { 100 } else { 2000 };
        let wanted = format!("{total} done, {total} succeeded, 0 failed, 0 errored, 0 timeout");
        assert!(printed.contains(&wanted), "{arguments:?}: {printed}");
    }
    assert_eq!(upstream.take().len(), 3 * 2000 + 100);
}

#[tokio::test]
async fn openssl_gets_the_versions_that_are_offered() {
    let ca = Ca::new();
    let (proxy, _upstream) = gateway(&ca).await;
    let address = proxy.addresses[1].to_string();
    let base = ["s_client", "-connect", &address, "-servername", "shop.example", "-alpn", "h2"];
    let Some(new) = run("openssl", &[&base[..], &["-tls1_3"]].concat()).await else { return };
    assert!(new.contains("ALPN protocol: h2") && new.contains("TLSv1.3"), "{new}");
    let old = run("openssl", &[&base[..], &["-tls1_2"]].concat()).await.unwrap();
    assert!(!old.contains("ALPN protocol: h2") && old.contains("alert"), "{old}");
}

/// The Python that has the library, which is named by `variable`, else any that is there.
async fn python_with(variable: &str, library: &str) -> Option<String> {
    let python = std::env::var(variable).unwrap_or_else(|_| "python3".to_owned());
    let printed = run(&python, &["-c", &format!("import {library}; print('yes')")]).await;
    if printed.is_none_or(|printed| printed.trim() != "yes") {
        println!("skipped: {python} has no `{library}`; {variable} may name one that does");
        return None;
    }
    Some(python)
}

/// Starts a service that prints its port.
async fn serving(python: &str, peer: &str) -> (Child, SocketAddr) {
    let mut server =
        Command::new(python).args([peer, "serve"]).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    (server, SocketAddr::from(([127, 0, 0, 1], line.trim().parse().unwrap())))
}

#[tokio::test]
async fn websockets_of_python_pass_in_plaintext_and_over_tls() {
    let Some(python) = python_with("MESH_WEBSOCKETS_PYTHON", "websockets").await else { return };
    let peer = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/running_proxy/websocket_peer.py");
    let (_server, address) = serving(&python, peer).await;
    let ca = Ca::new();
    let endpoints = [("10.0.1.1:9080", address), ("10.0.1.2:9080", address)];
    let proxy = gateway_before(&ca, &endpoints).await;
    let file = std::env::temp_dir().join(format!("mesh-ca-ws-{}.pem", std::process::id()));
    std::fs::write(&file, ca.pem()).unwrap();
    let (plain, secure) = (proxy.addresses[0].to_string(), proxy.addresses[1].to_string());
    assert_eq!(run(&python, &[peer, "call", &plain]).await.unwrap().trim(), "ok");
    let printed = run(&python, &[peer, "call", &secure, file.to_str().unwrap()]).await.unwrap();
    assert_eq!(printed.trim(), "ok");
    let records = proxy.records.take();
    assert!(records.iter().all(|record| record.status == 101), "{records:?}");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn grpc_of_python_streams_both_ways_with_trailers_and_deadlines() {
    let Some(python) = python_with("MESH_GRPC_PYTHON", "grpc").await else { return };
    let peer = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/running_proxy/grpc_peer.py");
    let (_server, address) = serving(&python, peer).await;
    let text = format!("{REVIEWS}{EDGE}").replace("{name: http, port: 9080}", "{name: grpc, port: 9080}");
    let endpoints = [("10.0.1.1:9080", address), ("10.0.1.2:9080", address)];
    let options = Options::default();
    let proxy = start_with(config(&text, GATEWAY), &["80"], &endpoints, options, |builder| builder).await;
    let printed = run(&python, &[peer, "call", &proxy.address().to_string()]).await.unwrap();
    assert_eq!(printed.trim(), "ok");
    let records = proxy.records.take();
    // The one that took too long may still be on its way.
    assert!(records.len() >= 7, "{}", records.len());
}

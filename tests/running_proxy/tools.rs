//! Clients that nobody here wrote: curl and openssl. Skipped, in so many words, where they are not installed.

use std::process::Stdio;

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::certificate_source::InMemory;
use tokio::process::Command;

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
    let held = InMemory::default();
    held.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
    let config = config(&format!("{REVIEWS}{EDGE}"), GATEWAY);
    let running = start_with(config, &["80", "443"], &endpoints, Options::default(), |builder| {
        builder.certificates(held)
    });
    (running.await, upstream)
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

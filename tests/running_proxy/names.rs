//! Clusters whose hosts are looked up.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mesh::model::mesh_config::MeshConfig;
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::resolve::{InMemory, Resolve, Resolving};

use crate::client::get;
use crate::fixture::{SIDECAR, config, config_with, start_with};
use crate::upstream::Upstream;

/// A name that is looked up, with HTTP at a port.
pub(crate) fn entry(port: u16) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: api, namespace: shop}}\n\
         spec: {{hosts: [api.example], addresses: [10.9.0.1], resolution: DNS, \
         ports: [{{number: {port}, name: http, protocol: HTTP}}]}}\n"
    )
}

#[tokio::test]
async fn u05_names_are_followed_and_the_last_good_addresses_stay() {
    let (one, two) = (Upstream::start("one").await, Upstream::start("two").await);
    let endpoints = [("192.0.2.1:80", one.address), ("192.0.2.2:80", two.address)];
    let resolver = Arc::new(InMemory::default());
    let mut options = Options::default();
    options.dns_refresh = Some(Duration::from_millis(200));
    let given = Arc::clone(&resolver);
    let config = config(&entry(80), SIDECAR);
    let running =
        start_with(config.clone(), &["80"], &endpoints, options, |builder| builder.resolver(given)).await;
    let ask = async || get(running.address(), "api.example", "/").await;
    let address = |text: &str| -> IpAddr { text.parse().unwrap() };
    let settle = || tokio::time::sleep(Duration::from_millis(900));

    assert_eq!(ask().await.status, 503, "nobody knows the name");
    resolver.put("api.example", [address("192.0.2.1")]);
    settle().await;
    assert_eq!((ask().await.body, ask().await.body), ("one".to_owned(), "one".to_owned()));
    let records = running.records.take();
    assert_eq!(records.last().unwrap().endpoint.as_deref(), Some("192.0.2.1:80"));

    resolver.put("api.example", [address("192.0.2.1"), address("192.0.2.2")]);
    settle().await;
    let mut heard = Vec::new();
    for _ in 0..40 {
        heard.push(ask().await.body);
    }
    assert!(heard.contains(&"one".to_owned()) && heard.contains(&"two".to_owned()));

    resolver.put("api.example", [address("::ffff:192.0.2.2")]);
    settle().await;
    assert_eq!(ask().await.body, "two");
    // NXDOMAIN, and a reload: what was good stays.
    resolver.put("api.example", []);
    running.proxy.apply(config);
    settle().await;
    assert_eq!(ask().await.body, "two");
}

#[tokio::test]
async fn t_461_names_are_looked_up_as_often_as_the_mesh_has_it() {
    let upstream = Upstream::start("one").await;
    let resolver = Arc::new(InMemory::default());
    let written = serde_json::from_str(r#"{"dnsRefreshRate": "0.2s"}"#).unwrap();
    let mesh = MeshConfig::with_defaults().overlay(written);
    let (config, given) = (config_with(&entry(80), SIDECAR, mesh), Arc::clone(&resolver));
    let endpoints = [("192.0.2.1:80", upstream.address)];
    let running =
        start_with(config, &["80"], &endpoints, Options::default(), |builder| builder.resolver(given)).await;
    let ask = async || get(running.address(), "api.example", "/").await.status;
    // It is asked for once before there is an answer.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(ask().await, 503, "nobody knows the name");
    resolver.put("api.example", ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    let begun = std::time::Instant::now();
    while ask().await != 200 {
        assert!(begun.elapsed() < Duration::from_secs(30), "half of what it takes without the setting");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A resolver that panics when it is asked for the first time.
#[derive(Debug, Default)]
struct Frightened {
    asked: std::sync::atomic::AtomicU32,
    calm: InMemory,
}

impl Resolve for Frightened {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        assert!(self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0, "a panic that is meant");
        self.calm.resolve(host)
    }
}

#[tokio::test]
async fn u05_a_resolver_that_panics_is_asked_again() {
    let upstream = Upstream::start("one").await;
    let endpoints = [("192.0.2.1:80", upstream.address)];
    let resolver = Arc::new(Frightened::default());
    resolver.calm.put("api.example", ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    let mut options = Options::default();
    options.dns_refresh = Some(Duration::from_millis(100));
    let given = Arc::clone(&resolver);
    let running = start_with(config(&entry(80), SIDECAR), &["80"], &endpoints, options, |builder| {
        builder.resolver(given)
    })
    .await;
    let begun = std::time::Instant::now();
    while get(running.address(), "api.example", "/").await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody asks any more");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(resolver.asked.load(std::sync::atomic::Ordering::SeqCst) > 1);
}

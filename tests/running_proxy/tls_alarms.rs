//! Certificates of the proxy's own that have expired, and what is told of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::runtime::metrics::Metrics;
use mesh::proxy_core::seam::certificate_source::{Identity, InMemory};
use mesh::proxy_core::seam::dial::BoxIo;
use rcgen::date_time_ymd;
use tokio::net::TcpStream;

use crate::ca::Ca;
use crate::client::{Answer, exchange_on, get};
use crate::fixture::{GATEWAY, Running, config, start_with};
use crate::tls::{GET, client, offer, secure_door};
use crate::upstream::Upstream;

/// The address at which a proxy tells of itself.
pub(crate) async fn administration(running: &Running) -> SocketAddr {
    let metrics = Metrics::new(&serde_json::from_str(GATEWAY).unwrap());
    running.proxy.administer("127.0.0.1:0".parse().unwrap(), Some(metrics)).await.unwrap()
}

/// A metric of the proxy's own, by its name without the prefix and its labels; 0: it is not there.
pub(crate) async fn metric_of(admin: SocketAddr, name: &str) -> i64 {
    let text = get(admin, "localhost", "/metrics").await.body;
    let name = format!("mesh_proxy_{name} ");
    text.lines().find_map(|line| line.strip_prefix(&*name)).map_or(0, |value| value.parse().unwrap())
}

/// A certificate for the door that ends so many seconds from now.
fn ending_in(ca: &Ca, seconds: i64) -> Identity {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let ends = date_time_ymd(1970, 1, 1) + Duration::from_secs((now + seconds) as u64);
    ca.issue_as(&["shop.example"], |params| params.not_after = ends)
}

/// The status that a client is told that takes whatever certificate it is shown.
async fn status_for_anybody(address: SocketAddr, ca: &Ca) -> u16 {
    let stream: BoxIo = Box::new(TcpStream::connect(address).await.unwrap());
    let Ok(offered) = offer(stream, ca, "shop.example", &[], None).await else { return 0 };
    Answer::parse(&exchange_on(offered.stream, GET).await).status
}

/// An expired certificate is shown for want of another, is told of, and takes the place of none that still counts.
#[tokio::test]
async fn t06_an_own_certificate_that_has_expired_stays_and_raises_an_alarm() {
    const HOUR: i64 = 3600;
    const EXPIRY: &str = "cert_expiry_seconds{resource_name=\"kubernetes://shop\"}";
    const PROBLEMS: &str = "certificate_problems_total";
    let ca = Ca::new();
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let held = Arc::new(InMemory::default());
    let source = Arc::clone(&held);
    let text = secure_door("{mode: SIMPLE, credentialName: shop}");
    let running = start_with(config(&text, GATEWAY), &["443"], &endpoints, Options::default(), |builder| {
        builder.certificates(source)
    })
    .await;
    let (admin, address) = (administration(&running).await, running.address());
    let strict = async || client(address, &ca, "shop.example", &[], None).await.is_ok();
    let eventually = async |problems: i64| {
        let begun = Instant::now();
        while metric_of(admin, PROBLEMS).await < problems {
            assert!(begun.elapsed() < Duration::from_secs(20), "no alarm");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };

    assert_eq!(status_for_anybody(address, &ca).await, 0, "there is none");
    assert_eq!(metric_of(admin, "connections_refused_total{reason=\"tls_no_certificate\"}").await, 1);
    assert_eq!(metric_of(admin, PROBLEMS).await, 1);

    // The first one has expired: it is shown, and those who do not mind are served.
    held.put_identity("kubernetes://shop", ending_in(&ca, -HOUR));
    assert_eq!(status_for_anybody(address, &ca).await, 200);
    assert!(!strict().await);
    eventually(2).await;
    assert!((-2 * HOUR..=-HOUR).contains(&metric_of(admin, EXPIRY).await));

    // A good one, and then an expired one in its place, which is not taken.
    held.put_identity("kubernetes://shop", ending_in(&ca, HOUR));
    assert!(strict().await);
    assert!((1..=HOUR).contains(&metric_of(admin, EXPIRY).await));
    let before = metric_of(admin, PROBLEMS).await;
    held.put_identity("kubernetes://shop", ending_in(&ca, -HOUR));
    assert!(strict().await, "the one before stays");
    assert!((1..=HOUR).contains(&metric_of(admin, EXPIRY).await));
    eventually(before + 1).await;

    // One that expires while it is in use.
    held.put_identity("kubernetes://shop", ending_in(&ca, 3));
    assert_eq!(status_for_anybody(address, &ca).await, 200);
    let before = metric_of(admin, PROBLEMS).await;
    eventually(before + 1).await;
    assert!(metric_of(admin, EXPIRY).await < 0);
    assert_eq!(status_for_anybody(address, &ca).await, 200, "it is shown until there is another");
    assert!(!strict().await);
}

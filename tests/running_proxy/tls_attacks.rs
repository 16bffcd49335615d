//! TLS that is broken, cut, stale or somebody else's.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::certificate_source::{Identity, InMemory};
use mesh::proxy_core::seam::dial::BoxIo;
use rcgen::{
    BasicConstraints, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, NameConstraints, SanType, date_time_ymd,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::alone::{is_alone, peak_memory};
use crate::ca::Ca;
use crate::client::{Answer, get};
use crate::fixture::{GATEWAY, SIDECAR, config, reviews, start_with};
use crate::tls::{
    REVIEWS_ID, SERVER, STRICT, WEB, gateway, https, mesh_certificates, offer, parts, provider, roots,
    secure_door, server,
};
use crate::tls_alarms::{administration, metric_of};
use crate::upstream::Upstream;

const GET: &[u8] = b"GET /x HTTP/1.1\r\nhost: reviews:9080\r\nconnection: close\r\n\r\n";

/// The status that a client with this certificate is told over mesh TLS; 0: none.
async fn status(address: std::net::SocketAddr, ca: &Ca, identity: Option<&Identity>) -> u16 {
    let stream: BoxIo = Box::new(TcpStream::connect(address).await.unwrap());
    let alpn = ["istio-http/1.1".to_owned(), "istio".to_owned()];
    let Ok(offered) = offer(stream, ca, "reviews", &alpn, identity).await else { return 0 };
    let mut stream = offered.stream;
    if stream.write_all(GET).await.is_err() {
        return 0;
    }
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    Answer::parse(&String::from_utf8_lossy(&answer)).status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t01_strict_takes_the_meshs_own_valid_client_certificates_and_no_others() {
    let (ca, other) = (Ca::new(), Ca::new());
    let (server, application) = server(&ca, "STRICT").await;
    assert_eq!(status(server.address(), &ca, Some(&ca.issue(&[WEB]))).await, 200);
    assert_eq!(application.take().len(), 1);
    let with_chain = |count: usize| {
        let mut identity = ca.issue(&[WEB]);
        for _ in 0..count {
            identity.chain.extend(other.issue(&["filler.example"]).chain);
        }
        identity
    };
    let admin = administration(&server).await;
    let issued = |change: fn(&mut rcgen::CertificateParams)| Some(ca.issue_as(&[WEB], change));
    let cases: Vec<(&str, &str, Option<Identity>)> = vec![
        ("none", "missing", None),
        ("another authority", "untrusted", Some(other.issue(&[WEB]))),
        ("another trust domain", "name", Some(ca.issue(&["spiffe://elsewhere/ns/shop/sa/web"]))),
        ("expired", "expired", issued(|params| params.not_after = date_time_ymd(2020, 1, 1))),
        ("not yet valid", "not_yet_valid", issued(|params| params.not_before = date_time_ymd(2900, 1, 1))),
        (
            "for servers only",
            "purpose",
            issued(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        ),
        (
            "an authority's own",
            "invalid",
            issued(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        ),
        ("no name", "name", Some(ca.issue(&[]))),
        ("two names", "name", Some(ca.issue(&[WEB, "spiffe://cluster.local/ns/shop/sa/other"]))),
        ("a DNS name", "name", Some(ca.issue(&["web.shop.svc.cluster.local"]))),
        ("a long chain of another authority", "untrusted", {
            let mut identity = other.issue(&[WEB]);
            identity.chain.extend(with_chain(20).chain);
            Some(identity)
        }),
    ];
    for (name, reason, identity) in cases {
        let metric = format!("connections_refused_total{{reason=\"tls_client_certificate_{reason}\"}}");
        let before = metric_of(admin, &metric).await;
        assert_eq!(status(server.address(), &ca, identity.as_ref()).await, 0, "{name}");
        assert!(application.take().is_empty(), "{name}: the application heard of it");
        assert_eq!(metric_of(admin, &metric).await, before + 1, "{name} is not counted as {reason}");
    }
    // A chain of a megabyte is not read to its end, be the leaf as good as it may.
    let mut large = ca.issue(&[WEB]);
    let filler = other.issue(&["filler.example"]).chain;
    large.chain.extend(filler.repeat((4 << 20) / 3 / filler.len()));
    let size: usize = parts(&large).0.iter().map(|certificate| certificate.len()).sum();
    assert!(size >= 900_000, "{size} bytes");
    assert_eq!(status(server.address(), &ca, Some(&large)).await, 0);
    assert_eq!(metric_of(admin, "connections_refused_total{reason=\"tls_too_large\"}").await, 1);
    assert!(application.take().is_empty());
    // Fillers behind a good leaf cost a bounded time, whatever comes of them.
    let started = Instant::now();
    let _ = status(server.address(), &ca, Some(&with_chain(60))).await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    application.take();
    // Plaintext reaches nobody.
    assert_eq!(get(server.address(), "reviews:9080", "/x").await.status, 0);
    assert!(application.take().is_empty());
    assert_eq!(metric_of(admin, "connections_refused_total{reason=\"no_filter_chain\"}").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t02_of_the_mesh_is_who_has_one_plain_name_of_five_parts() {
    let ca = Ca::new();
    let (server, application) = server(&ca, "STRICT").await;
    let long = format!("spiffe://cluster.local/ns/shop/sa/{}", "x".repeat(2049));
    for uri in [
        "SPIFFE://cluster.local/ns/shop/sa/web",
        "spiffe://cluster.local",
        "spiffe://cluster.local/ns/shop/sa/web/",
        "spiffe://cluster.local//ns/shop/sa/web",
        "spiffe://cluster.local/ns/shop/sa/../web",
        "spiffe://cluster.local/ns/shop/sa/%2e",
        "spiffe://cluster.local/ns/shop/sa/web?x",
        "spiffe://cluster.local/ns/shop/sa/web#x",
        "spiffe://cluster.local:443/ns/shop/sa/web",
        "spiffe://user@cluster.local/ns/shop/sa/web",
        "spiffe://cluster.local/sa/web/ns/shop",
        "spiffe://cluster.local/ns//sa/web",
        "spiffe://cluster.local/ns/shop/sa/web\0",
        "spiffe://cluster.local\0.elsewhere/ns/shop/sa/web",
        "https://cluster.local/ns/shop/sa/web",
        &long,
    ] {
        assert_eq!(status(server.address(), &ca, Some(&ca.issue(&[uri]))).await, 0, "{uri:?}");
    }
    assert!(application.take().is_empty());
}

/// CVE-2020-15104: a wildcard stands for one label.
#[tokio::test]
async fn t03_names_of_upstreams_are_matched_label_by_label() {
    let ca = Ca::new();
    for (name, asked, fits) in [
        ("*.bank.example", "api.bank.example", true),
        ("*.example", "api.bank.example", false),
        ("*", "api.bank.example", false),
        ("api.*.example", "api.bank.example", false),
        ("api.bank.example", "api.bank.example", true),
    ] {
        let taken = is_taken(&ca, &ca.issue(&[name]), asked, "").await;
        assert_eq!(taken, fits, "{name} for {asked}");
    }
}

/// Whether a server with this certificate is spoken to, by a client that wants `asked` of it and trusts `ca`.
async fn is_taken(ca: &Ca, identity: &Identity, asked: &str, settings: &str) -> bool {
    let text = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: bank, namespace: shop}}\nspec:\n  \
         hosts: [{asked}]\n  addresses: [240.0.0.7]\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 443}}]\n  \
         resolution: STATIC\n  endpoints: [{{address: 10.9.9.9}}]\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
         metadata: {{name: bank, namespace: shop}}\nspec:\n  host: {asked}\n  \
         trafficPolicy: {{tls: {{mode: SIMPLE, caCertificates: /authority.pem{settings}}}}}\n"
    );
    let Ok(bank) = https("bank", identity, &[]).await else { return false };
    let held = InMemory::default();
    held.put_authorities("file-root:/authority.pem", ca.pem());
    let endpoints = [("10.9.9.9:443", bank)];
    let proxy = start_with(config(&text, SIDECAR), &["80"], &endpoints, Options::default(), |builder| {
        builder.certificates(held)
    })
    .await;
    get(proxy.address(), asked, "/").await.status == 200
}

/// CVE-2022-21656: a name of one kind is not one of another that reads the same.
#[tokio::test]
async fn names_of_another_kind_are_not_the_name() {
    const NAME: &str = "api.bank.example";
    let ca = Ca::new();
    let named = |name: SanType| ca.issue_as(&[], move |params| params.subject_alt_names = vec![name]);
    let cases = [
        ("DNS name", named(SanType::DnsName(NAME.try_into().unwrap())), true),
        ("URI", named(SanType::URI(NAME.try_into().unwrap())), false),
        ("mail address", named(SanType::Rfc822Name(NAME.try_into().unwrap())), false),
        (
            "common name",
            ca.issue_as(&[], |params| params.distinguished_name.push(rcgen::DnType::CommonName, NAME)),
            false,
        ),
    ];
    for (kind, identity, fits) in &cases {
        assert_eq!(is_taken(&ca, identity, NAME, "").await, *fits, "{kind}");
        let listed = format!(", subjectAltNames: [{NAME}]");
        assert_eq!(is_taken(&ca, identity, NAME, &listed).await, *fits, "{kind}, by a list");
    }
    // And the other way round: a DNS name that reads like an identity.
    let listed = format!(", subjectAltNames: ['{WEB}']");
    assert!(is_taken(&ca, &ca.issue(&[WEB]), NAME, &listed).await);
}

/// What is asked for as an address is an IP SAN, however it is written, and no name that reads like one.
#[tokio::test]
async fn t03_an_address_is_an_ip_san_and_no_name_that_reads_the_same() {
    let ca = Ca::new();
    let named = |name: SanType| ca.issue_as(&[], move |params| params.subject_alt_names = vec![name]);
    let address = |text: &str| named(SanType::IpAddress(text.parse().unwrap()));
    let common = |text: &str| {
        let text = text.to_owned();
        ca.issue_as(&[], move |params| params.distinguished_name.push(rcgen::DnType::CommonName, text))
    };
    for (identity, wanted, fits) in [
        (address("10.9.9.9"), "10.9.9.9", true),
        (address("10.9.9.8"), "10.9.9.9", false),
        (address("2001:db8::1"), "2001:0db8:0::1", true),
        (address("2001:db8::1"), "2001:db8::2", false),
        (address("::ffff:10.9.9.9"), "10.9.9.9", false),
        (named(SanType::DnsName("10.9.9.9".try_into().unwrap())), "10.9.9.9", false),
        (named(SanType::URI("10.9.9.9".try_into().unwrap())), "10.9.9.9", false),
        (common("10.9.9.9"), "10.9.9.9", false),
        (address("10.9.9.9"), "10.9.9.9.example", false),
    ] {
        let listed = format!(", subjectAltNames: ['{wanted}']");
        let taken = is_taken(&ca, &identity, "api.bank.example", &listed).await;
        assert_eq!(taken, fits, "{wanted}: {}", String::from_utf8_lossy(&identity.chain));
    }
}

/// RUSTSEC-2026-0098, RUSTSEC-2026-0099, RUSTSEC-2023-0053: authorities that may only vouch for some names, and chains
/// made to be hard to check.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authorities_vouch_for_what_they_may_and_long_chains_cost_little() {
    const NAME: &str = "api.bank.example";
    let ca = Ca::new();
    let bounded = |permitted: &[&str], excluded: &[&str]| {
        let subtrees = |names: &[&str]| {
            names.iter().map(|name| GeneralSubtree::DnsName((*name).to_owned())).collect::<Vec<_>>()
        };
        let constraints = NameConstraints {
            permitted_subtrees: subtrees(permitted),
            excluded_subtrees: subtrees(excluded),
        };
        ca.below(|params| params.name_constraints = Some(constraints))
    };
    for (permitted, excluded, names, fits) in [
        (&["bank.example"][..], &[][..], &[NAME][..], true),
        (&["shop.example"], &[], &[NAME], false),
        (&["bank.example"], &[], &[NAME, "shop.example"], false),
        (&["api.bank.example"], &[], &["*.bank.example"], false),
        (&["bank.example"], &[], &["*.bank.example"], true),
        (&[], &["bank.example"], &[NAME], false),
        (&[], &["api.bank.example"], &["*.bank.example"], false),
        (&[], &["shop.example"], &[NAME], true),
    ] {
        let identity = bounded(permitted, excluded).issue(names);
        let taken = is_taken(&ca, &identity, NAME, "").await;
        assert_eq!(taken, fits, "{permitted:?} without {excluded:?} for {names:?}");
    }
    // Authorities of one name that vouch for each other, and for nobody who is trusted.
    let other = Ca::new();
    let mut identity = other.below(|_| {}).issue(&[NAME]);
    for _ in 0..50 {
        identity.chain.extend(other.below(|_| {}).issue(&[NAME]).chain);
    }
    let started = Instant::now();
    assert!(!is_taken(&ca, &identity, NAME, "").await);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

/// The bytes of a client hello for `shop.example`.
fn hello() -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(&Ca::new()))
        .with_no_client_auth();
    let name = ServerName::try_from("shop.example").unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// A client hello with any bytes for a name.
pub(crate) fn hello_for(name: &[u8]) -> Vec<u8> {
    let hello = hello();
    let at = hello.windows(12).position(|window| window == b"shop.example").unwrap();
    // Lengths of: the record, the message, all extensions, the extension, the list of names, the name.
    let more = name.len() as i32 - 12;
    let mut bytes = [&hello[..at], name, &hello[at + 12..]].concat();
    let mut lengthen = |at: usize, size: usize| {
        let old = bytes[at..at + size].iter().fold(0, |all, byte| all << 8 | i32::from(*byte));
        let new = (old + more).to_be_bytes();
        bytes[at..at + size].copy_from_slice(&new[4 - size..]);
    };
    lengthen(3, 2);
    lengthen(6, 3);
    // Behind the version, the random bytes, the session, the suites and the compression.
    let session = 5 + 4 + 2 + 32;
    let suites = session + 1 + usize::from(hello[session]);
    let compression = suites + 2 + usize::from(u16::from_be_bytes([hello[suites], hello[suites + 1]]));
    lengthen(compression + 1 + usize::from(hello[compression]), 2);
    lengthen(at - 7, 2);
    lengthen(at - 5, 2);
    lengthen(at - 2, 2);
    bytes
}

/// The handshake message of a record in records of a few bytes each.
fn in_small_records(record: &[u8], size: usize) -> Vec<u8> {
    let head = &record[..3];
    record[5..].chunks(size).flat_map(|piece| [head, &[0, piece.len() as u8], piece].concat()).collect()
}

fn renamed(name: &[u8; 12]) -> Vec<u8> {
    let mut bytes = hello();
    let at = bytes.windows(12).position(|window| window == b"shop.example").unwrap();
    bytes[at..at + 12].copy_from_slice(name);
    bytes
}

/// The kind of record that a server answers bytes with: 22 is its hello, 21 an alert; 0: it closed.
async fn reaction(address: std::net::SocketAddr, pieces: &[&[u8]]) -> u8 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        if stream.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let reading = tokio::time::timeout(Duration::from_secs(5), stream.read_u8());
    reading.await.expect("nothing came").unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t04_hellos_in_pieces_are_read_and_odd_ones_refused_in_time() {
    let ca = Ca::new();
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let held = InMemory::default();
    held.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
    let mut options = Options::default();
    options.patience.detection = Duration::from_millis(400);
    options.patience.handshake = Duration::from_millis(400);
    let text = secure_door("{mode: SIMPLE, credentialName: shop}");
    let running = start_with(config(&text, GATEWAY), &["443"], &endpoints, options, |builder| {
        builder.certificates(held)
    });
    let running = running.await;
    let address = running.address();
    let whole = hello();
    // One byte at a time, and one handshake message in many records (RUSTSEC-2024-0399).
    assert_eq!(reaction(address, &whole.chunks(1).collect::<Vec<_>>()).await, 22);
    for size in [1, 7, 100] {
        assert_eq!(reaction(address, &[&in_small_records(&whole, size)]).await, 22, "{size}");
    }
    assert_eq!(reaction(address, &[&renamed(b"SHOP.Example")]).await, 22, "names are compared in lower case");
    for name in [
        b"shop.exampl\0",
        b"shop\0example",
        b"shop example",
        b"shop/example",
        b"shop.exampla",
        b"............",
    ] {
        assert_ne!(reaction(address, &[&renamed(name)]).await, 22, "{name:?}");
    }
    let large = [&[22, 3, 1, 0xff, 0xff][..], &[0; 65_535]].concat();
    let sslv2 = [0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80];
    for (name, bytes) in [
        ("a large record", &large[..]),
        ("SSLv2", &sslv2),
        ("plaintext", GET),
        ("one byte", &[22]),
        ("half a hello", &whole[..whole.len() / 2]),
        ("junk", &[22, 3, 3, 0, 4, 1, 0, 0, 0]),
        ("an alert", &[21, 3, 3, 0, 2, 2, 40]),
        ("a heartbeat", &[24, 3, 3, 0, 3, 1, 0x40, 0]),
    ] {
        let started = Instant::now();
        assert_ne!(reaction(address, &[bytes]).await, 22, "{name}");
        assert!(started.elapsed() < Duration::from_secs(3), "{name}: {:?}", started.elapsed());
    }
    assert!(upstream.take().is_empty());
}

/// CVE-2022-21654: who was good under another configuration proves it again.
#[tokio::test]
async fn t05_client_certificates_are_verified_anew_with_every_connection() {
    let (ca, next) = (Ca::new(), Ca::new());
    let held = Arc::new(InMemory::default());
    held.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
    held.put_authorities("kubernetes://shop-cacert", ca.pem());
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let source = Arc::clone(&held);
    let text = secure_door("{mode: MUTUAL, credentialName: shop}");
    let running = start_with(config(&text, GATEWAY), &["443"], &endpoints, Options::default(), |builder| {
        builder.certificates(source)
    });
    let running = running.await;
    let (chain, key) = parts(&ca.issue(&["client.example"]));
    let mut settings = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(&ca))
        .with_client_auth_cert(chain, key)
        .unwrap();
    settings.enable_early_data = true;
    let settings = Arc::new(settings);
    let ask = async || -> (u16, Option<HandshakeKind>, bool) {
        let stream = TcpStream::connect(running.address()).await.unwrap();
        let name = ServerName::try_from("shop.example").unwrap();
        let Ok(mut stream) = TlsConnector::from(Arc::clone(&settings)).connect(name, stream).await else {
            return (0, None, false);
        };
        let kind = stream.get_ref().1.handshake_kind();
        let is_early = stream.get_ref().1.is_early_data_accepted();
        let request = b"GET /x HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n";
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        (Answer::parse(&String::from_utf8_lossy(&answer)).status, kind, is_early)
    };
    for _ in 0..3 {
        assert_eq!(ask().await, (200, Some(HandshakeKind::Full), false));
    }
    held.put_authorities("kubernetes://shop-cacert", next.pem());
    assert_eq!(ask().await.0, 0, "its authority is not trusted any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t06_rotating_certificates_and_authorities_under_load_fails_no_request() {
    let (old, new) = (Ca::new(), Ca::new());
    let application = Upstream::start("application").await;
    let (server_held, client_held) =
        (Arc::new(mesh_certificates(&old, REVIEWS_ID)), Arc::new(mesh_certificates(&old, WEB)));
    let source = Arc::clone(&server_held);
    let text = crate::fixture::REVIEWS.to_owned() + STRICT;
    let behind = [("10.0.1.1:9080", application.address)];
    let server =
        start_with(config(&text, SERVER), &["in:10.0.1.1:9080"], &behind, Options::default(), |builder| {
            builder.certificates(source)
        })
        .await;
    let text = (reviews("  - retries: {attempts: 0}\n    route: [{destination: {host: reviews}}]\n")
        + STRICT)
        .replace(
            "labels: {app: reviews, version",
            "labels: {security.istio.io/tlsMode: istio, app: reviews, version",
        );
    let endpoints = [("10.0.1.1:9080", server.address()), ("10.0.1.2:9080", server.address())];
    let source = Arc::clone(&client_held);
    let web = start_with(config(&text, SIDECAR), &["9080"], &endpoints, Options::default(), |builder| {
        builder.certificates(source)
    })
    .await;
    let address = web.address();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                let mut served = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let answer = get(address, "reviews:9080", "/x").await;
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    served += 1;
                }
                served
            })
        })
        .collect();
    let moment = || tokio::time::sleep(Duration::from_millis(40));
    let both = [old.pem(), new.pem()].concat();
    for round in 0..8 {
        moment().await;
        server_held.put_identity("default", old.issue(&[REVIEWS_ID]));
        client_held.put_identity("default", old.issue(&[WEB]));
        // A key that does not fit, a half-written chain: the one before stays.
        let mut broken = old.issue(&[REVIEWS_ID]);
        if round % 2 == 0 {
            broken.key = old.issue(&[WEB]).key;
        } else {
            broken.chain.truncate(100);
        }
        moment().await;
        server_held.put_identity("default", broken);
    }
    // Another authority, with a time in which both count.
    for held in [&server_held, &client_held] {
        held.put_authorities("ROOTCA", both.clone());
    }
    moment().await;
    server_held.put_identity("default", new.issue(&[REVIEWS_ID]));
    client_held.put_identity("default", new.issue(&[WEB]));
    moment().await;
    for held in [&server_held, &client_held] {
        held.put_authorities("ROOTCA", new.pem());
    }
    moment().await;
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 3);
    }
    assert_eq!(
        status(server.address(), &new, Some(&old.issue(&[WEB]))).await,
        0,
        "the old authority is gone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t09_a_handshake_that_ends_at_any_byte_leaves_nothing_behind() {
    let ca = Ca::new();
    let (running, upstream) = gateway(&secure_door("{mode: SIMPLE, credentialName: shop}"), |held| {
        held.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
    })
    .await;
    let whole = hello();
    for at in 0..=whole.len() {
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        let _ = stream.write_all(&whole[..at]).await;
        if at % 2 == 0 {
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    }
    // Records of every kind after a good hello, and noise that looks like TLS.
    let mut seed = 1_u32;
    for kind in 0..=255_u8 {
        let noise: Vec<u8> = (0..64)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        let record = [&[kind, 3, 3, 0, 64][..], &noise].concat();
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        let _ = stream.write_all(&whole).await;
        let _ = stream.write_all(&record).await;
    }
    let stream = crate::tls::client(running.address(), &ca, "shop.example", &[], None).await;
    assert!(stream.is_ok());
    drop(stream);
    tokio::time::timeout(Duration::from_secs(5), running.proxy.drain())
        .await
        .expect("somebody is still there");
    assert!(upstream.take().is_empty());
}

#[test]
fn x01_handshakes_that_never_end_are_small_and_cut_in_time() {
    let name = "tls_attacks::x01_handshakes_that_never_end_are_small_and_cut_in_time";
    half_done(name, 1);
}

#[test]
fn x01_hellos_that_never_end_are_small_and_cut_in_time() {
    half_done("tls_attacks::x01_hellos_that_never_end_are_small_and_cut_in_time", 2);
}

/// Hundreds of clients that say a part of their hello and no more: what each costs is bounded, honest ones are served, and
/// all of them are gone in time.
fn half_done(test: &str, part: usize) {
    const CLIENTS: usize = 300;
    const EACH: usize = 40 * 1024;
    const PATIENCE: Duration = Duration::from_secs(3);
    if !is_alone(test, &[]) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let ca = Ca::new();
        let held = InMemory::default();
        held.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
        let mut options = Options::default();
        options.patience.detection = PATIENCE;
        options.patience.handshake = PATIENCE;
        let text = secure_door("{mode: SIMPLE, credentialName: shop}");
        let running =
            start_with(config(&text, GATEWAY), &["443"], &[], options, |builder| builder.certificates(held));
        let running = running.await;
        let honest = async || {
            let client = crate::tls::client(running.address(), &ca, "shop.example", &[], None);
            tokio::time::timeout(Duration::from_secs(2), client).await.is_ok_and(|client| client.is_ok())
        };
        assert!(honest().await);
        let whole = hello();
        let said = &whole[..whole.len() / part];
        let (before, started) = (peak_memory(), Instant::now());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut stream = std::net::TcpStream::connect(running.address()).unwrap();
                Write::write_all(&mut stream, said).unwrap();
                stream
            })
            .collect();
        assert!(honest().await);
        assert!(started.elapsed() < PATIENCE, "too slow to see all of them at once");
        for mut stream in clients {
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            // What the server says, and then its end, be it a reset.
            while Read::read(&mut stream, &mut [0; 4096]).unwrap_or_else(|error| {
                assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "still open");
                0
            }) > 0
            {}
        }
        // The first bytes are waited for, and the rest.
        assert!(started.elapsed() < PATIENCE * 2 + Duration::from_secs(1), "{:?}", started.elapsed());
        let each = (peak_memory() - before) / CLIENTS;
        println!("{each} bytes for each handshake");
        assert!((1024..=EACH).contains(&each), "{each} bytes each");
    });
}

/// CVE-2022-39388, CVE-2023-27487: neither the address nor a header says who somebody is.
#[tokio::test]
async fn who_a_client_says_it_is_counts_for_nothing() {
    let ca = Ca::new();
    let (server, application) = server(&ca, "PERMISSIVE").await;
    for name in ["x-forwarded-client-cert", "x-envoy-peer-metadata", "x-envoy-internal"] {
        let value = format!("By={REVIEWS_ID};URI={WEB}");
        let headers = [("host", "reviews:9080"), (name, &*value), ("x-forwarded-for", "127.0.0.1")];
        let answer = crate::client::request(server.address(), "GET /x", &headers, "").await;
        assert_eq!(answer.status, 403, "{name}");
    }
    assert!(application.take().is_empty());
    // At the edge such headers go no further.
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let text = crate::fixture::door("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n");
    let door =
        start_with(config(&text, GATEWAY), &["80"], &endpoints, Options::default(), |builder| builder).await;
    let forged = [
        "x-forwarded-client-cert",
        "x-envoy-original-path",
        "x-envoy-internal",
        "x-envoy-external-address",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-peer-metadata-id",
    ];
    let headers: Vec<(&str, &str)> =
        [("host", "a")].into_iter().chain(forged.map(|name| (name, "forged"))).collect();
    assert_eq!(crate::client::request(door.address(), "GET /x", &headers, "").await.status, 200);
    let seen = upstream.only();
    assert!(!seen.headers.iter().any(|(_, value)| value.contains("forged")), "{:?}", seen.headers);
}

/// CVE-2024-32475: a host that cannot be a server name.
#[tokio::test]
async fn a_host_too_long_for_a_server_name_is_an_error_and_no_more() {
    let text = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: bank, namespace: shop}
spec:
  hosts: ['*.bank.example']
  addresses: [240.0.0.7]
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 443}]
  resolution: STATIC
  endpoints: [{address: 10.9.9.9}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: bank, namespace: shop}
spec:
  host: '*.bank.example'
  trafficPolicy: {tls: {mode: SIMPLE}}
";
    let upstream = Upstream::start("bank").await;
    let endpoints = [("10.9.9.9:443", upstream.address)];
    let proxy =
        start_with(config(text, SIDECAR), &["80"], &endpoints, Options::default(), |builder| builder).await;
    for host in ["x".repeat(300), "x".repeat(64), "-".to_owned(), "[::1]".to_owned(), "a_b".to_owned()] {
        let host = format!("{host}.bank.example");
        let answer = tokio::time::timeout(Duration::from_secs(5), get(proxy.address(), &host, "/")).await;
        let status = answer.expect("no answer").status;
        assert!((400..600).contains(&status), "{host}: {status}");
    }
    assert!(upstream.take().is_empty());
}

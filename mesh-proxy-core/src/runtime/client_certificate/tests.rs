//! Certificates whose elements a real Envoy (1.40) was asked for.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::*;
use crate::runtime::connection_notes;
use crate::telemetry::connections::TlsRecord;

const ALL: ClientCertificateDetails =
    ClientCertificateDetails { cert: true, chain: true, subject: true, uri: true, dns: true };
const NONE: ClientCertificateDetails =
    ClientCertificateDetails { cert: false, chain: false, subject: false, uri: false, dns: false };

const STRANGE: &[u8] = include_bytes!("testdata/strange.pem");
const BARE: &[u8] = include_bytes!("testdata/bare.pem");
const WORKLOAD: &[u8] = include_bytes!("testdata/workload.pem");

fn chain(pem: &[u8]) -> Vec<Certificate> {
    CertificateDer::pem_slice_iter(pem).map(|it| Certificate::new(it.unwrap())).collect()
}

fn asked(uris: &[&str]) -> Vec<String> {
    uris.iter().map(|uri| (*uri).to_owned()).collect()
}

fn told(pem: &[u8], uris: &[&str], details: ClientCertificateDetails) -> String {
    element(&asked(uris), &chain(pem), details).unwrap().to_str().unwrap().to_owned()
}

/// A client that has shown this.
pub(crate) fn shown(pem: &[u8]) -> Option<ShownCertificate> {
    let tls = TlsRecord {
        version: "",
        cipher: "",
        group: "",
        server_name: None,
        own: chain(WORKLOAD).pop().map(Arc::new),
        peer: chain(pem),
    };
    ShownCertificate::of(&Arc::new(ConnectionRecord { tls: Some(tls), ..connection_notes::begin(None) }))
}

const ASKED: [&str; 2] = ["spiffe://td/ns/a/sa/server", "spiffe://td/second"];

#[test]
fn s_352_elements_are_those_of_envoy() {
    for (pem, of_envoy) in [
        (BARE, include_str!("testdata/bare.txt")),
        (WORKLOAD, include_str!("testdata/workload.txt")),
        (STRANGE, include_str!("testdata/strange.txt")),
    ] {
        // But for the one name that would end its own field.
        let of_envoy = of_envoy.replace(r#"URI=http://u/a;b,c=d"e"#, r#"URI="http://u/a;b,c=d\"e""#);
        assert_eq!(told(pem, &ASKED, ALL), of_envoy.trim_end());
    }
}

#[test]
fn s_350_only_what_is_asked_for_is_told() {
    let whole = told(WORKLOAD, &ASKED, ALL);
    let hash = whole.split(';').find(|field| field.starts_with("Hash=")).unwrap();
    let nothing = format!("By={};By={};{hash}", ASKED[0], ASKED[1]);
    assert_eq!(told(WORKLOAD, &ASKED, NONE), nothing);
    assert_eq!(told(WORKLOAD, &[], NONE), hash);
    let of_sidecar = ClientCertificateDetails { subject: true, uri: true, dns: true, ..NONE };
    let wanted = format!(r#"{nothing};Subject="";URI=spiffe://cluster.local/ns/shop/sa/web"#);
    assert_eq!(told(WORKLOAD, &ASKED, of_sidecar), wanted);
    let chain = told(WORKLOAD, &[], ClientCertificateDetails { chain: true, ..NONE });
    assert!(
        chain.contains(";Chain=\"-----BEGIN%20CERTIFICATE-----%0A") && !chain.contains("Cert="),
        "{chain}"
    );
    // The key stays where there is no such name, but for DNS.
    assert!(told(BARE, &[], ClientCertificateDetails { uri: true, dns: true, ..NONE }).ends_with(";URI="));
}

#[test]
fn what_was_told_first_is_kept_and_other_details_are_told_too() {
    let client = shown(WORKLOAD).unwrap();
    let first = client.element(NONE).unwrap();
    assert_eq!(client.element(ALL).unwrap(), told(WORKLOAD, &["spiffe://cluster.local/ns/shop/sa/web"], ALL));
    let again = client.element(NONE).unwrap();
    assert!(std::ptr::eq(first.as_bytes(), again.as_bytes()), "it is written once");
}

#[test]
fn b_36_a_name_that_is_no_header_text_is_not_told() {
    assert_eq!(element(&asked(&["spiffe://td\r\nx-admin: yes"]), &chain(WORKLOAD), NONE), None);
    assert!(told(WORKLOAD, &["spiffe://td/a,By=b"], NONE).starts_with("By=\"spiffe://td/a,By=b\";Hash="));
}

#[test]
fn whoever_shows_nothing_has_no_certificate() {
    assert!(shown(b"").is_none());
    assert!(ShownCertificate::of(&Arc::new(connection_notes::begin(None))).is_none());
}

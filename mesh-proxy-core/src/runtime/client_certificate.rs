//! What `x-forwarded-client-cert` tells of a client that has shown a certificate (S-350, S-352).
//!
//! Spec: Envoy, `x-forwarded-client-cert`: fields in the order By, Hash, Cert, Chain, Subject, URI, DNS.

mod subject;

use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderValue;
use mesh_compile::proxy::proxy_headers::ClientCertificateDetails;
use rustls_pki_types::CertificateDer;
use x509_parser::parse_x509_certificate;

use super::tls::Names;
use super::tls::pins::sha256_hex;

/// The certificate of a client, as it was shown and verified.
#[derive(Debug)]
pub(crate) struct ShownCertificate {
    /// The client's own, then those behind it. INVARIANT: not empty.
    chain: Vec<CertificateDer<'static>>,
    /// URI SANs of the certificate that the client was shown.
    asked: Arc<[String]>,
    /// What was told first: settings hardly change while a connection lasts.
    told: OnceLock<(ClientCertificateDetails, Option<HeaderValue>)>,
}

impl ShownCertificate {
    /// `asked`: URI SANs of the certificate that the client was shown. `None`: it has shown none.
    pub(crate) fn new(chain: &[CertificateDer<'_>], asked: Arc<[String]>) -> Option<Self> {
        let chain: Vec<_> = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        (!chain.is_empty()).then(|| Self { chain, asked, told: OnceLock::new() })
    }

    /// What is told of it; `None`: nothing can be, as a name in it cannot be written into a header (B-36).
    pub(crate) fn element(&self, details: ClientCertificateDetails) -> Option<HeaderValue> {
        let (of, told) = self.told.get_or_init(|| (details, self.written(details)));
        if *of == details { told.clone() } else { self.written(details) }
    }

    fn written(&self, details: ClientCertificateDetails) -> Option<HeaderValue> {
        let leaf = self.chain.first()?;
        let ClientCertificateDetails { cert, chain, subject, uri, dns } = details;
        let mut fields = Fields::default();
        self.asked.iter().for_each(|own| fields.name("By", own));
        fields.push("Hash", &sha256_hex(leaf)?);
        if cert {
            fields.quoted("Cert", &pem(leaf));
        }
        if chain {
            fields
                .quoted("Chain", &self.chain.iter().map(|certificate| pem(certificate)).collect::<String>());
        }
        if subject && let Ok((_, parsed)) = parse_x509_certificate(leaf) {
            fields.quoted("Subject", &subject::text(&parsed.tbs_certificate.subject));
        }
        let names = Names::of(leaf).unwrap_or_default();
        if uri {
            names.uris.iter().for_each(|name| fields.name("URI", name));
            if names.uris.is_empty() {
                fields.push("URI", "");
            }
        }
        if dns {
            names.dns.iter().for_each(|name| fields.name("DNS", name));
        }
        HeaderValue::try_from(fields.0).ok()
    }
}

/// `KEY=VALUE` by semicolons.
#[derive(Default)]
struct Fields(String);

impl Fields {
    fn push(&mut self, key: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(';');
        }
        self.0.extend([key, "=", value]);
    }

    fn quoted(&mut self, key: &str, value: &str) {
        self.push(key, "\"");
        self.0.extend([value, "\""]);
    }

    /// A name of a certificate. One that a reader would take for the end of its field is quoted, as Envoy's page on the
    /// header has it (S-352); Envoy itself does not, and lets it say whatever it likes.
    fn name(&mut self, key: &str, name: &str) {
        if name.contains([',', ';', '"']) {
            self.quoted(key, &name.replace('\\', "\\\\").replace('"', "\\\""));
        } else {
            self.push(key, name);
        }
    }
}

/// A certificate in PEM, with what cannot stand in a header as in URLs.
fn pem(certificate: &CertificateDer<'_>) -> String {
    const LINE: usize = 64;
    let encoded = STANDARD.encode(certificate);
    let mut text = String::with_capacity(encoded.len() + encoded.len() / 8 + 96);
    text.push_str("-----BEGIN%20CERTIFICATE-----%0A");
    for (at, character) in encoded.chars().enumerate() {
        if at > 0 && at % LINE == 0 {
            text.push_str("%0A");
        }
        match character {
            '+' => text.push_str("%2B"),
            '/' => text.push_str("%2F"),
            '=' => text.push_str("%3D"),
            plain => text.push(plain),
        }
    }
    text.push_str("%0A-----END%20CERTIFICATE-----%0A");
    text
}

#[cfg(test)]
mod tests;

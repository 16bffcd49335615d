//! What `x-forwarded-client-cert` tells of a client that has shown a certificate (S-350, S-352).
//!
//! Spec: Envoy, `x-forwarded-client-cert`: fields in the order By, Hash, Cert, Chain, Subject, URI, DNS.

use std::sync::{Arc, OnceLock};

use http::header::HeaderValue;
use mesh_compile::proxy::proxy_headers::ClientCertificateDetails;

use crate::telemetry::certificate::Certificate;
use crate::telemetry::connections::ConnectionRecord;

/// The certificate of a client, as it was shown and verified.
#[derive(Debug)]
pub(crate) struct ShownCertificate {
    /// INVARIANT: its TLS has a certificate of the client.
    note: Arc<ConnectionRecord>,
    /// What was told first: settings hardly change while a connection lasts.
    told: OnceLock<(ClientCertificateDetails, Option<HeaderValue>)>,
}

impl ShownCertificate {
    /// `None`: the client has shown none.
    pub(crate) fn of(note: &Arc<ConnectionRecord>) -> Option<Self> {
        let is_shown = note.tls.as_ref().is_some_and(|tls| !tls.peer.is_empty());
        is_shown.then(|| Self { note: Arc::clone(note), told: OnceLock::new() })
    }

    /// What is told of it; `None`: nothing can be, as a name in it cannot be written into a header (B-36).
    pub(crate) fn element(&self, details: ClientCertificateDetails) -> Option<HeaderValue> {
        let (of, told) = self.told.get_or_init(|| (details, self.written(details)));
        if *of == details { told.clone() } else { self.written(details) }
    }

    fn written(&self, details: ClientCertificateDetails) -> Option<HeaderValue> {
        let tls = self.note.tls.as_ref()?;
        let asked = tls.own.as_ref().and_then(|own| own.read()).map_or(&[][..], |own| &own.uris);
        element(asked, &tls.peer, details)
    }
}

/// An element of the header. `asked`: URI SANs of the certificate that the client was shown, of several the first; `chain`:
/// the client's own certificate, then those behind it.
fn element(
    asked: &[String],
    chain: &[Certificate],
    details: ClientCertificateDetails,
) -> Option<HeaderValue> {
    let leaf = chain.first()?;
    let ClientCertificateDetails { cert, chain: whole, subject, uri, dns } = details;
    let mut fields = Fields::default();
    asked.iter().for_each(|own| fields.name("By", own));
    fields.push("Hash", &leaf.fingerprint()?);
    if cert {
        fields.quoted("Cert", &leaf.escaped_pem());
    }
    if whole {
        fields.quoted("Chain", &chain.iter().map(Certificate::escaped_pem).collect::<String>());
    }
    let read = leaf.read();
    if subject && let Some(read) = read {
        fields.quoted("Subject", &read.subject);
    }
    if uri {
        let uris = read.map_or(&[][..], |read| &read.uris);
        uris.iter().for_each(|name| fields.name("URI", name));
        if uris.is_empty() {
            fields.push("URI", "");
        }
    }
    if dns && let Some(read) = read {
        read.dns.iter().for_each(|name| fields.name("DNS", name));
    }
    HeaderValue::try_from(fields.0).ok()
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

#[cfg(test)]
pub(crate) mod tests;

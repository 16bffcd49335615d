//! Who the other side is: chains checked by webpki, names by the rules of the mesh.

use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::name::SpiffeId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::pins::Pins;

/// Names that a certificate carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// URI SANs, in order.
    pub(crate) uris: Vec<String>,
    /// DNS SANs, in order.
    pub(crate) dns: Vec<String>,
    /// IP SANs, in order.
    ips: Vec<IpAddr>,
}

impl Names {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = parse_x509_certificate(certificate).ok()?;
        let mut names = Self::default();
        if let Some(extension) = parsed.subject_alternative_name().ok()? {
            for name in &extension.value.general_names {
                match name {
                    GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
                    GeneralName::DNSName(dns) => names.dns.push((*dns).to_owned()),
                    GeneralName::IPAddress(bytes) => names.ips.extend(ip(bytes)),
                    _ => {}
                }
            }
        }
        Some(names)
    }

    /// Who it is in a mesh: the first URI.
    pub(super) fn principal(self) -> Option<Arc<str>> {
        self.uris.into_iter().next().map(Arc::from)
    }

    /// What is wanted with a scheme is a URI, an address an IP SAN, anything else a DNS name: a name of another kind that
    /// reads the same is not the same (CVE-2022-21656).
    fn has(&self, wanted: &str) -> bool {
        if let Ok(wanted) = wanted.parse::<IpAddr>() {
            return self.ips.contains(&wanted);
        }
        match wanted.contains("://") {
            true => self.uris.iter().any(|uri| uri == wanted),
            false => self.dns.iter().any(|dns| dns.eq_ignore_ascii_case(wanted)),
        }
    }
}

/// The address of an IP SAN; one of another length is none.
fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4().or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// `spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT` and nothing else: the parts are not empty and hold no byte that a URI
/// would read otherwise.
fn workload_id(uri: &str) -> Option<SpiffeId> {
    const LENGTH_MAX: usize = 2048;
    let id: SpiffeId = uri.parse().ok().filter(|_| uri.len() <= LENGTH_MAX)?;
    let plain = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let all_plain = plain(id.trust_domain()) && plain(id.namespace()) && plain(id.service_account());
    all_plain.then_some(id)
}

/// The three methods about handshake signatures, the same for both sides: the provider knows the algorithms.
macro_rules! signatures_by_provider {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(
                message,
                certificate,
                signature,
                &self.provider.signature_verification_algorithms,
            )
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(
                message,
                certificate,
                signature,
                &self.provider.signature_verification_algorithms,
            )
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider.signature_verification_algorithms.supported_schemes()
        }
    };
}

/// What is asked of a client's certificate beyond its chain.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    /// `None`: chains are not checked.
    pub(super) chain: Option<Arc<dyn ClientCertVerifier>>,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) mandatory: bool,
    /// Trust domains of workloads; empty: the client need not be one.
    pub(super) trust_domains: Vec<Arc<str>>,
    /// SANs of which one must be there; empty: any.
    pub(super) names: Vec<Arc<str>>,
    /// Hashes of which its certificate or key must have one.
    pub(super) pins: Pins,
}

impl ClientVerifier {
    fn check_names(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let refused = || Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        if self.trust_domains.is_empty() && self.names.is_empty() {
            return Ok(());
        }
        let names = Names::of(certificate).ok_or_else(refused)?;
        if !self.trust_domains.is_empty() {
            let [uri] = names.uris.as_slice() else { return Err(refused()) };
            let id = workload_id(uri).ok_or_else(refused)?;
            if !self.trust_domains.iter().any(|domain| **domain == *id.trust_domain()) {
                return Err(refused());
            }
        }
        if !self.names.is_empty() && !self.names.iter().any(|name| names.has(name)) {
            return Err(refused());
        }
        Ok(())
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.as_ref().map_or(&[], |chain| chain.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify_client_cert(end_entity, intermediates, now)?;
        }
        self.check_names(end_entity)?;
        self.pins.check(end_entity, &self.provider)?;
        Ok(ClientCertVerified::assertion())
    }

    signatures_by_provider!();
}

/// What is asked of a server's certificate.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    /// `None`: nothing is checked.
    pub(super) roots: Option<Arc<RootCertStore>>,
    /// What checks chains where revocation lists count; `None`: none do.
    pub(super) chain: Option<Arc<WebPkiServerVerifier>>,
    pub(super) provider: Arc<CryptoProvider>,
    /// SANs of which one must be there; empty: any.
    pub(super) names: Vec<Arc<str>>,
    /// Whether it must fit the server name that was sent.
    pub(super) by_server_name: bool,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(roots) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        match &self.chain {
            None => {
                verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)?;
            }
            Some(chain) => match chain.verify_server_cert(end_entity, intermediates, server_name, &[], now) {
                // The name is looked at last; which one counts is decided below.
                Ok(_)
                | Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )) => {}
                Err(error) => return Err(error),
            },
        }
        if !self.names.is_empty() {
            let names = Names::of(end_entity);
            if !names.is_some_and(|names| self.names.iter().any(|wanted| names.has(wanted))) {
                return Err(Error::InvalidCertificate(CertificateError::NotValidForName));
            }
        } else if self.by_server_name {
            verify_server_name(&parsed, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    signatures_by_provider!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workload_ids_have_five_plain_parts() {
        assert!(workload_id("spiffe://cluster.local/ns/default/sa/web").is_some());
        for wrong in [
            "SPIFFE://cluster.local/ns/a/sa/b",
            "spiffe://cluster.local",
            "spiffe://cluster.local/ns/a/sa/b/",
            "spiffe://cluster.local//ns/a/sa/b",
            "spiffe://cluster.local/sa/b/ns/a",
            "spiffe://cluster.local/ns/../sa/b",
            "spiffe://cluster.local/ns/a%2e/sa/b",
            "spiffe://cluster.local:8443/ns/a/sa/b",
            "spiffe://user@cluster.local/ns/a/sa/b",
            "spiffe://cluster.local/ns/a/sa/b?x",
            "spiffe://cluster.local/ns/a/sa/b#x",
            "spiffe://cluster.local/ns/a/sa/b\0",
            "spiffe://clüster.local/ns/a/sa/b",
        ] {
            assert!(workload_id(wrong).is_none(), "{wrong}");
        }
        assert!(workload_id(&format!("spiffe://{}/ns/a/sa/b", "x".repeat(2100))).is_none());
    }
}

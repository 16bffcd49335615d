//! PEM to what rustls wants.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::seam::certificate_source::Identity;

/// A chain and a key that belong together.
///
/// # Errors
/// Why they cannot be used, in words.
pub(super) fn certified(identity: &Identity, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let chain = certificates(&identity.chain)?;
    if chain.is_empty() {
        return Err("no certificate in the chain".to_owned());
    }
    let key =
        PrivateKeyDer::from_pem_slice(&identity.key).map_err(|error| format!("private key: {error}"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| format!("certificate and key: {error}"))
}

/// Trust anchors.
///
/// # Errors
/// There is none among them.
pub(crate) fn roots(pem: &[u8]) -> Result<Arc<RootCertStore>, String> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates(pem)?);
    if added == 0 {
        return Err("no usable certificate authority".to_owned());
    }
    Ok(Arc::new(store))
}

/// Revocation lists.
///
/// # Errors
/// One of them is none, or there is none among them: then nothing could be told of any certificate.
pub(super) fn revocations(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("revocation list: {error}"))?;
    if lists.is_empty() { Err("no revocation list".to_owned()) } else { Ok(lists) }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("certificate: {error}"))
}

/// The protocol versions between two names, as in `TLSv1_2`; what is older than 1.2 is not spoken.
pub(super) fn versions(oldest: &str, newest: &str) -> Vec<&'static rustls::SupportedProtocolVersion> {
    let mut versions = Vec::new();
    let ends_before_1_3 = matches!(newest, "TLSv1_0" | "TLSv1_1" | "TLSv1_2");
    if !ends_before_1_3 {
        versions.push(&rustls::version::TLS13);
    }
    let starts_after_1_2 = oldest == "TLSv1_3";
    let ends_before_1_2 = matches!(newest, "TLSv1_0" | "TLSv1_1");
    if !starts_after_1_2 && !ends_before_1_2 {
        versions.push(&rustls::version::TLS12);
    }
    versions
}

/// The provider with the suites that OpenSSL's names mean; those of TLS 1.3 are not named and stay.
pub(super) fn with_suites(provider: &CryptoProvider, names: &[Arc<str>]) -> CryptoProvider {
    let mut limited = provider.clone();
    if names.is_empty() || names.iter().any(|name| &**name == "ALL") {
        return limited;
    }
    let wanted: Vec<&str> = names.iter().filter_map(|name| rustls_name(name)).collect();
    limited.cipher_suites.retain(|suite| {
        let name = format!("{:?}", suite.suite());
        name.starts_with("TLS13_") || wanted.contains(&name.as_str())
    });
    limited
}

fn rustls_name(openssl: &str) -> Option<&'static str> {
    Some(match openssl {
        "ECDHE-ECDSA-AES128-GCM-SHA256" => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256" => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384" => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384" => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305" => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-RSA-CHACHA20-POLY1305" => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        _ => return None,
    })
}

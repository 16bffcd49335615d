//! Hashes that a client's certificate, or its key, must have (`verifyCertificateHash`, `verifyCertificateSpki`).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mesh_compile::proxy::listener::DownstreamTls;
use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::HashAlgorithm;
use rustls::{CertificateError, Error, SupportedCipherSuite};
use rustls_pki_types::CertificateDer;
use x509_parser::parse_x509_certificate;

/// SHA-256 hashes; both lists empty: anything goes. One hit in either list is enough, as in Envoy.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// Of public keys.
    keys: Vec<Vec<u8>>,
    /// Of certificates.
    certificates: Vec<Vec<u8>>,
    /// Whether anything is asked: hashes that cannot be read are ones that nothing fits.
    is_asked: bool,
}

impl Pins {
    pub(super) fn of(tls: &DownstreamTls) -> Self {
        Self {
            keys: tls.key_hashes.iter().filter_map(|hash| STANDARD.decode(&**hash).ok()).collect(),
            certificates: tls.certificate_hashes.iter().filter_map(|hash| from_hex(hash)).collect(),
            is_asked: !tls.key_hashes.is_empty() || !tls.certificate_hashes.is_empty(),
        }
    }

    /// # Errors
    /// The certificate has none of the hashes.
    pub(super) fn check(
        &self,
        certificate: &CertificateDer<'_>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<(), Error> {
        if !self.is_asked {
            return Ok(());
        }
        let fits = |hashes: &[Vec<u8>], data: &[u8]| {
            sha256(data, provider).is_some_and(|hash| hashes.iter().any(|wanted| **wanted == *hash))
        };
        let has_key = || {
            let parsed = parse_x509_certificate(certificate);
            parsed.is_ok_and(|(_, it)| fits(&self.keys, it.tbs_certificate.subject_pki.raw))
        };
        if fits(&self.certificates, certificate) || has_key() {
            return Ok(());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }
}

/// The hash function of a cipher suite: every provider has one with this.
fn sha256(data: &[u8], provider: &CryptoProvider) -> Option<Vec<u8>> {
    let hash = provider.cipher_suites.iter().find_map(|suite| {
        let hash = match suite {
            SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
            SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
        };
        (hash.algorithm() == HashAlgorithm::SHA256).then_some(hash)
    })?;
    Some(hash.hash(data).as_ref().to_vec())
}

/// The hash as hexadecimal digits.
#[cfg(feature = "wasm")]
pub(crate) fn sha256_hex(data: &[u8]) -> Option<String> {
    use std::fmt::Write;
    let hash = sha256(data, &rustls::crypto::aws_lc_rs::default_provider())?;
    Some(hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Hexadecimal digits, bytes perhaps parted by colons.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|it| *it != ':')
        .map(|it| it.to_digit(16).and_then(|it| u8::try_from(it).ok()))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_with_and_without_colons() {
        assert_eq!(from_hex("DF:6f:00"), Some(vec![0xdf, 0x6f, 0]));
        assert_eq!(from_hex("df6f00"), Some(vec![0xdf, 0x6f, 0]));
        assert_eq!((from_hex("df6"), from_hex("xy")), (None, None));
    }

    #[test]
    fn a_hash_that_cannot_be_read_lets_nobody_in() {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let pins = Pins { is_asked: true, ..Pins::default() };
        assert!(pins.check(&CertificateDer::from(vec![1, 2, 3]), &provider).is_err());
        assert!(Pins::default().check(&CertificateDer::from(vec![1, 2, 3]), &provider).is_ok());
    }

    #[test]
    fn the_certificate_itself_may_be_named() {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // printf 'abc' | sha256sum
        let abc = from_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").unwrap();
        let pins = Pins { certificates: vec![abc], is_asked: true, ..Pins::default() };
        assert!(pins.check(&CertificateDer::from(b"abc".to_vec()), &provider).is_ok());
        assert!(pins.check(&CertificateDer::from(b"abd".to_vec()), &provider).is_err());
    }
}

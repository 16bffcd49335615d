//! What a text in PEM form holds: certificates, or a private key. The key itself is looked at and not kept.
//!
//! Spec: RFC 7468 (PEM), RFC 5280 (certificates), RFC 5958 and RFC 5915 (keys).

use std::hash::{DefaultHasher, Hash, Hasher};

use rustls_pki_types::pem::{Error, SectionKind, SliceIter};
use x509_parser::der_parser::ber::BerObject;
use x509_parser::der_parser::parse_der;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// What can be used of a text.
///
/// Spec: RFC 7468, RFC 5280, RFC 5958.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pem {
    /// A certificate, and perhaps those of its issuers, with what tells the public key of the first.
    Certificates(Option<PublicKeyMark>),
    /// A private key, with what tells its public half, where it is written beside it.
    PrivateKey(Option<PublicKeyMark>),
    /// Something else, such as a revocation list.
    Other,
}

/// Why a text that starts as PEM does cannot be used.
///
/// Spec: RFC 7468, RFC 5280, RFC 5958.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PemFlaw {
    /// It ends before its `-----END`.
    NoEnd,
    /// What stands between the lines is not base64.
    NotBase64,
    /// Nothing is in it that has a name which TLS knows.
    Nothing,
    /// The certificate of this number, from 1, is none.
    NotACertificate(usize),
    /// The key is none.
    NotAKey,
    /// The key is encrypted, with a passphrase that no proxy knows.
    Encrypted,
}

impl PemFlaw {
    /// What is wrong, as the end of `NAME ..`.
    pub fn words(self) -> String {
        match self {
            Self::NoEnd => "has no `-----END` line: it was cut off".to_owned(),
            Self::NotBase64 => "has something else than base64 between its lines".to_owned(),
            Self::Nothing => "holds neither a certificate nor a key".to_owned(),
            Self::NotACertificate(1) => "holds a certificate that cannot be read".to_owned(),
            Self::NotACertificate(number) => {
                format!("holds a certificate that cannot be read, number {number}")
            }
            Self::NotAKey => "holds a key that cannot be read".to_owned(),
            Self::Encrypted => {
                "holds a key that is encrypted, with a passphrase that no proxy knows".to_owned()
            }
        }
    }
}

/// Tells public keys apart. Not for security: it finds slips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKeyMark(u64);

impl PublicKeyMark {
    fn of(key: &[u8]) -> Self {
        // Leading zeros keep DER's whole numbers positive.
        let start = key.iter().position(|byte| *byte != 0).unwrap_or(key.len());
        let mut hasher = DefaultHasher::new();
        key.get(start..).unwrap_or_default().hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Reads a text in PEM form; `None`: it does not look like one.
///
/// # Errors
///
/// It starts as PEM does, and cannot be used.
pub fn read_pem(text: &[u8]) -> Option<Result<Pem, PemFlaw>> {
    const START: &[u8] = b"-----BEGIN ";
    let has = |words: &[u8]| text.windows(words.len()).any(|part| part == words);
    if !has(START) {
        return None;
    }
    let mut found = None;
    let mut certificates = 0;
    for section in SliceIter::<(SectionKind, Vec<u8>)>::new(text) {
        let (kind, der) = match section {
            Ok(section) => section,
            Err(Error::Base64Decode(_)) => return Some(Err(PemFlaw::NotBase64)),
            Err(_) => return Some(Err(PemFlaw::NoEnd)),
        };
        let pem = match kind {
            SectionKind::Certificate => {
                certificates += 1;
                match X509Certificate::from_der(&der) {
                    Ok(([], certificate)) => Pem::Certificates(public_key(&certificate)),
                    _ => return Some(Err(PemFlaw::NotACertificate(certificates))),
                }
            }
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                match private_key(&der) {
                    Some(mark) => Pem::PrivateKey(mark),
                    None => return Some(Err(PemFlaw::NotAKey)),
                }
            }
            _ => Pem::Other,
        };
        // The first certificate or key says what the text is for.
        found = match found {
            None | Some(Pem::Other) => Some(pem),
            before => before,
        };
    }
    Some(match found {
        Some(pem) => Ok(pem),
        None if has(b"-----BEGIN ENCRYPTED PRIVATE KEY") => Err(PemFlaw::Encrypted),
        None => Err(PemFlaw::Nothing),
    })
}

fn public_key(certificate: &X509Certificate<'_>) -> Option<PublicKeyMark> {
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some(PublicKeyMark::of(key.modulus)),
        PublicKey::EC(point) => Some(PublicKeyMark::of(point.data())),
        _ => None,
    }
}

/// The outer `None`: it is no key; the inner one: it does not say what its public half is.
///
/// PKCS#8 (RFC 5208, 5958) holds the form of the algorithm in a string of bytes: that of RSA (RFC 8017, A.1.2) starts with
/// a version and the modulus, that of elliptic curves (RFC 5915) has the public half under `[1]`.
fn private_key(der: &[u8]) -> Option<Option<PublicKeyMark>> {
    let (rest, object) = parse_der(der).ok()?;
    let parts = object.as_sequence().ok()?;
    parts.first().filter(|version| version.as_u32().is_ok() && rest.is_empty())?;
    let second = parts.get(1)?;
    if second.as_sequence().is_ok() {
        let inner = parts.get(2)?.as_slice().ok()?;
        // Of other algorithms (Ed25519) this is the key itself.
        return Some(private_key(inner).flatten());
    }
    let bytes = second.as_slice().ok()?;
    let is_of_a_curve = parts.len() < 9;
    Some(if is_of_a_curve { parts.iter().find_map(public_half) } else { Some(PublicKeyMark::of(bytes)) })
}

fn public_half(part: &BerObject<'_>) -> Option<PublicKeyMark> {
    if part.header.tag().0 != 1 || !part.header.is_contextspecific() {
        return None;
    }
    let (_, bits) = parse_der(part.as_slice().ok()?).ok()?;
    Some(PublicKeyMark::of(bits.as_slice().ok()?))
}

#[cfg(test)]
#[path = "pem/tests.rs"]
mod tests;

//! Certificates as logs tell of them. Read when a log asks for the first time, not with every handshake.
// Facts: Envoy's source/common/tls/utility.cc, source/common/tls/connection_info_impl_base.cc, and what Envoy 1.40 printed.

mod distinguished_name;

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

/// A certificate that was shown. Ours: bytes, and what was read of them.
#[derive(Debug)]
pub struct Certificate {
    bytes: CertificateDer<'static>,
    read: OnceLock<Option<Read>>,
}

/// What a certificate says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// As RFC 2253 has it.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// Hexadecimal digits.
    pub(crate) serial: String,
    pub(crate) uris: Vec<String>,
    pub(crate) dns: Vec<String>,
    pub(crate) ips: Vec<String>,
    pub(crate) emails: Vec<String>,
    pub(crate) begins: Option<SystemTime>,
    pub(crate) ends: Option<SystemTime>,
}

impl Certificate {
    /// Of its DER bytes.
    pub fn new(bytes: CertificateDer<'static>) -> Self {
        Self { bytes, read: OnceLock::new() }
    }

    /// What it says; `None`: it cannot be read.
    pub(crate) fn read(&self) -> Option<&Read> {
        self.read.get_or_init(|| Some(Read::of(&parse_x509_certificate(&self.bytes).ok()?.1))).as_ref()
    }

    /// SHA-256 of it, in hexadecimal digits.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        // Every cipher suite brings its hash function, this one SHA-256.
        let hash = TLS13_AES_128_GCM_SHA256.tls13()?.common.hash_provider.hash(&self.bytes);
        Some(hex(hash.as_ref()))
    }

    /// PEM, with the bytes escaped that have a meaning in a URL.
    pub(crate) fn escaped_pem(&self) -> String {
        let base64 = STANDARD.encode(&self.bytes);
        let mut text = "-----BEGIN%20CERTIFICATE-----%0A".to_owned();
        for (place, character) in base64.chars().enumerate() {
            if place > 0 && place % 64 == 0 {
                text.push_str("%0A");
            }
            match character {
                '+' => text.push_str("%2B"),
                '/' => text.push_str("%2F"),
                '=' => text.push_str("%3D"),
                other => text.push(other),
            }
        }
        text.push_str("%0A-----END%20CERTIFICATE-----%0A");
        text
    }
}

impl Read {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let mut read = Self {
            subject: distinguished_name::text(certificate.subject()),
            issuer: distinguished_name::text(certificate.issuer()),
            serial: serial(certificate.raw_serial()),
            begins: time(certificate.validity().not_before),
            ends: time(certificate.validity().not_after),
            ..Self::default()
        };
        let Ok(Some(names)) = certificate.subject_alternative_name() else { return read };
        for name in &names.value.general_names {
            match name {
                GeneralName::URI(uri) => read.uris.push((*uri).to_owned()),
                GeneralName::DNSName(dns) => read.dns.push((*dns).to_owned()),
                GeneralName::RFC822Name(email) => read.emails.push((*email).to_owned()),
                GeneralName::IPAddress(bytes) => read.ips.extend(ip(bytes).map(|ip| ip.to_string())),
                _ => {}
            }
        }
        read
    }
}

/// The digits of a serial number, without the byte that only says that it is positive.
fn serial(bytes: &[u8]) -> String {
    hex(match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn time(time: ASN1Time) -> Option<SystemTime> {
    let seconds = u64::try_from(time.timestamp()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The address of an IP SAN; one of another length is none.
pub(crate) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4().or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

//! Connections that are not served, by reason: a closed set, so that clients make no series (T01).

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::{CertificateError, InvalidMessage};

/// Why a connection is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    NoListener,
    NoFilterChain,
    NotAccepted,
    ProxyProtocol,
    Broken,
    TlsTimeout,
    /// A certificate of the proxy's own, or what clients are checked by, is not there.
    TlsNoCertificate,
    TlsClientCertificateMissing,
    TlsClientCertificateExpired,
    TlsClientCertificateNotYetValid,
    TlsClientCertificateRevoked,
    TlsClientCertificateUntrusted,
    TlsClientCertificatePurpose,
    TlsClientCertificateName,
    TlsClientCertificateInvalid,
    TlsTooLarge,
    TlsIncompatible,
    /// The client does not take what it was shown.
    TlsRefusedByClient,
    TlsProtocol,
    TlsClosed,
}

/// All reasons, in their order.
const ALL: [(Reason, &str); 20] = [
    (Reason::NoListener, "no_listener"),
    (Reason::NoFilterChain, "no_filter_chain"),
    (Reason::NotAccepted, "not_accepted"),
    (Reason::ProxyProtocol, "proxy_protocol"),
    (Reason::Broken, "broken"),
    (Reason::TlsTimeout, "tls_timeout"),
    (Reason::TlsNoCertificate, "tls_no_certificate"),
    (Reason::TlsClientCertificateMissing, "tls_client_certificate_missing"),
    (Reason::TlsClientCertificateExpired, "tls_client_certificate_expired"),
    (Reason::TlsClientCertificateNotYetValid, "tls_client_certificate_not_yet_valid"),
    (Reason::TlsClientCertificateRevoked, "tls_client_certificate_revoked"),
    (Reason::TlsClientCertificateUntrusted, "tls_client_certificate_untrusted"),
    (Reason::TlsClientCertificatePurpose, "tls_client_certificate_purpose"),
    (Reason::TlsClientCertificateName, "tls_client_certificate_name"),
    (Reason::TlsClientCertificateInvalid, "tls_client_certificate_invalid"),
    (Reason::TlsTooLarge, "tls_too_large"),
    (Reason::TlsIncompatible, "tls_incompatible"),
    (Reason::TlsRefusedByClient, "tls_refused_by_client"),
    (Reason::TlsProtocol, "tls_protocol"),
    (Reason::TlsClosed, "tls_closed"),
];

/// There is no certificate to show, or nothing to check clients by.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoCertificate(pub(crate) String);

impl Reason {
    /// Why a handshake failed.
    pub(crate) fn of_handshake(error: &io::Error) -> Self {
        let inner: Option<&(dyn Error + Send + Sync + 'static)> = error.get_ref();
        if inner.and_then(|inner| inner.downcast_ref::<NoCertificate>()).is_some() {
            return Self::TlsNoCertificate;
        }
        match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            None => Self::TlsClosed,
            Some(rustls::Error::NoCertificatesPresented) => Self::TlsClientCertificateMissing,
            Some(rustls::Error::InvalidCertificate(problem)) => Self::of_certificate(problem),
            Some(rustls::Error::InvalidMessage(
                InvalidMessage::HandshakePayloadTooLarge
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::CertificatePayloadTooLarge,
            )) => Self::TlsTooLarge,
            Some(rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol) => {
                Self::TlsIncompatible
            }
            Some(rustls::Error::AlertReceived(_)) => Self::TlsRefusedByClient,
            Some(_) => Self::TlsProtocol,
        }
    }

    fn of_certificate(problem: &CertificateError) -> Self {
        match problem {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Self::TlsClientCertificateExpired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::TlsClientCertificateNotYetValid
            }
            CertificateError::Revoked
            | CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Self::TlsClientCertificateRevoked,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::TlsClientCertificateUntrusted
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::TlsClientCertificatePurpose
            }
            CertificateError::ApplicationVerificationFailure => Self::TlsClientCertificateName,
            _ => Self::TlsClientCertificateInvalid,
        }
    }
}

/// How many connections were not served, by reason.
#[derive(Debug, Default)]
pub(crate) struct TurnedAway([AtomicU64; ALL.len()]);

impl TurnedAway {
    pub(crate) fn count(&self, reason: Reason) {
        if let Some(counter) = self.0.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All counts by the names of their reasons.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ALL.iter().zip(&self.0).map(|((_, name), count)| (*name, count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        for (place, (reason, name)) in ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place, "{name}");
            let counts = TurnedAway::default();
            counts.count(reason);
            let counted: Vec<_> = counts.counts().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
    }
}

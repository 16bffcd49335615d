//! Notes of connections for logs: numbers, times, TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustls::{CommonState, NamedGroup, ProtocolVersion};

use crate::telemetry::certificate::Certificate;
use crate::telemetry::connections::{ConnectionRecord, TlsRecord};

/// Connections of the process so far, of both kinds: a number is never used again.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// The note of a connection that begins now.
pub(super) fn begin(direct_peer: Option<SocketAddr>) -> ConnectionRecord {
    ConnectionRecord {
        id: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
        begun: Instant::now(),
        connected: None,
        handshaken: None,
        direct_peer,
        filter_chain: None,
        tls: None,
    }
}

/// What TLS has come to, in OpenSSL's words. `own`: what the proxy has shown.
pub(super) fn tls(
    state: &CommonState,
    server_name: Option<Arc<str>>,
    own: Option<Arc<Certificate>>,
) -> TlsRecord {
    let group = state.negotiated_key_exchange_group().map(rustls::crypto::SupportedKxGroup::name);
    let peer = state.peer_certificates().unwrap_or_default();
    TlsRecord {
        version: match state.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "",
        },
        cipher: state.negotiated_cipher_suite().map_or("", |suite| cipher(suite.suite().as_str())),
        group: match group {
            Some(NamedGroup::X25519) => "X25519",
            Some(NamedGroup::secp256r1) => "P-256",
            Some(NamedGroup::secp384r1) => "P-384",
            Some(NamedGroup::secp521r1) => "P-521",
            Some(NamedGroup::X25519MLKEM768) => "X25519MLKEM768",
            _ => "",
        },
        server_name,
        own,
        peer: peer.iter().map(|certificate| Certificate::new(certificate.clone().into_owned())).collect(),
    }
}

/// OpenSSL's name of a suite.
fn cipher(suite: Option<&'static str>) -> &'static str {
    match suite.unwrap_or_default() {
        "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
        "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
        "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" => "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" => "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" => "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" => "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" => "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" => "ECDHE-RSA-CHACHA20-POLY1305",
        other => other,
    }
}

//! What logs may tell of the connections of a request: the client's, and the one to the endpoint. Each is noted once, when
//! it is made; its requests share the note.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::certificate::Certificate;

/// A connection. Ours: requests by the thousand share one of these.
#[derive(Debug)]
pub struct ConnectionRecord {
    /// Its number among those of the proxy (`CONNECTION_ID`, `UPSTREAM_CONNECTION_ID`).
    pub id: u64,
    /// When it was begun: accepted from a client, or dialled.
    pub begun: Instant,
    /// When one that was dialled was there, before any TLS; `None`: it was accepted.
    pub connected: Option<Instant>,
    /// When its TLS handshake was done; `None`: it has no TLS.
    pub handshaken: Option<Instant>,
    /// Who is at the other end, whatever a PROXY protocol header says; `None`: nobody knows.
    pub direct_peer: Option<SocketAddr>,
    /// The filter chain that a client's connection was taken by; `None`: it has no name.
    pub filter_chain: Option<Arc<str>>,
    /// Its TLS; `None`: it has none that ends here.
    pub tls: Option<TlsRecord>,
}

/// TLS of a connection, in OpenSSL's words.
/// Spec: Envoy, access log command operators (`DOWNSTREAM_TLS_..`, `UPSTREAM_TLS_..`).
#[derive(Debug, Default)]
pub struct TlsRecord {
    /// `TLSv1.3`, ..
    pub version: &'static str,
    /// `ECDHE-RSA-AES128-GCM-SHA256`, ..
    pub cipher: &'static str,
    /// `X25519`, ..; empty: nobody knows.
    pub group: &'static str,
    /// The name that was asked for; `None`: none.
    pub server_name: Option<Arc<str>>,
    /// What the proxy has shown; `None`: nothing.
    pub own: Option<Arc<Certificate>>,
    /// What the other side has shown, its own certificate first; empty: nothing.
    pub peer: Vec<Certificate>,
}

/// When a request came past its places; `None`: it has not.
/// Spec: Envoy, access log command operators (`COMMON_DURATION`).
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// Its head was there.
    pub begun: Option<Instant>,
    /// All of it was there.
    pub received: Option<Instant>,
    /// A connection to an endpoint was wanted.
    pub wanted: Option<Instant>,
    /// It was begun to be sent on.
    pub sending: Option<Instant>,
    /// All of it was sent on.
    pub sent: Option<Instant>,
    /// The head of the endpoint's answer was there.
    pub answered: Option<Instant>,
    /// The first of the answer's body was there.
    pub answer_body: Option<Instant>,
    /// All of the endpoint's answer was there.
    pub answer_read: Option<Instant>,
    /// The answer was begun to be given.
    pub answering: Option<Instant>,
    /// All of the answer was given, or the connection was over.
    pub ended: Option<Instant>,
}

/// From one time to a later one; `None`: one of them has not come, or they stand the other way round.
pub(crate) fn between(from: Option<Instant>, until: Option<Instant>) -> Option<Duration> {
    until?.checked_duration_since(from?)
}

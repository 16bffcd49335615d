//! One finished request or connection: all that logs and metrics may tell of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method};
use mesh_compile::proxy::cluster::ClusterService;
use mesh_compile::proxy::listener::Direction;
use mesh_compile::workload_names::WorkloadNames;

use super::connections::{ConnectionRecord, Times};
use super::peer::Peer;
use super::trace::context::TraceContext;

/// A finished request, or a finished connection of bytes.
/// Ours: logs and metrics tell of one thing, so they cannot differ.
#[derive(Debug, Clone)]
pub struct Record {
    /// When it began.
    pub start: SystemTime,
    /// How long it took, to the last byte.
    pub duration: Duration,
    /// Where it was met.
    pub direction: Direction,
    /// The address that the client dialled.
    pub destination: SocketAddr,
    /// The peer.
    pub peer: SocketAddr,
    /// SNI of the client; `None`: none.
    pub server_name: Option<String>,
    /// URI SAN of the client's verified certificate; `None`: none.
    pub peer_principal: Option<String>,
    /// Whether the client showed a certificate that was verified.
    pub client_certificate: bool,
    /// URI SAN of the certificate that the client was shown; `None`: none.
    pub own_principal: Option<Arc<str>>,
    /// The client's workload, as it says of itself; `None`: it says nothing.
    pub downstream_peer: Option<Arc<Peer>>,
    /// The client's connection; `None`: nobody knows.
    pub connection: Option<Arc<ConnectionRecord>>,
    /// When it came past its places.
    pub times: Times,
    /// The trace that it belongs to, and its own span there; `None`: traces are not told on here.
    pub trace: Option<TraceContext>,
    /// What it asked; `None`: bytes.
    pub request: Option<RequestRecord>,
    /// Status of the answer; 0: none was given.
    pub status: u16,
    /// Headers of the answer.
    pub response_headers: HeaderMap,
    /// Trailers of the answer.
    pub response_trailers: HeaderMap,
    /// Response flags, as in `UF,URX`; empty: none.
    pub flags: String,
    /// Why the status is what it is.
    pub details: String,
    /// Why the proxy ended the connection; empty: it did not.
    pub termination: String,
    /// Why the connection to the upstream failed; empty: it did not.
    pub upstream_failure: String,
    /// Bytes of the body that the client sent.
    pub bytes_received: u64,
    /// Bytes of the body that the client was sent.
    pub bytes_sent: u64,
    /// Messages of gRPC that the client sent; 0 for all else.
    pub messages_received: u64,
    /// Messages of gRPC that the client was sent; 0 for all else.
    pub messages_sent: u64,
    /// The cluster; `None`: none was chosen.
    pub cluster: Option<Arc<str>>,
    /// The service that the cluster stands for, where its name does not say it.
    pub service: Option<Arc<ClusterService>>,
    /// The endpoint; `None`: none was picked.
    pub endpoint: Option<Arc<str>>,
    /// What the connection to it comes from; `None`: there was none, or nobody knows.
    pub upstream_local: Option<SocketAddr>,
    /// The connection to it; `None`: there was none.
    pub upstream: Option<Arc<ConnectionRecord>>,
    /// What is spoken there, as in `HTTP/2`; empty: bytes, or there was no connection.
    pub upstream_protocol: &'static str,
    /// Endpoints of earlier tries that there were connections to, with the number of each.
    pub tried: Vec<(Arc<str>, u64)>,
    /// Who stands at the ends of it; `None`: it has no TLS.
    pub upstream_principals: Option<Arc<Principals>>,
    /// The endpoint's workload, as it says of itself; `None`: it says nothing.
    pub upstream_peer: Option<Arc<Peer>>,
    /// The endpoint's workload, as the configuration knows it; `None`: it does not.
    pub upstream_workload: Option<Arc<WorkloadNames>>,
    /// The route; `None`: none matched.
    pub route: Option<Arc<str>>,
    /// Tries that were made.
    pub attempts: u32,
    /// The generation of the configuration that decided.
    pub generation: u64,
}

/// The two ends of a TLS connection to an upstream, by the first URI SAN of their certificates (S-361).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Principals {
    /// The proxy's; `None`: it showed none.
    pub own: Option<Arc<str>>,
    /// The upstream's; `None`: it has none.
    pub peer: Option<Arc<str>>,
}

/// What a request asked. Ours: what is kept of a request after it is gone.
#[derive(Debug, Clone, Default)]
pub struct RequestRecord {
    /// `HTTP/1.1`, ...
    pub protocol: &'static str,
    /// The method.
    pub method: Method,
    /// The path with query, as it was sent on.
    pub path: String,
    /// The authority.
    pub authority: String,
    /// `http` or `https`.
    pub scheme: String,
    /// The headers as they were sent on.
    pub headers: HeaderMap,
}

impl Record {
    /// A record of what has just begun.
    pub fn begin(direction: Direction, peer: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            start: SystemTime::now(),
            duration: Duration::ZERO,
            direction,
            destination,
            peer,
            server_name: None,
            peer_principal: None,
            client_certificate: false,
            own_principal: None,
            downstream_peer: None,
            connection: None,
            times: Times::default(),
            trace: None,
            request: None,
            status: 0,
            response_headers: HeaderMap::new(),
            response_trailers: HeaderMap::new(),
            flags: String::new(),
            details: String::new(),
            termination: String::new(),
            upstream_failure: String::new(),
            bytes_received: 0,
            bytes_sent: 0,
            messages_received: 0,
            messages_sent: 0,
            cluster: None,
            service: None,
            endpoint: None,
            upstream_local: None,
            upstream: None,
            upstream_protocol: "",
            tried: Vec::new(),
            upstream_principals: None,
            upstream_peer: None,
            upstream_workload: None,
            route: None,
            attempts: 0,
            generation: 0,
        }
    }
}

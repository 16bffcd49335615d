//! Where a connection is met, and where it was going.

use std::net::SocketAddr;

use mesh_compile::proxy::listener::Direction;
use mesh_model::facts::ConnectionFacts;

/// A connection as the edge hands it over, before any byte of it was read (S-136, T-189).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Where it is met.
    pub direction: Direction,
    /// The physical peer.
    pub peer: SocketAddr,
    /// The address that the client dialled, before capture.
    pub destination: SocketAddr,
}

impl Arrival {
    /// What rules may know of it; TLS is not known yet.
    pub(crate) fn facts(&self) -> ConnectionFacts<'static> {
        ConnectionFacts {
            src_ip: self.peer.ip().to_canonical(),
            dst_ip: self.destination.ip().to_canonical(),
            dst_port: self.destination.port(),
            tls: None,
            proxied_ip: None,
        }
    }
}

//! What is asked: one connection, perhaps with a request, at one moment.

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::Direction;
use mesh_model::facts::{ConnectionFacts, RequestFacts};

use crate::canonical::Terminated;
use crate::transport::Accepted;

/// What is asked. Ours: all that a decision depends on beside the configuration, time among it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a> {
    /// Where the connection is met.
    pub direction: Direction,
    /// The connection.
    pub connection: ConnectionFacts<'a>,
    /// The request on it; `None`: raw bytes.
    pub request: Option<RequestFacts<'a>>,
    /// Seconds since 1970, for tokens.
    pub now: i64,
}

/// A query whose connection was accepted by a chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connected<'q> {
    pub(crate) config: &'q ProxyConfig,
    pub(crate) connection: &'q ConnectionFacts<'q>,
    pub(crate) request: Option<&'q RequestFacts<'q>>,
    pub(crate) now: i64,
    /// Lower case; `None`: none.
    pub(crate) server_name: Option<&'q str>,
    pub(crate) accepted: Accepted<'q>,
    pub(crate) terminated: Terminated<'q>,
}

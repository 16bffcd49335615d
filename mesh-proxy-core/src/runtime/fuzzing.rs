//! Doors to the readers of bytes from outside that are nobody else's business, for the targets in `fuzz/`: they are there
//! with `--cfg fuzzing` alone. Ours: what nobody but a fuzz target asks for is no part of the crate.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use mesh_model::config_set::ConfigSet;
use mesh_model::document::Document;

use super::http1_guard::{Rules, oracle, pieces};
use super::{direct, proxy_protocol, state};
use crate::telemetry::peer::Peer;

/// The state of a process as text.
pub fn state_text(config: &ConfigSet) -> String {
    state::text_of(config)
}

/// Lines under the first line that a state has.
pub fn sealed_state(lines: &str) -> String {
    state::sealed(lines)
}

/// The documents of a state.
pub fn state_documents(text: &str) -> Option<Vec<Arc<Document>>> {
    state::documents_of(text)
}

/// The client that a PROXY protocol header names, and how many bytes it has; `None`: it is none, or not all of one.
pub fn proxy_header(bytes: &[u8]) -> Option<(Option<SocketAddr>, usize)> {
    let mut rest = bytes;
    let read = {
        let reading = pin!(proxy_protocol::read(&mut rest));
        match reading.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => read.ok()?,
            Poll::Pending => return None,
        }
    };
    Some((read, bytes.len() - rest.len()))
}

/// The header that is written for a client.
pub fn written_proxy_header(version: &str, client: SocketAddr, dialled: SocketAddr) -> Bytes {
    proxy_protocol::header(version, client, dialled)
}

/// Lengths of the HTTP/1 messages of a connection that comes in pieces, and the status of what is refused.
pub fn http1_messages(bytes: &[u8], cuts: &[usize]) -> (Vec<usize>, Option<u16>) {
    pieces::read(bytes, cuts, RULES)
}

/// The same by the slow and plain reader.
pub fn http1_messages_slowly(bytes: &[u8]) -> (Vec<usize>, Option<u16>) {
    oracle::read(bytes, RULES)
}

/// The workload that a header tells of.
pub fn peer_in_header(value: &[u8]) -> Option<Peer> {
    Peer::from_header(value).ok()
}

/// The header that tells of a workload.
pub fn peer_header(peer: &Peer) -> String {
    peer.to_header()
}

/// The workload that a message before the bytes of a connection tells of.
pub fn peer_in_message(bytes: &[u8]) -> Option<Peer> {
    Peer::from_message(bytes).ok().flatten()
}

/// The message that tells of a workload.
pub fn peer_message(peer: &Peer) -> Vec<u8> {
    peer.to_message("id")
}

/// Small, so that the bounds are reached.
const RULES: Rules = Rules { lines_max: 4, bytes_max: 200, upper_case_methods: true };

/// Status and number of header lines of an upstream's answer; `None`: it is none.
pub fn answer_head(bytes: &Bytes) -> Option<(u16, usize)> {
    direct::answer_head(bytes)
}

//! Headers that a proxy itself puts on requests, takes off them, or makes values for.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use mesh_compile::proxy::listener::Direction;

use super::connection::Connection;
use super::hop_by_hop;
use crate::telemetry::format::Format;
use crate::telemetry::record::Record;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CLIENT_CERTIFICATE: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
/// How many tries there were, this one included (T-473).
pub(crate) const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
/// The path before a rewrite (T-175).
pub(crate) const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");

/// Takes off what goes no further, and what a client must not be believed; puts on what the next hop counts on.
pub(crate) fn prepare(headers: &mut HeaderMap, connection: &Connection, is_edge: bool) {
    hop_by_hop::remove(headers);
    if is_edge {
        let internal: Vec<HeaderName> =
            headers.keys().filter(|name| name.as_str().starts_with("x-envoy-")).cloned().collect();
        for name in internal {
            headers.remove(name);
        }
    }
    client_certificate(headers, connection);
    identify(headers, connection, is_edge);
}

/// Gives a request an id: one of its own where it has none, or came from outside.
pub(crate) fn identify(headers: &mut HeaderMap, connection: &Connection, is_edge: bool) {
    if is_edge || !headers.contains_key(REQUEST_ID) {
        headers.insert(REQUEST_ID, request_id(connection));
    }
}

/// Who the client is by its certificate. Only mesh mTLS between workloads adds to what was said before; elsewhere what
/// a client says of itself goes no further.
fn client_certificate(headers: &mut HeaderMap, connection: &Connection) {
    let before = headers.remove(CLIENT_CERTIFICATE);
    let Some(peer) = connection.peer().filter(|_| connection.arrival.direction != Direction::Outbound) else {
        return;
    };
    let own = format!("URI={peer}");
    let all = match before.as_ref().and_then(|before| before.to_str().ok()) {
        Some(before) if connection.arrival.direction == Direction::Inbound => format!("{before},{own}"),
        _ => own,
    };
    if let Ok(value) = HeaderValue::try_from(all) {
        headers.insert(CLIENT_CERTIFICATE, value);
    }
}

/// A random UUID (RFC 9562, version 4).
fn request_id(connection: &Connection) -> HeaderValue {
    let dice = &connection.proxy.dice;
    let (high, low) = (dice.roll(), dice.roll());
    let text = format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0x0fff,
        ((low >> 48) & 0x3fff) | 0x8000,
        low & 0xffff_ffff_ffff,
    );
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The value of a header operation: `%%` is a percent sign; operators ask the record.
pub(crate) fn value(written: &str, record: &Record) -> String {
    Format::parse(written).text(record, "")
}

//! Headers that a proxy itself puts on requests, takes off them, or makes values for.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use mesh_compile::proxy::listener::Direction;

use super::connection::Connection;
use super::hop_by_hop;
use crate::telemetry::format::Format;
use crate::telemetry::record::Record;

/// What a request is called, from hop to hop.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
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
    HeaderValue::from_bytes(&uuid(high, low)).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Random bits as the text of a UUID, without the machinery of formatting: every request at an edge has one.
fn uuid(high: u64, low: u64) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(3 << 62)) | (2 << 62);
    let mut bits = (u128::from(high) << 64) | u128::from(low);
    let mut text = [b'-'; 36];
    for (at, place) in text.iter_mut().enumerate() {
        if !matches!(at, 8 | 13 | 18 | 23) {
            bits = bits.rotate_left(4);
            *place = DIGITS.get((bits & 0xf) as usize).copied().unwrap_or(b'0');
        }
    }
    text
}

/// The value of a header operation: `%%` is a percent sign; operators ask the record.
pub(crate) fn value(written: &str, record: &Record) -> String {
    Format::parse(written).text(record, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bits_make_a_uuid_of_version_4() {
        let text = |high, low| String::from_utf8(uuid(high, low).to_vec()).unwrap();
        assert_eq!(text(0, 0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(text(u64::MAX, u64::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            text(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210),
            "01234567-89ab-4def-bedc-ba9876543210"
        );
    }
}

//! Direct responses (T-173).

use std::sync::Arc;

use mesh_model::networking::virtual_service::spec::HttpDirectResponse;

use crate::route_table::action::DirectResponse;

/// The response that was written; bytes are decoded.
pub(super) fn action(written: &HttpDirectResponse) -> DirectResponse {
    let HttpDirectResponse { status, body } = written;
    let body = body.as_ref().and_then(|body| match (&body.string, &body.bytes) {
        (Some(text), _) => Some(Arc::from(text.as_str())),
        (None, Some(bytes)) => Some(String::from_utf8_lossy(&decode_base64(bytes)).into()),
        (None, None) => None,
    });
    DirectResponse { status: u16::try_from(*status).unwrap_or(500), body }
}

/// A status without a body.
pub(crate) fn empty(status: u16) -> DirectResponse {
    DirectResponse { status, body: None }
}

/// Standard or URL-safe base64, padding optional, as protobuf's JSON form allows; other characters are skipped.
fn decode_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for character in text.bytes() {
        let six = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        buffer = (buffer << 6) | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.extend(u8::try_from((buffer >> bits) & 0xff));
            buffer &= (1 << bits) - 1;
        }
    }
    bytes
}

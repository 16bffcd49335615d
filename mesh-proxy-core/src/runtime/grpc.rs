//! What calls of one gRPC message share, whoever is asked.

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue, TE};
use prost::Message;

use super::inquiry::Whole;

/// Says in the headers of a request that it is a call.
pub(crate) fn mark(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
}

/// One message of a stream, not compressed.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(length + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // A growing buffer takes everything.
    let _ = message.encode(&mut framed);
    framed.freeze()
}

/// Whether a call succeeded: its status stands in the trailers, or in the headers where nothing else came.
///
/// # Errors
/// The status that it ended with, or that there is none.
pub(crate) fn succeeded(whole: &Whole) -> Result<(), String> {
    let status = whole.trailers.get("grpc-status").or_else(|| whole.headers.get("grpc-status"));
    match status.map(HeaderValue::as_bytes) {
        Some(b"0") => Ok(()),
        Some(code) => Err(format!("gRPC status {}", String::from_utf8_lossy(code))),
        None => Err("no gRPC status".to_owned()),
    }
}

//! Pseudo-fields in trailers, which make a request malformed (RFC 9113, 8.1): the codec takes them out in silence, but resets
//! the stream where a pseudo-field comes twice. So every trailer section is handed to it behind one of each (H05).
//!
//! What a section says is not read here, and need not be: names may stand for entries of the codec's own table. Sections of
//! requests are rare, and the frames of one become a HEADERS frame of ours and CONTINUATION frames with what was written.

use super::{HEAD, HEAD_MAX};

/// `:authority`, `:method`, `:scheme`, `:path`, `:status` by the fixed table of HPACK, and `:protocol` as a literal that no
/// table keeps.
pub(super) const PREFIX: [u8; 17] =
    [0x81, 0x82, 0x86, 0x84, 0x88, 0x00, 9, b':', b'p', b'r', b'o', b't', b'o', b'c', b'o', b'l', 0];

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// What is handed on in the place of the head of a frame with trailers.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) bytes: Vec<u8>,
    /// What comes of its payload, and what is left out after that.
    pub(super) left: usize,
    pub(super) padding: usize,
}

/// The length of a frame's payload.
pub(super) fn length(head: &[u8; HEAD_MAX]) -> usize {
    let [high, middle, low, ..] = *head;
    usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)
}

/// The stream of a frame.
pub(super) fn stream(head: &[u8; HEAD_MAX]) -> u32 {
    let [_, _, _, _, _, first, second, third, fourth, ..] = *head;
    u32::from_be_bytes([first & 0x7f, second, third, fourth])
}

/// How many bytes of a frame's payload must be known before its head can be rewritten.
pub(super) fn more_of_head(head: &[u8; HEAD_MAX], open: &[u32]) -> usize {
    let flags = head[4];
    if !is_of_trailers(head, open) {
        return 0;
    }
    let more = usize::from(flags & PADDED != 0) + if flags & PRIORITY != 0 { 5 } else { 0 };
    // The codec refuses frames that are too short for what they say they have.
    if length(head) < more { 0 } else { more }
}

/// The head, of which `filled` bytes are known, as it is handed on where it is that of trailers.
pub(super) fn rewrite(head: &[u8; HEAD_MAX], filled: usize, open: &[u32]) -> Option<Rewritten> {
    let [_, _, _, _, flags, id @ .., _, _, _, _, _, _] = *head;
    let more = filled.checked_sub(HEAD)?;
    let is_padded = flags & PADDED != 0;
    if !is_of_trailers(head, open) || (more == 0 && flags & (PADDED | PRIORITY) != 0) {
        return None;
    }
    let padding = if is_padded { usize::from(head[HEAD]) } else { 0 };
    let left = length(head).checked_sub(more + padding)?;
    let [_, high, middle, low] = u32::try_from(left).ok()?.to_be_bytes();
    let ours = [0, 0, PREFIX.len() as u8, HEADERS, flags & END_STREAM];
    let theirs = [high, middle, low, CONTINUATION, flags & END_HEADERS];
    let bytes = [&ours[..], &id, &PREFIX, &theirs, &id].concat();
    Some(Rewritten { bytes, left, padding })
}

/// Whether it begins a second section of fields of a stream whose client has more to send. What comes after the end is the
/// codec's to refuse, in words of its own.
fn is_of_trailers(head: &[u8; HEAD_MAX], open: &[u32]) -> bool {
    head[3] == HEADERS && open.binary_search(&stream(head)).is_ok()
}

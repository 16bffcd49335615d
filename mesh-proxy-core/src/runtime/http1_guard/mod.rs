//! A strict reader of HTTP/1 in front of the codec: a head that two parsers could read differently never reaches it.
//!
//! The codec is right for itself; smuggling lives in the difference between it and the parser behind. So the bytes of a
//! client are read twice: here first, by the narrowest grammar (RFC 9112 without its leniencies), then by the codec,
//! which gets one message at a time and only once its whole head is known to be good. What is refused is answered in its
//! turn (400, 408, 431 or 501) and the connection closed.
//!
//! `head` knows lines, `chunks` a chunked body, `message` puts them together without I/O, `stream` feeds it from a
//! connection, `lent` takes it back from a codec that has nothing to do. Bytes after a request to change protocols are held
//! back until it is granted; what follows a refusal of it is never read. While a request is answered nothing more is passed
//! on but the client's end.

mod chunks;
mod gate;
mod head;
mod lent;
mod message;
mod stream;
mod written;

pub(crate) use gate::{Gate, Serving};
pub(crate) use head::Refusal;
pub(crate) use lent::Lent;
pub(crate) use stream::{ClientPatience, Guarded};
pub(crate) use written::Written;

#[cfg(any(test, fuzzing))]
pub(crate) mod oracle;
#[cfg(any(test, fuzzing))]
pub(crate) mod pieces;
#[cfg(test)]
mod tests;

/// What a reader goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Header lines of a head, and lines of trailers.
    pub(crate) lines_max: usize,
    /// Bytes of a head, and of trailers.
    pub(crate) bytes_max: usize,
    /// Whether methods with lower-case letters are refused (E-089).
    pub(crate) upper_case_methods: bool,
}

//! A chunked body, byte by byte where it is framing and in strides where it is data.

use super::Rules;
use super::head::{Refusal, bad, is_value_byte, too_large};
use crate::http_syntax::is_token_byte;

/// Bytes of all extensions of a body.
const EXTENSIONS_MAX: usize = 16 * 1024;

/// Where in a chunked body the next byte is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunks {
    place: Place,
    extensions: usize,
    trailer_lines: usize,
    trailer_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size {
        digits: u8,
        size: u64,
    },
    Extension {
        size: u64,
    },
    /// After the CR of a size.
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    /// After the data: CR, then LF.
    DataEnd,
    DataEndLf,
    /// At the beginning of a line of trailers.
    Line,
    Name,
    Value,
    /// After the CR of a trailer.
    LineEnd,
    /// After the CR of the last, empty line.
    LastEnd,
    Ended,
}

const SIZE: Place = Place::Size { digits: 0, size: 0 };

impl Chunks {
    pub(super) const fn new() -> Self {
        Self { place: SIZE, extensions: 0, trailer_lines: 0, trailer_bytes: 0 }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.place == Place::Ended
    }

    /// How many of the bytes belong to the body: fewer than there are only where it has ended.
    pub(super) fn take(&mut self, bytes: &[u8], rules: Rules) -> Result<usize, Refusal> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Place::Data { left } = self.place {
                let there = bytes.len() - at;
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(there);
                at += taken;
                let left = left - taken as u64;
                self.place = if left == 0 { Place::DataEnd } else { Place::Data { left } };
                continue;
            }
            if self.is_ended() {
                break;
            }
            self.place = self.framing(*byte, rules)?;
            at += 1;
        }
        Ok(at)
    }

    fn framing(&mut self, byte: u8, rules: Rules) -> Result<Place, Refusal> {
        match (self.place, byte) {
            (Place::Size { digits: 16, .. }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                Err(bad("http1.chunk_size_too_long"))
            }
            (Place::Size { digits, size }, _) => match (hexadecimal(byte), digits) {
                (Some(digit), _) => Ok(Place::Size { digits: digits + 1, size: size << 4 | digit }),
                (None, 1..) if byte == b';' => Ok(Place::Extension { size }),
                (None, 1..) if byte == b'\r' => Ok(Place::SizeEnd { size }),
                _ => Err(bad("http1.chunk_size")),
            },
            (Place::Extension { size }, b'\r') => Ok(Place::SizeEnd { size }),
            (Place::Extension { .. }, _) => {
                self.extensions += 1;
                let is_good = is_value_byte(byte) && self.extensions <= EXTENSIONS_MAX;
                if is_good { Ok(self.place) } else { Err(bad("http1.chunk_extension")) }
            }
            (Place::SizeEnd { size: 0 }, b'\n') => Ok(Place::Line),
            (Place::SizeEnd { size }, b'\n') if size <= i64::MAX as u64 => Ok(Place::Data { left: size }),
            (Place::SizeEnd { .. }, _) => Err(bad("http1.chunk_size")),
            (Place::DataEnd, b'\r') => Ok(Place::DataEndLf),
            (Place::DataEndLf, b'\n') => Ok(SIZE),
            (Place::DataEnd | Place::DataEndLf, _) => Err(bad("http1.chunk_end")),
            (Place::Line, b'\r') => Ok(Place::LastEnd),
            (Place::LastEnd, b'\n') => Ok(Place::Ended),
            (Place::Line | Place::Name | Place::Value | Place::LineEnd, _) => self.trailer(byte, rules),
            (Place::LastEnd | Place::Data { .. } | Place::Ended, _) => Err(bad("http1.trailer")),
        }
    }

    fn trailer(&mut self, byte: u8, rules: Rules) -> Result<Place, Refusal> {
        self.trailer_bytes += 1;
        if self.place == Place::Line {
            self.trailer_lines += 1;
        }
        if self.trailer_bytes > rules.bytes_max || self.trailer_lines > rules.lines_max {
            return Err(too_large("http1.too_many_trailers"));
        }
        match (self.place, byte) {
            (Place::Line | Place::Name, _) if is_token_byte(byte) => Ok(Place::Name),
            (Place::Name, b':') => Ok(Place::Value),
            (Place::Value, b'\r') => Ok(Place::LineEnd),
            (Place::Value, _) if is_value_byte(byte) => Ok(Place::Value),
            (Place::LineEnd, b'\n') => Ok(Place::Line),
            _ => Err(bad("http1.trailer")),
        }
    }
}

fn hexadecimal(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

//! A chunked body, taken apart as it arrives.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::head::Problem;

/// Bytes of trailers, and of the extensions of a chunk.
const EXTRA_MAX: usize = 16 * 1024;
/// Lines of trailers.
const TRAILERS_MAX: usize = 100;

/// Where in a chunked body the next byte is.
#[derive(Debug)]
pub(super) struct Chunks {
    place: Place,
    /// Bytes of extensions of this chunk, or of trailers.
    extra: usize,
    line: Vec<u8>,
    trailers: HeaderMap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size { digits: u8, size: u64 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataEnd,
    DataEndLf,
    Trailer,
    Ended,
}

const SIZE: Place = Place::Size { digits: 0, size: 0 };

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Data(Bytes),
    /// More bytes are needed.
    More,
    /// The end, with trailers where there are any.
    End(Option<HeaderMap>),
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self { place: SIZE, extra: 0, line: Vec::new(), trailers: HeaderMap::new() }
    }

    /// Takes the next piece from what has come.
    ///
    /// # Errors
    /// It is no chunked body.
    pub(super) fn next(&mut self, bytes: &mut BytesMut) -> Result<Piece, Problem> {
        loop {
            if let Place::Data { left } = self.place {
                if bytes.is_empty() {
                    return Ok(Piece::More);
                }
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left - taken as u64;
                self.place = if left == 0 { Place::DataEnd } else { Place::Data { left } };
                return Ok(Piece::Data(bytes.split_to(taken).freeze()));
            }
            if self.place == Place::Ended {
                let trailers = std::mem::take(&mut self.trailers);
                return Ok(Piece::End(Some(trailers).filter(|trailers| !trailers.is_empty())));
            }
            let Some(byte) = bytes.first().copied() else { return Ok(Piece::More) };
            bytes.advance(1);
            self.place = self.framing(byte)?;
        }
    }

    fn framing(&mut self, byte: u8) -> Result<Place, Problem> {
        Ok(match (self.place, byte) {
            (Place::Size { digits, size }, _) => match char::from(byte).to_digit(16) {
                Some(_) if digits == 16 => return Err("a chunk's size is too long"),
                Some(digit) => Place::Size { digits: digits + 1, size: size << 4 | u64::from(digit) },
                None if digits == 0 => return Err("a chunk has no size"),
                None => match byte {
                    b';' | b' ' | b'\t' => Place::Extension { size },
                    b'\r' => Place::SizeEnd { size },
                    _ => return Err("a chunk's size is no number"),
                },
            },
            (Place::Extension { size }, b'\r') => Place::SizeEnd { size },
            (Place::Extension { .. }, b'\n') => return Err("a line feed in a chunk's extension"),
            (Place::Extension { .. }, _) => {
                self.more_extra()?;
                self.place
            }
            (Place::SizeEnd { size: 0 }, b'\n') => {
                self.extra = 0;
                Place::Trailer
            }
            (Place::SizeEnd { size }, b'\n') => {
                self.extra = 0;
                Place::Data { left: size }
            }
            (Place::SizeEnd { .. }, _) => return Err("a chunk's size has no end"),
            (Place::DataEnd, b'\r') => Place::DataEndLf,
            (Place::DataEndLf, b'\n') => SIZE,
            (Place::DataEnd | Place::DataEndLf, _) => return Err("a chunk has no end"),
            (Place::Trailer, b'\n') => self.trailer()?,
            (Place::Trailer, _) => {
                self.more_extra()?;
                self.line.push(byte);
                Place::Trailer
            }
            (Place::Data { .. } | Place::Ended, _) => self.place,
        })
    }

    fn more_extra(&mut self) -> Result<(), Problem> {
        self.extra += 1;
        if self.extra > EXTRA_MAX { Err("too much beside the chunks") } else { Ok(()) }
    }

    /// A line of trailers; the empty one is the end.
    fn trailer(&mut self) -> Result<Place, Problem> {
        const BAD: Problem = "a trailer is none";
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").ok_or(BAD)?;
        if line.is_empty() {
            return Ok(Place::Ended);
        }
        if self.trailers.len() >= TRAILERS_MAX {
            return Err("too many trailers");
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or(BAD)?;
        let (name, value) = line.split_at_checked(colon).ok_or(BAD)?;
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = HeaderName::from_bytes(name).map_err(|_| BAD)?;
        self.trailers.append(name, HeaderValue::from_bytes(value).map_err(|_| BAD)?);
        Ok(Place::Trailer)
    }
}

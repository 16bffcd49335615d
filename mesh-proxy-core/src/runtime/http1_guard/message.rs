//! The messages of a connection, one after the other, without I/O.

use super::Rules;
use super::chunks::Chunks;
use super::head::{Body, Framing, Head, Refusal, bad, too_large};
use crate::http_syntax::find;

/// Reads messages. Its verdict depends on the bytes alone, not on how they are cut.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    rules: Rules,
    place: Place,
    asks_tunnel: bool,
}

/// Where in a message the next byte is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In the head: so many of its bytes are known to be good lines, `seen` have been looked at for a line end.
    Head {
        lines_end: usize,
        seen: usize,
        head: Head,
    },
    Length(u64),
    Chunks(Chunks),
    /// After a message that asked for another protocol.
    Tunnel,
}

impl Reader {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, place: NEW_HEAD, asks_tunnel: false }
    }

    /// Whether the next bytes are those of a head.
    pub(super) fn is_at_head(&self) -> bool {
        matches!(self.place, Place::Head { .. })
    }

    /// Whether the last message asked for another protocol, and all of it has come.
    pub(super) fn is_at_tunnel(&self) -> bool {
        self.place == Place::Tunnel
    }

    /// Looks at a head from its first byte, as far as it has come; its length once it is complete.
    pub(super) fn head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        let rules = self.rules;
        let Place::Head { lines_end, seen, head } = &mut self.place else { return Ok(None) };
        while let Some(found) = bytes.get(*seen..).and_then(|rest| find(rest, b'\n')) {
            let line_feed = *seen + found;
            if line_feed >= rules.bytes_max {
                return Err(too_large("http1.head_too_large"));
            }
            let line = bytes.get(*lines_end..line_feed).unwrap_or_default();
            let line = line.strip_suffix(b"\r").ok_or(bad("http1.bare_line_feed"))?;
            (*lines_end, *seen) = (line_feed + 1, line_feed + 1);
            if let Some(framing) = head.line(line, rules)? {
                let length = *lines_end;
                self.begin(framing);
                return Ok(Some(length));
            }
        }
        *seen = bytes.len();
        if bytes.len() >= rules.bytes_max { Err(too_large("http1.head_too_large")) } else { Ok(None) }
    }

    /// How many of the bytes belong to the body: fewer than there are only where it has ended.
    pub(super) fn body(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let taken = match &mut self.place {
            Place::Head { .. } | Place::Tunnel => return Ok(0),
            Place::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                taken
            }
            Place::Chunks(chunks) => chunks.take(bytes, self.rules)?,
        };
        self.end_if_over();
        Ok(taken)
    }

    fn begin(&mut self, framing: Framing) {
        self.asks_tunnel = framing.asks_tunnel;
        self.place = match framing.body {
            Body::Length(length) => Place::Length(length),
            Body::Chunked => Place::Chunks(Chunks::new()),
        };
        self.end_if_over();
    }

    fn end_if_over(&mut self) {
        let is_over = match &self.place {
            Place::Length(left) => *left == 0,
            Place::Chunks(chunks) => chunks.is_ended(),
            Place::Head { .. } | Place::Tunnel => false,
        };
        if is_over {
            self.place = if self.asks_tunnel { Place::Tunnel } else { NEW_HEAD };
        }
    }
}

const NEW_HEAD: Place = Place::Head { lines_end: 0, seen: 0, head: Head::NEW };

//! A bound on HTTP/2 frames that cost work and carry nothing: SETTINGS, PING, PRIORITY, empty DATA and unknown kinds.
//!
//! The codec bounds resets, continuations and headers itself; these it takes as fast as they come. A client that sends
//! more of them in a second than any honest one would is cut off. Frame heads are read in passing; nothing is copied.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, ReadBuf};

use super::wrap::writes_to_inner;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frames of the named kinds within one [`WINDOW`].
const BUDGET: u32 = 10_000;
const WINDOW: Duration = Duration::from_secs(1);

/// A stream whose HTTP/2 frames are counted as they are read.
#[derive(Debug)]
pub(crate) struct Budgeted<T> {
    inner: T,
    place: Place,
    spent: u32,
    since: Option<Instant>,
}

/// Where in the stream the next byte is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// So many bytes of the preface have come.
    Preface(usize),
    /// Before so much of a frame head: its length, kind and flags, as far as they have come.
    Head { filled: usize, head: [u8; 9] },
    /// So many bytes of a payload are left.
    Payload(usize),
    /// Another protocol.
    Other,
}

const NEW_HEAD: Place = Place::Head { filled: 0, head: [0; 9] };

impl<T> Budgeted<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, place: Place::Preface(0), spent: 0, since: None }
    }

    /// Takes note of bytes that were read.
    fn pass(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some((byte, rest)) = bytes.split_first() {
            match &mut self.place {
                Place::Other => return Ok(()),
                Place::Preface(come) if PREFACE.get(*come) != Some(byte) => self.place = Place::Other,
                Place::Preface(come) => {
                    *come += 1;
                    if *come == PREFACE.len() {
                        self.place = NEW_HEAD;
                    }
                    bytes = rest;
                }
                Place::Head { filled, head } => {
                    if let Some(slot) = head.get_mut(*filled) {
                        *slot = *byte;
                    }
                    *filled += 1;
                    bytes = rest;
                    if *filled == head.len() {
                        let [high, middle, low, kind, flags, ..] = *head;
                        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                        self.place = if length == 0 { NEW_HEAD } else { Place::Payload(length) };
                        self.count(kind, flags, length)?;
                    }
                }
                Place::Payload(left) => {
                    let taken = (*left).min(bytes.len());
                    *left -= taken;
                    if *left == 0 {
                        self.place = NEW_HEAD;
                    }
                    bytes = bytes.get(taken..).unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, kind: u8, flags: u8, length: usize) -> io::Result<()> {
        const END_STREAM: u8 = 1;
        let is_idle_work = match kind {
            // DATA
            0 => length == 0 && flags & END_STREAM == 0,
            // HEADERS, RST_STREAM, PUSH_PROMISE, GOAWAY, WINDOW_UPDATE, CONTINUATION
            1 | 3 | 5 | 7 | 8 | 9 => false,
            // PRIORITY, SETTINGS, PING, and what nobody knows
            _ => true,
        };
        if !is_idle_work {
            return Ok(());
        }
        self.spent += 1;
        if self.spent <= BUDGET {
            // The clock is read where a window may begin.
            self.since.get_or_insert_with(Instant::now);
            return Ok(());
        }
        let now = Instant::now();
        if self.since.is_some_and(|since| now.duration_since(since) < WINDOW) {
            return Err(io::Error::other("a flood of HTTP/2 control frames"));
        }
        (self.spent, self.since) = (1, Some(now));
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Budgeted<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = polled
            && !matches!(this.place, Place::Other)
        {
            this.pass(buffer.filled().get(before..).unwrap_or_default())?;
        }
        polled
    }
}

writes_to_inner!(Budgeted);

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// Whether bytes pass, however they are cut.
    fn passes(bytes: &[u8], cut: usize) -> bool {
        let mut budget = Budgeted::new(());
        PREFACE.chunks(cut).chain(bytes.chunks(cut)).all(|piece| budget.pass(piece).is_ok())
    }

    #[test]
    fn floods_of_nothing_are_cut_and_the_rest_passes() {
        let over = BUDGET as usize + 1;
        for cut in [1, 7, 1 << 20] {
            for idle in [
                frame(4, 0, &[]),
                frame(6, 0, &[0; 8]),
                frame(2, 0, &[0; 5]),
                frame(0, 0, &[]),
                frame(77, 0, &[1]),
            ] {
                assert!(passes(&idle.repeat(over - 1), cut));
                assert!(!passes(&idle.repeat(over), cut));
            }
            for working in
                [frame(0, 0, &[1]), frame(1, 4, &[0x82]), frame(8, 0, &[0, 0, 0, 1]), frame(0, 1, &[])]
            {
                assert!(passes(&working.repeat(over), cut));
            }
        }
    }

    #[test]
    fn other_protocols_are_not_looked_at() {
        let mut budget = Budgeted::new(());
        let bytes = [b"PRI * HTTP/1.1\r\n\r\n".to_vec(), frame(4, 0, &[]).repeat(20_000)].concat();
        assert!(budget.pass(&bytes).is_ok());
        assert!(matches!(budget.place, Place::Other));
    }
}

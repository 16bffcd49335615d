//! A bound on HTTP/2 frames that cost work and carry nothing: SETTINGS, PING, PRIORITY, empty DATA and unknown kinds,
//! WINDOW_UPDATE where nothing was sent that it could answer, and RST_STREAM by a client that takes most of its requests
//! back.
//!
//! The codec bounds continuations, headers and resets that it makes itself; these it takes as fast as they come, and of
//! resets only those that come before it has handed the request on. A client that sends more of them than any honest one
//! would is cut off. Frame heads are read in passing; nothing is copied.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frames of the named kinds within one [`WINDOW`].
const BUDGET: u32 = 10_000;
const WINDOW: Duration = Duration::from_secs(1);
/// Empty DATA frames within one [`WINDOW`]: an honest client sends one at the end of a body, if any.
const EMPTY_DATA: u32 = 300;
/// Requests taken back within one [`RESET_WINDOW`], where they are more than half of those sent.
const RESETS: u32 = 100;
const RESET_WINDOW: Duration = Duration::from_secs(10);
/// Bytes sent that one more WINDOW_UPDATE may answer.
const UPDATE_BYTES: u64 = 1024;

/// A stream whose HTTP/2 frames are counted as they are read.
#[derive(Debug)]
pub(crate) struct Budgeted<T> {
    inner: T,
    place: Place,
    idle: Spent,
    empty_data: Spent,
    updates: Spent,
    /// Bytes sent since `updates` began.
    sent: u64,
    resets: Spent,
    /// Requests since `resets` began.
    opened: u32,
}

/// How many there were within a window of time.
#[derive(Debug, Default)]
struct Spent {
    count: u32,
    since: Option<Instant>,
}

impl Spent {
    /// Counts one more; whether that is more than the budget allows. The clock is read at the beginning of a window
    /// and where the budget is spent.
    fn is_over(&mut self, budget: u32, window: Duration) -> bool {
        self.count = self.count.saturating_add(1);
        if self.count <= budget {
            self.since.get_or_insert_with(Instant::now);
            return false;
        }
        let now = Instant::now();
        if self.since.is_some_and(|since| now.duration_since(since) < window) {
            return true;
        }
        (self.count, self.since) = (1, Some(now));
        false
    }
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
        Self {
            inner,
            place: Place::Preface(0),
            idle: Spent::default(),
            empty_data: Spent::default(),
            updates: Spent::default(),
            sent: 0,
            resets: Spent::default(),
            opened: 0,
        }
    }

    fn note_sent(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = polled {
            self.sent = self.sent.saturating_add(count as u64);
        }
        polled
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
        let is_over = match kind {
            // DATA
            0 => length == 0 && flags & END_STREAM == 0 && self.empty_data.is_over(EMPTY_DATA, WINDOW),
            // HEADERS
            1 => {
                self.opened = self.opened.saturating_add(1);
                false
            }
            // RST_STREAM
            3 => {
                // Where most requests were meant, resets count anew.
                if self.resets.count >= RESETS && self.opened / 2 >= self.resets.count {
                    self.resets = Spent::default();
                }
                let is_over = self.resets.is_over(RESETS, RESET_WINDOW);
                if self.resets.count == 1 {
                    self.opened = 1;
                }
                is_over
            }
            // PUSH_PROMISE, GOAWAY, CONTINUATION
            5 | 7 | 9 => false,
            // WINDOW_UPDATE
            8 => {
                let answered = u32::try_from(self.sent / UPDATE_BYTES).unwrap_or(u32::MAX);
                let is_over = self.updates.is_over(BUDGET.saturating_add(answered), WINDOW);
                if self.updates.count == 1 {
                    self.sent = 0;
                }
                is_over
            }
            // PRIORITY, SETTINGS, PING, and what nobody knows
            _ => self.idle.is_over(BUDGET, WINDOW),
        };
        if is_over { Err(io::Error::other("a flood of HTTP/2 frames")) } else { Ok(()) }
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

impl<T: AsyncWrite + Unpin> AsyncWrite for Budgeted<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.note_sent(polled)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write_vectored(context, buffers);
        this.note_sent(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

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
                frame(8, 0, &[0, 0, 0, 1]),
                frame(77, 0, &[1]),
            ] {
                assert!(passes(&idle.repeat(over - 1), cut));
                assert!(!passes(&idle.repeat(over), cut));
            }
            let empty = frame(0, 0, &[]);
            assert!(passes(&empty.repeat(EMPTY_DATA as usize), cut));
            assert!(!passes(&empty.repeat(EMPTY_DATA as usize + 1), cut));
            for working in [frame(0, 0, &[1]), frame(1, 4, &[0x82]), frame(0, 1, &[])] {
                assert!(passes(&working.repeat(over), cut));
            }
        }
    }

    #[test]
    fn clients_that_take_back_most_requests_are_cut_and_those_that_take_back_some_are_not() {
        let (request, reset) = (frame(1, 5, &[0x82]), frame(3, 0, &[0; 4]));
        let both = [&request[..], &reset].concat();
        assert!(passes(&both.repeat(RESETS as usize), 7));
        assert!(!passes(&both.repeat(RESETS as usize + 1), 7));
        let some = [&request[..], &request, &request, &reset].concat();
        assert!(passes(&some.repeat(10 * RESETS as usize), 7));
    }

    #[test]
    fn windows_may_be_updated_for_what_was_sent() {
        let mut budget = Budgeted::new(());
        assert!(budget.pass(PREFACE).is_ok());
        let update = frame(8, 0, &[0, 0, 0, 1]);
        for _ in 0..20 {
            assert!(matches!(budget.note_sent(Poll::Ready(Ok(1 << 20))), Poll::Ready(Ok(_))));
            assert!(budget.pass(&update.repeat(1 << 10)).is_ok());
        }
        assert!(budget.pass(&update.repeat(BUDGET as usize + 1)).is_err());
    }

    #[test]
    fn other_protocols_are_not_looked_at() {
        let mut budget = Budgeted::new(());
        let bytes = [b"PRI * HTTP/1.1\r\n\r\n".to_vec(), frame(4, 0, &[]).repeat(20_000)].concat();
        assert!(budget.pass(&bytes).is_ok());
        assert!(matches!(budget.place, Place::Other));
    }
}

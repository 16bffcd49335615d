//! A bound on HTTP/2 frames that cost work and carry nothing: SETTINGS, PING, PRIORITY, empty DATA and unknown kinds,
//! WINDOW_UPDATE where nothing was sent that it could answer, and RST_STREAM by a client that takes most of its requests
//! back.
//!
//! The codec bounds continuations, headers and resets that it makes itself; these it takes as fast as they come, and of
//! resets only those that come before it has handed the request on. A client that sends more of them than any honest one
//! would is cut off. Frame heads are read in passing; nothing is copied, but for trailers ([`trailers`]) and what is read
//! together with half a frame head.

#[cfg(test)]
mod tests;
mod trailers;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
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
/// Streams that are remembered as open: more than a client may have at once.
const OPEN_MAX: usize = 128;
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
    /// The last stream that the client has opened.
    last_stream: u32,
    /// Streams whose client has more to send, as far as is known: at most [`OPEN_MAX`], in their order.
    open: Vec<u32>,
    /// Bytes that were read and are still to be handed on, looked at already.
    ahead: Bytes,
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
    /// Within a frame head, and what else must be known of the frame before anything of it is handed on.
    Head { filled: usize, wanted: usize, head: [u8; HEAD_MAX] },
    /// So many bytes of a payload are left, and then so many that are left out.
    Payload { left: usize, padding: usize },
    /// Another protocol.
    Other,
}

/// Length, kind, flags and stream of a frame.
const HEAD: usize = 9;
/// With the length of the padding and the priority.
const HEAD_MAX: usize = HEAD + 6;
const NEW_HEAD: Place = Place::Head { filled: 0, wanted: HEAD, head: [0; HEAD_MAX] };

/// What becomes of bytes that were read.
#[derive(Debug, PartialEq, Eq)]
enum Passed {
    /// All but so many at the end are handed on: those are half of a head, and come with its other half.
    AllBut(usize),
    /// These are handed on instead.
    Instead(Vec<u8>),
}

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
            last_stream: 0,
            open: Vec::new(),
            ahead: Bytes::new(),
        }
    }

    fn note_sent(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = polled {
            self.sent = self.sent.saturating_add(count as u64);
        }
        polled
    }

    /// Takes note of bytes that were read; what is to be handed on.
    fn pass(&mut self, bytes: &[u8]) -> io::Result<Passed> {
        // What was held back goes in front of these.
        let mut held = match &self.place {
            Place::Head { filled, .. } => *filled,
            _ => 0,
        };
        let mut instead: Option<Vec<u8>> = (held > 0).then(Vec::new);
        // Bytes that were looked at, and those of them that are in `instead`.
        let (mut at, mut copied) = (0, 0);
        let between = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
        while let Some(byte) = bytes.get(at) {
            match &mut self.place {
                Place::Other => break,
                Place::Preface(come) if PREFACE.get(*come) != Some(byte) => self.place = Place::Other,
                Place::Preface(come) => {
                    *come += 1;
                    if *come == PREFACE.len() {
                        self.place = NEW_HEAD;
                    }
                    at += 1;
                }
                Place::Head { filled, wanted, head } => {
                    if let Some(slot) = head.get_mut(*filled) {
                        *slot = *byte;
                    }
                    *filled += 1;
                    at += 1;
                    if *filled == HEAD {
                        *wanted = HEAD + trailers::more_of_head(head, &self.open);
                    }
                    if *filled < *wanted {
                        continue;
                    }
                    let (head, filled) = (*head, *filled);
                    let rewritten = trailers::rewrite(&head, filled, &self.open);
                    if held > 0 || rewritten.is_some() {
                        let instead = instead.get_or_insert_with(Vec::new);
                        instead.extend(between(copied, (at + held).saturating_sub(filled)));
                        match &rewritten {
                            Some(rewritten) => instead.extend(&rewritten.bytes),
                            None => instead.extend(head.get(..filled).unwrap_or_default()),
                        }
                        copied = at;
                        held = 0;
                    }
                    let length = trailers::length(&head) - (filled - HEAD);
                    self.place = match rewritten {
                        Some(rewritten) => {
                            Place::Payload { left: rewritten.left, padding: rewritten.padding }
                        }
                        None => Place::Payload { left: length, padding: 0 },
                    }
                    .or_new_head();
                    self.count(&head)?;
                }
                Place::Payload { left, padding } => {
                    let taken = (*left).min(bytes.len() - at);
                    *left -= taken;
                    at += taken;
                    let dropped = if *left == 0 { (*padding).min(bytes.len() - at) } else { 0 };
                    if dropped > 0 {
                        instead.get_or_insert_with(Vec::new).extend(between(copied, at));
                        *padding -= dropped;
                        at += dropped;
                        copied = at;
                    }
                    self.place = self.place.or_new_head();
                }
            }
        }
        let held_now = match &self.place {
            // Of a frame head that began before these bytes, nothing of them is left to hand on.
            Place::Head { filled, .. } => filled.saturating_sub(held),
            _ => 0,
        };
        let end = bytes.len().saturating_sub(held_now);
        Ok(match instead {
            None => Passed::AllBut(held_now),
            Some(mut instead) => {
                instead.extend(between(copied, end));
                Passed::Instead(instead)
            }
        })
    }

    fn count(&mut self, head: &[u8; HEAD_MAX]) -> io::Result<()> {
        const END_STREAM: u8 = 1;
        let [_, _, _, kind, flags, ..] = *head;
        let (length, stream) = (trailers::length(head), trailers::stream(head));
        let ends = kind == 3 || (matches!(kind, 0 | 1) && flags & END_STREAM != 0);
        if ends && let Ok(at) = self.open.binary_search(&stream) {
            self.open.remove(at);
        }
        let is_over = match kind {
            // DATA
            0 => length == 0 && flags & END_STREAM == 0 && self.empty_data.is_over(EMPTY_DATA, WINDOW),
            // HEADERS
            1 => {
                self.opened = self.opened.saturating_add(1);
                if stream > self.last_stream {
                    self.last_stream = stream;
                    if !ends {
                        // One that was reset on this side is never said to have ended: the oldest make room.
                        if self.open.len() >= OPEN_MAX {
                            self.open.remove(0);
                        }
                        self.open.push(stream);
                    }
                }
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
        loop {
            if !this.ahead.is_empty() {
                let count = this.ahead.len().min(buffer.remaining());
                buffer.put_slice(this.ahead.get(..count).unwrap_or_default());
                this.ahead.advance(count);
                return Poll::Ready(Ok(()));
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
            let read = buffer.filled().get(before..).unwrap_or_default();
            if matches!(this.place, Place::Other) || read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match this.pass(read)? {
                Passed::AllBut(held) => buffer.set_filled(buffer.filled().len() - held),
                Passed::Instead(bytes) => {
                    this.ahead = bytes.into();
                    buffer.set_filled(before);
                }
            }
            // Nothing handed on would be the end.
            if buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Place {
    /// The next frame, where this one is over.
    fn or_new_head(self) -> Self {
        match self {
            Self::Payload { left: 0, padding: 0 } => NEW_HEAD,
            other => other,
        }
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

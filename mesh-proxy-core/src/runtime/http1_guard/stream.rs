//! A client's connection, of which the codec sees good messages only, one at a time.

mod leaving;
mod waiting;
mod writing;

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::Rules;
use super::gate::Gate;
use super::head::Refusal;
use super::message::Reader;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What the codec reads in the place of a refused head; the service answers it as the refusal has it.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n";
/// Bytes asked of the connection at a time where they are kept here.
const READ_MIN: usize = 2048;
/// After an answer that leaves something unread, so long and so much of it is read: closed at once, the answer could be
/// lost (RFC 9112, 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;
/// How long is waited for the client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientPatience {
    /// For a head, from its first byte to its last.
    pub(crate) head: Duration,
    /// For the first byte of a head.
    pub(crate) idle: Duration,
    /// For it to take anything more of what it is sent; zero: for ever.
    pub(crate) stalled: Duration,
    /// How long an HTTP/1 connection waits for its next request with its codec, whose buffers are most of its memory.
    pub(crate) parked_after: Duration,
}

/// A stream in front of the codec.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    inner: T,
    gate: Arc<Gate>,
    patience: ClientPatience,
    mode: Mode,
    /// Bytes that were read and not passed on: a head that is not complete, or what follows a message.
    kept: BytesMut,
    /// How many of them may be passed on.
    good: usize,
    timer: Option<Pin<Box<Sleep>>>,
    /// What the client is waited for, and until when. The timer goes off then or earlier.
    waits_for: Option<(Wait, Instant)>,
    /// Whether the answer to what was read has had its turn to be written.
    has_waited: bool,
    /// The client does not read what it was answered.
    is_write_blocked: bool,
    lingered: Option<usize>,
    /// Whether a codec reads it, which is to end once there is nothing for it to do.
    has_codec: bool,
    /// The codec is told of an end that is none.
    is_parked: bool,
    /// The codec has a head whose answer is not written to its end: it reads to hear of a client that leaves.
    is_busy: bool,
    /// The client has ended its side while its request was answered.
    has_left: bool,
}

#[derive(Debug)]
enum Mode {
    /// Nothing has come. Without a reader: HTTP/2 was agreed on, and nothing else is taken.
    First(Option<Reader>),
    Http1(Reader),
    /// HTTP/2, or a tunnel: no business of this reader.
    Through,
    /// Nothing more is read.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    FirstByte,
    Park,
    Head,
    Write,
    Linger,
}

impl<T> Guarded<T> {
    pub(crate) fn new(inner: T, gate: Arc<Gate>, rules: Rules, patience: ClientPatience) -> Self {
        Self {
            inner,
            gate,
            patience,
            mode: Mode::First(Some(Reader::new(rules))),
            kept: BytesMut::new(),
            good: 0,
            timer: None,
            waits_for: None,
            has_waited: true,
            is_write_blocked: false,
            lingered: None,
            has_codec: false,
            is_parked: false,
            is_busy: false,
            has_left: false,
        }
    }

    /// One whose client has agreed to speak HTTP/2.
    pub(crate) fn of_http2(self) -> Self {
        Self { mode: Mode::First(None), ..self }
    }

    /// Whether the codec was told of an end so that the stream can wait without it.
    pub(super) fn is_parked(&self) -> bool {
        self.is_parked
    }

    fn end(&mut self) {
        self.mode = Mode::Ended;
        self.kept = BytesMut::new();
        self.good = 0;
    }

    /// Whether something may have come that the codec was not given.
    fn has_unread(&self) -> bool {
        match &self.mode {
            Mode::First(_) | Mode::Ended => true,
            Mode::Http1(reader) => !reader.is_at_head() || !self.kept.is_empty(),
            Mode::Through => false,
        }
    }

    /// The refused head is answered in its turn, and nothing after it read.
    fn refuse(&mut self, refusal: Refusal) {
        tracing::debug!(refusal.details, "a request is refused");
        // Only one message is out at a time: there is no earlier refusal.
        self.gate.refuse(refusal);
        self.mode = Mode::Ended;
        self.kept = BytesMut::from(STAND_IN);
        self.good = self.kept.len();
    }

    fn pass_good(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.good.min(buffer.remaining());
        buffer.put_slice(self.kept.get(..count).unwrap_or_default());
        self.kept.advance(count);
        self.good -= count;
        if self.kept.is_empty() {
            // Its memory is not needed until the next head comes in pieces.
            self.kept = BytesMut::new();
        }
    }

    /// Ready when the wait, begun with the first call of it, has taken too long.
    ///
    /// A timer that is set anew for each request costs more than the look at its head. So it is left to go off as it was
    /// set for an earlier wait, and only then set for the one that lasts; only a shorter wait sets it at once.
    fn poll_patience(&mut self, wait: Wait, context: &mut Context<'_>) -> Poll<()> {
        let until = match self.waits_for {
            Some((waits_for, until)) if waits_for == wait => until,
            _ => {
                let patience = match wait {
                    Wait::FirstByte if self.is_parked => {
                        self.patience.idle.saturating_sub(self.patience.parked_after)
                    }
                    Wait::FirstByte => self.patience.idle,
                    Wait::Park => self.patience.parked_after,
                    Wait::Head => self.patience.head,
                    Wait::Write => self.patience.stalled,
                    Wait::Linger => LINGER,
                };
                let until = Instant::now() + patience;
                self.waits_for = Some((wait, until));
                until
            }
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }

    /// Looks at what was kept; whether something came of it.
    fn look_at_kept(&mut self) -> io::Result<bool> {
        if self.kept.is_empty() {
            return Ok(false);
        }
        if let Mode::First(reader) = &self.mode {
            if self.kept.len() < PREFACE.len() && PREFACE.starts_with(&self.kept) {
                return Ok(false);
            }
            self.mode = match reader {
                _ if self.kept.starts_with(PREFACE) => Mode::Through,
                Some(reader) => Mode::Http1(reader.clone()),
                None => {
                    self.end();
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "no HTTP/2, which was agreed on"));
                }
            };
        }
        let Mode::Http1(reader) = &mut self.mode else { return Ok(false) };
        let was_at_head = reader.is_at_head();
        match message(reader, &self.kept) {
            Ok(0) => Ok(false),
            Ok(length) => {
                self.is_busy |= was_at_head;
                self.good = length;
                self.waits_for = None;
                self.has_waited = false;
                Ok(true)
            }
            Err(Broken::Head(refusal)) => {
                self.refuse(refusal);
                Ok(true)
            }
            Err(Broken::Body(refusal)) => {
                self.mode = Mode::Ended;
                Err(io::Error::new(io::ErrorKind::InvalidData, refusal))
            }
        }
    }
}

/// Where a message breaks.
enum Broken {
    Head(Refusal),
    Body(Refusal),
}

/// How many bytes may be passed on: of one message at most, and nothing of a head that is not complete.
fn message(reader: &mut Reader, bytes: &[u8]) -> Result<usize, Broken> {
    let head = if reader.is_at_head() {
        match reader.head(bytes).map_err(Broken::Head)? {
            None => return Ok(0),
            Some(head) => head,
        }
    } else {
        0
    };
    let rest = bytes.get(head..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(head);
    }
    // A body that breaks in the bytes of its head's read is found with the next one: the head itself is good.
    let mut ahead = reader.clone();
    match ahead.body(rest) {
        Ok(body) => {
            *reader = ahead;
            Ok(head + body)
        }
        Err(_) if head > 0 => Ok(head),
        Err(refusal) => Err(Broken::Body(refusal)),
    }
}

impl<T: AsyncRead + Unpin> Guarded<T> {
    /// Reads more into what is kept; `Ready(0)`: there is no more.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = [MaybeUninit::uninit(); READ_MIN];
        let mut buffer = ReadBuf::uninit(&mut scratch);
        let polled = Pin::new(&mut self.inner).poll_read(context, &mut buffer);
        polled.map_ok(|()| {
            self.kept.extend_from_slice(buffer.filled());
            buffer.filled().len()
        })
    }

    /// Reads straight into the codec's buffer, and keeps what is not to be passed on.
    fn poll_straight(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if !matches!(polled, Poll::Ready(Ok(()))) {
            return polled;
        }
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        let Mode::Http1(reader) = &mut self.mode else { return polled };
        if fresh.is_empty() {
            return polled;
        }
        let was_at_head = reader.is_at_head();
        match message(reader, fresh) {
            Ok(length) => {
                self.kept.extend_from_slice(fresh.get(length..).unwrap_or_default());
                buffer.set_filled(before + length);
                if length > 0 {
                    self.is_busy |= was_at_head;
                    self.waits_for = None;
                    self.has_waited = false;
                }
            }
            Err(broken) => {
                buffer.set_filled(before);
                match broken {
                    Broken::Head(refusal) => self.refuse(refusal),
                    Broken::Body(refusal) => {
                        self.mode = Mode::Ended;
                        let error = io::Error::new(io::ErrorKind::InvalidData, refusal);
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for a head, or the rest of it. `Ready`: there may be something to pass on, or the end.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.look_at_kept()? || matches!(self.mode, Mode::Through) {
                return Poll::Ready(Ok(()));
            }
            match self.poll_more(context) {
                Poll::Ready(Ok(0)) => {
                    self.end();
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_head_patience(context),
            }
        }
    }

    fn poll_head_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wait =
            match (self.kept.is_empty(), self.has_codec && self.patience.idle > self.patience.parked_after) {
                (false, _) => Wait::Head,
                (true, true) => Wait::Park,
                (true, false) => Wait::FirstByte,
            };
        if self.poll_patience(wait, context).is_pending() {
            return Poll::Pending;
        }
        match wait {
            Wait::Head if !matches!(self.mode, Mode::First(None)) => {
                self.refuse(Refusal { status: 408, details: "request_header_timeout" });
            }
            Wait::Park => self.is_parked = true,
            Wait::Head | Wait::FirstByte | Wait::Write | Wait::Linger => self.end(),
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.good > 0 {
                this.pass_good(buffer);
                return Poll::Ready(Ok(()));
            }
            if this.is_parked {
                return Poll::Ready(Ok(()));
            }
            match &this.mode {
                // The codec closes after its answer.
                Mode::Ended if this.gate.refusal().is_some() => return Poll::Pending,
                Mode::Ended if this.is_busy => return this.poll_leaves(context),
                Mode::Ended => return Poll::Ready(Ok(())),
                Mode::Through if this.kept.is_empty() => {
                    return Pin::new(&mut this.inner).poll_read(context, buffer);
                }
                Mode::Through => this.good = this.kept.len(),
                Mode::Http1(reader) if reader.is_at_tunnel() => match this.gate.poll_granted(context) {
                    Poll::Pending => return this.poll_leaves(context),
                    Poll::Ready(true) => this.mode = Mode::Through,
                    Poll::Ready(false) => this.end(),
                },
                Mode::Http1(reader) if !reader.is_at_head() => {
                    if this.kept.is_empty() {
                        return this.poll_straight(context, buffer);
                    }
                    this.look_at_kept()?;
                }
                Mode::Http1(_) if this.is_busy => return this.poll_leaves(context),
                // Who does not read its answers is not asked for more: they would pile up in the codec. The end of the
                // blocked write wakes this task.
                Mode::Http1(_) if this.is_write_blocked => return Poll::Pending,
                Mode::Http1(_) if this.kept.is_empty() && buffer.remaining() >= READ_MIN => {
                    let before = buffer.filled().len();
                    match this.poll_straight(context, buffer) {
                        Poll::Pending => {
                            if this.poll_head_patience(context).is_pending() {
                                return Poll::Pending;
                            }
                        }
                        Poll::Ready(Ok(())) => {
                            let is_end = this.kept.is_empty() && this.good == 0;
                            if buffer.filled().len() > before || is_end {
                                return Poll::Ready(Ok(()));
                            }
                        }
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    }
                }
                Mode::First(_) | Mode::Http1(_) => match this.poll_head(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(result) => result?,
                },
            }
        }
    }
}

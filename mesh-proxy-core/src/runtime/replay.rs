//! Request bodies that can be sent again: what passed is kept, up to a bound, while it streams to the first upstream.

use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::Notify;

use super::body::{Body, BoxError};
use super::hop_by_hop;
use crate::telemetry::grpc_messages::MessageCounter;

/// Frames of fewer bytes are copied together.
const SMALL: usize = 1024;

/// A request body, and what of it has passed.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    shared: Arc<Shared>,
}

/// The body of requests that have none: nothing of it ever changes, so they share it.
static NOTHING: LazyLock<Replay> = LazyLock::new(|| Replay::of(Bytes::new()));

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    complete: Notify,
}

#[derive(Debug)]
struct State {
    /// `None`: all of it is in `kept`.
    source: Option<Body>,
    kept: Vec<Bytes>,
    /// What came after it in small frames, copied: kept as they are, frames of a byte each would cost a hundred times
    /// their length.
    small: BytesMut,
    kept_bytes: usize,
    kept_max: usize,
    /// Something that passed was not kept, or the source broke: it cannot be sent again.
    spent: bool,
    trailers: Option<HeaderMap>,
    ended: bool,
    /// `None`: it was all there from the beginning.
    ended_at: Option<Instant>,
    /// The try that may read; older ones are cut off.
    current: u32,
    received: u64,
    /// Counts messages of gRPC; `None`: it is no stream of them.
    messages: Option<MessageCounter>,
    hint: SizeHint,
}

impl Replay {
    /// Keeps up to `kept_max` bytes of what passes.
    pub(crate) fn new(source: Incoming, version: Version, kept_max: usize) -> Self {
        let source = if version == Version::HTTP_2 { Body::Stream(source) } else { Body::Incoming(source) };
        Self::over(source, kept_max)
    }

    /// The same of any body.
    pub(crate) fn over(source: Body, kept_max: usize) -> Self {
        let ended = source.is_end_stream();
        if ended {
            return Self::clone(&NOTHING);
        }
        let hint = source.size_hint();
        let state = State {
            source: Some(source),
            kept: Vec::new(),
            small: BytesMut::new(),
            kept_bytes: 0,
            kept_max,
            spent: false,
            trailers: None,
            ended,
            ended_at: None,
            current: 0,
            received: 0,
            messages: None,
            hint,
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), complete: Notify::new() }) }
    }

    /// A body that is all there.
    pub(crate) fn of(bytes: Bytes) -> Self {
        let state = State {
            source: None,
            kept_bytes: bytes.len(),
            kept_max: bytes.len(),
            hint: SizeHint::with_exact(bytes.len() as u64),
            kept: if bytes.is_empty() { Vec::new() } else { vec![bytes] },
            small: BytesMut::new(),
            spent: false,
            trailers: None,
            ended: true,
            ended_at: None,
            current: 0,
            received: 0,
            messages: None,
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), complete: Notify::new() }) }
    }

    /// Reads ahead until the body has ended or more than `bytes_max` of it are there. All that was read is kept, and
    /// given out again by [`body`](Self::body).
    ///
    /// # Errors
    /// The body broke.
    pub(crate) async fn buffer(&self, bytes_max: usize) -> Result<Buffered, BoxError> {
        loop {
            {
                let state = self.lock();
                if state.kept_bytes > bytes_max {
                    return Ok(Buffered::Beginning(state.joined(bytes_max)));
                }
                if state.ended {
                    return Ok(Buffered::Whole(state.joined(bytes_max)));
                }
            }
            std::future::poll_fn(|context| self.shared.poll_ahead(context)).await?;
        }
    }

    /// The body from its beginning. A body given out before ends with an error.
    pub(crate) fn body(&self) -> Body {
        let mut state = self.lock();
        state.settle_small();
        if state.ended && state.kept.is_empty() && state.trailers.is_none() {
            return Body::Empty;
        }
        state.current += 1;
        Body::Try(TryBody {
            shared: Arc::clone(&self.shared),
            number: state.current,
            next: 0,
            told_trailers: false,
        })
    }

    /// All of it, where it is there, has no trailers, and says by its length how long it is.
    pub(crate) fn at_hand(&self) -> Option<Vec<Bytes>> {
        if Arc::ptr_eq(&self.shared, &NOTHING.shared) {
            return Some(Vec::new());
        }
        None
    }

    /// Whether it can be given out once more.
    pub(crate) fn can_repeat(&self) -> bool {
        !self.lock().spent
    }

    /// The same body for someone else, once it has passed whole; `None`: not all of it was kept.
    pub(crate) fn copy(&self) -> Option<Self> {
        let state = self.lock();
        if state.spent || !state.ended {
            return None;
        }
        let copied = State {
            source: None,
            kept: state.kept.clone(),
            small: state.small.clone(),
            kept_bytes: state.kept_bytes,
            kept_max: state.kept_max,
            spent: false,
            trailers: state.trailers.clone(),
            ended: true,
            ended_at: None,
            current: 0,
            received: state.received,
            messages: None,
            hint: state.hint,
        };
        Some(Self { shared: Arc::new(Shared { state: Mutex::new(copied), complete: Notify::new() }) })
    }

    /// Whether the client has sent all of it.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// When the client had sent the last of it; `None`: it was all there from the beginning, or has not ended.
    pub(crate) fn ended_at(&self) -> Option<Instant> {
        self.lock().ended_at
    }

    /// Counts the messages of gRPC in it from now on.
    pub(crate) fn count_messages(&self) {
        self.lock().messages = Some(MessageCounter::default());
    }

    /// Messages of gRPC that came from the client, where they are counted.
    pub(crate) fn messages(&self) -> u64 {
        self.lock().messages.as_ref().map_or(0, MessageCounter::messages)
    }

    /// Bytes that came from the client.
    pub(crate) fn received(&self) -> u64 {
        self.lock().received
    }

    /// Whether the client has sent all of it.
    pub(crate) fn is_complete(&self) -> bool {
        self.lock().ended
    }

    /// Waits until the client has sent all of it.
    pub(crate) async fn complete(&self) {
        loop {
            let notified = self.shared.complete.notified();
            if self.lock().ended {
                return;
            }
            notified.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of a body was read ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Buffered {
    /// All of it.
    Whole(Bytes),
    /// As much as was asked for; there is more.
    Beginning(Bytes),
}

impl Shared {
    /// Reads one frame of the source into what is kept.
    fn poll_ahead(&self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut state = self.lock();
        let Some(source) = &mut state.source else {
            state.ended = true;
            return Poll::Ready(Ok(()));
        };
        let Poll::Ready(frame) = Pin::new(source).poll_frame(context) else { return Poll::Pending };
        match frame {
            None => state.end(),
            Some(Err(error)) => {
                state.spent = true;
                return Poll::Ready(Err(error));
            }
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    state.kept_max = state.kept_max.max(state.kept_bytes + data.len());
                    state.keep(data.clone());
                }
                if let Some(trailers) = frame.trailers_ref() {
                    state.trailers = Some(trailers.clone());
                }
                if frame.is_trailers() || state.source.as_ref().is_some_and(HttpBody::is_end_stream) {
                    state.end();
                }
            }
        }
        if state.ended {
            self.complete.notify_waiters();
        }
        Poll::Ready(Ok(()))
    }
}

/// One try's view of the body (T-160..T-166).
#[derive(Debug)]
pub struct TryBody {
    shared: Arc<Shared>,
    number: u32,
    next: usize,
    told_trailers: bool,
}

impl HttpBody for TryBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let mut state = this.shared.lock();
        if state.current != this.number {
            return Poll::Ready(Some(Err("a later try has the body".into())));
        }
        if let Some(kept) = state.kept.get(this.next) {
            this.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(kept.clone()))));
        }
        if state.ended {
            let trailers = if this.told_trailers { None } else { state.trailers.clone() };
            this.told_trailers = true;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        let Some(source) = &mut state.source else { return Poll::Ready(None) };
        let Poll::Ready(frame) = Pin::new(source).poll_frame(context) else { return Poll::Pending };
        match frame {
            None => {
                state.end();
                this.shared.complete.notify_waiters();
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                state.spent = true;
                Poll::Ready(Some(Err(error)))
            }
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    state.keep(data.clone());
                    this.next = state.kept.len();
                }
                let frame = match frame.into_trailers() {
                    Ok(mut trailers) => {
                        hop_by_hop::remove_from_trailers(&mut trailers);
                        state.trailers = Some(trailers.clone());
                        this.told_trailers = true;
                        Frame::trailers(trailers)
                    }
                    Err(frame) => frame,
                };
                if frame.is_trailers() || state.source.as_ref().is_some_and(HttpBody::is_end_stream) {
                    state.end();
                    this.shared.complete.notify_waiters();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = self.shared.lock();
        state.ended && self.next >= state.kept.len() && (self.told_trailers || state.trailers.is_none())
    }

    fn size_hint(&self) -> SizeHint {
        if self.next == 0 { self.shared.lock().hint } else { SizeHint::default() }
    }
}

impl State {
    fn end(&mut self) {
        self.ended = true;
        self.ended_at.get_or_insert_with(Instant::now);
    }

    /// What is kept, up to a length.
    fn joined(&self, bytes_max: usize) -> Bytes {
        let mut joined: Bytes = match (self.kept.as_slice(), self.small.is_empty()) {
            ([only], true) => only.clone(),
            (several, _) => [&several.concat()[..], &self.small].concat().into(),
        };
        joined.truncate(bytes_max);
        joined
    }

    fn keep(&mut self, data: Bytes) {
        self.received += data.len() as u64;
        if let Some(messages) = &mut self.messages {
            messages.passed(&data);
        }
        if self.spent {
            return;
        }
        self.kept_bytes += data.len();
        if self.kept_bytes > self.kept_max {
            self.spent = true;
            (self.kept, self.small) = (Vec::new(), BytesMut::new());
        } else if data.len() < SMALL {
            self.small.extend_from_slice(&data);
            if self.small.len() >= SMALL {
                self.settle_small();
            }
        } else {
            self.settle_small();
            self.kept.push(data);
        }
    }

    /// Puts small frames with the others. The try that reads has read all of them, or begins anew.
    fn settle_small(&mut self) {
        if !self.small.is_empty() {
            self.kept.push(std::mem::take(&mut self.small).freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CVE-2020-8659: a byte at a time costs about a byte at a time.
    #[test]
    fn small_frames_are_kept_together() {
        let mut state = State {
            source: None,
            kept: Vec::new(),
            small: BytesMut::new(),
            kept_bytes: 0,
            kept_max: 10_000,
            spent: false,
            trailers: None,
            ended: false,
            ended_at: None,
            current: 0,
            received: 0,
            hint: SizeHint::default(),
            messages: None,
        };
        let text: Vec<u8> = (0..5000_u32).map(|number| (number % 251) as u8).collect();
        for byte in &text {
            state.keep(Bytes::copy_from_slice(&[*byte]));
        }
        assert!(state.kept.len() < 6, "{}", state.kept.len());
        state.keep(Bytes::from(vec![7; 3000]));
        assert_eq!(state.joined(usize::MAX), [&text[..], &[7; 3000]].concat());
        assert!(!state.spent);
        state.keep(Bytes::from(vec![7; 3000]));
        assert!(state.spent && state.kept.is_empty() && state.small.is_empty());
    }
}

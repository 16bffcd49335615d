//! A client that leaves before its answer: heard of while the codec has nothing to read.
//!
//! Half-open connections are not served, as in Envoy (half-close is off for its HTTP codecs): who ends its side has left, and
//! what is done for it ends.

use std::io;
use std::task::{Context, Poll};

use tokio::io::AsyncRead;

use super::{Guarded, Mode};

/// Bytes that are read ahead of the request at hand. Of a client that has sent more its end is not heard.
const AHEAD_MAX: usize = 2048;

impl<T: AsyncRead + Unpin> Guarded<T> {
    /// Ready once the client has left. An answer that is there at once is written first: the end often comes right behind
    /// the request.
    pub(super) fn poll_leaves(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_left {
            return if self.gate.is_serving() { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        while self.kept.len() < AHEAD_MAX {
            match self.poll_more(context) {
                Poll::Ready(Ok(0)) => {
                    self.has_left = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }

    /// After a flush: once all of an answer is out the connection waits for the next head. The codec does not ask for it
    /// again, for it has asked already to hear of the client's end.
    pub(super) fn note_flush(&mut self, context: &mut Context<'_>) {
        if !self.is_busy || self.gate.is_serving() {
            return;
        }
        self.is_busy = false;
        let Mode::Http1(reader) = &self.mode else { return };
        if !reader.is_at_head() {
            return;
        }
        if !self.kept.is_empty() || self.has_left || self.poll_head_patience(context).is_ready() {
            context.waker().wake_by_ref();
        }
    }
}

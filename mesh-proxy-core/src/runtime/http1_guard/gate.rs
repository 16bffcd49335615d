//! What the stream in front of the codec and the service behind it tell each other.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use super::head::Refusal;

/// What the service and the stream tell each other.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    refusal: OnceLock<Refusal>,
    tunnel: Mutex<Tunnel>,
}

#[derive(Debug, Default)]
struct Tunnel {
    granted: Option<bool>,
    waker: Option<Waker>,
}

impl Gate {
    /// Why the request at hand stands for one that was refused; `None`: it is what the client sent.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.get().copied()
    }

    /// The request that the codec is given next stands for one that is refused.
    pub(super) fn refuse(&self, refusal: Refusal) {
        let _ = self.refusal.set(refusal);
    }

    /// Whether the other protocol was granted that the request asked for. What follows where it was not is never read.
    pub(crate) fn settle(&self, granted: bool) {
        let mut tunnel = self.tunnel.lock().unwrap_or_else(PoisonError::into_inner);
        tunnel.granted = Some(granted);
        if let Some(waker) = tunnel.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn poll_granted(&self, context: &Context<'_>) -> Poll<bool> {
        let mut tunnel = self.tunnel.lock().unwrap_or_else(PoisonError::into_inner);
        match tunnel.granted.take() {
            Some(granted) => Poll::Ready(granted),
            None => {
                tunnel.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

//! What the stream in front of the codec and the service behind it tell each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use super::head::Refusal;

/// What the service and the stream tell each other.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    refusal: OnceLock<Refusal>,
    tunnel: Mutex<Tunnel>,
    is_serving: AtomicBool,
}

/// A request of the connection that is not answered to the last byte. Dropped: it is, or never will be.
#[derive(Debug)]
pub(crate) struct Serving(Arc<Gate>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.is_serving.store(false, Ordering::Relaxed);
    }
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

    /// A request was read. It is told when one task has it; the stream is read by the same.
    pub(crate) fn serve(self: &Arc<Self>) -> Serving {
        self.is_serving.store(true, Ordering::Relaxed);
        Serving(Arc::clone(self))
    }

    /// Whether a request is without the end of its answer.
    pub(super) fn is_serving(&self) -> bool {
        self.is_serving.load(Ordering::Relaxed)
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

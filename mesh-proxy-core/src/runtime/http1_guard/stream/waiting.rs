//! A connection that waits for its next request without a codec.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Guarded, Mode};

impl<T: AsyncRead + Unpin> Guarded<T> {
    /// Waits until there is something for a codec to do; `false`: the connection has ended.
    pub(crate) async fn starts(&mut self) -> bool {
        self.has_codec = false;
        self.waits_for = None;
        let has_something = std::future::poll_fn(|context| self.poll_starts(context)).await;
        self.is_parked = false;
        self.has_codec = true;
        has_something
    }

    /// Ends the connection in order.
    pub(crate) async fn finish(&mut self)
    where
        T: AsyncWrite,
    {
        self.is_parked = false;
        let ended = std::future::poll_fn(|context| Pin::new(&mut *self).poll_shutdown(context)).await;
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection was not ended in order");
        }
    }

    fn poll_starts(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        while self.good == 0 {
            match &self.mode {
                Mode::Ended => return Poll::Ready(false),
                Mode::Through => return Poll::Ready(true),
                Mode::First(_) | Mode::Http1(_) => match self.poll_head(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => self.end(),
                },
            }
        }
        Poll::Ready(true)
    }
}

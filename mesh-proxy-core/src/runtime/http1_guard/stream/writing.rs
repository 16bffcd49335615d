//! Writing to a client: after the others that are ready, and not for ever where it takes nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Guarded, LINGER_BYTES, Wait};
use crate::runtime::after_others;

impl<T> Guarded<T> {
    /// Takes note of whether the client takes what it is sent, and gives it up once it has not for too long.
    fn note_write(
        &mut self,
        polled: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.is_write_blocked = polled.is_pending();
        if !self.is_write_blocked {
            if matches!(self.waits_for, Some((Wait::Write, _))) {
                self.waits_for = None;
            }
        } else if !self.patience.stalled.is_zero() && self.poll_patience(Wait::Write, context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(after_others::poll(&mut this.has_waited, context));
        let polled = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.note_write(polled, context)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_flush(context);
        if matches!(polled, Poll::Ready(Ok(()))) {
            this.note_flush(context);
        }
        polled
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_parked {
            return Poll::Ready(Ok(()));
        }
        if this.lingered.is_none() {
            let polled = Pin::new(&mut this.inner).poll_shutdown(context);
            if !matches!(polled, Poll::Ready(Ok(()))) || !this.has_unread() {
                return polled;
            }
            this.lingered = Some(0);
        }
        let mut scratch = [0; 4096];
        while let Some(count) = this.lingered.filter(|count| *count < LINGER_BYTES) {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.inner).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    this.lingered = Some(count + buffer.filled().len());
                }
                Poll::Ready(_) => break,
                Poll::Pending => return this.poll_patience(Wait::Linger, context).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(after_others::poll(&mut this.has_waited, context));
        let polled = Pin::new(&mut this.inner).poll_write_vectored(context, buffers);
        this.note_write(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

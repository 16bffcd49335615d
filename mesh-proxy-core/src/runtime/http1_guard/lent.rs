//! A client's stream on loan to a codec: where an HTTP/1 connection waits for its next request, it comes back and waits
//! alone.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::Guarded;

/// A stream that a codec has for as long as there is something to read and write.
#[derive(Debug)]
pub(crate) struct Lent<T> {
    stream: Option<Box<Guarded<T>>>,
    home: Home<T>,
}

/// Where it comes back to.
#[derive(Debug)]
pub(crate) struct Home<T>(Arc<Mutex<Option<Box<Guarded<T>>>>>);

impl<T> Home<T> {
    /// The stream, where the codec has let it go for it to wait; `None`: the connection has ended, or belongs to another
    /// protocol.
    pub(crate) fn parked(&self) -> Option<Box<Guarded<T>>> {
        let mut home = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        home.take().filter(|stream| stream.is_parked())
    }
}

impl<T> Lent<T> {
    pub(crate) fn new(stream: Box<Guarded<T>>) -> (Self, Home<T>) {
        let home = Arc::new(Mutex::new(None));
        (Self { stream: Some(stream), home: Home(Arc::clone(&home)) }, Home(home))
    }

    /// It is there until the end of this.
    fn stream(&mut self) -> io::Result<Pin<&mut Guarded<T>>>
    where
        T: Unpin,
    {
        self.stream.as_deref_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        *self.home.0.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lent<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_read(context, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lent<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().stream()?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().stream()?.poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}

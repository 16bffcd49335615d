//! What this proxy itself writes, read by its own strict reader: requests that it would not take it must not send.
//! Debug builds alone pay for it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Rules;
use super::head::Refusal;
use super::message::Reader;

/// Headers that are added on the way count too.
const RULES: Rules = Rules { lines_max: 512, bytes_max: 1 << 20, upper_case_methods: false };

/// A connection to an HTTP/1 upstream.
#[derive(Debug)]
pub(crate) struct Written<T> {
    inner: T,
    checked: Checked,
}

/// What was written so far.
#[derive(Debug)]
pub(super) struct Checked {
    /// `None`: it is another protocol since.
    reader: Option<Reader>,
    /// A head that is not complete.
    head: Vec<u8>,
}

impl<T> Written<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, checked: Checked::new(RULES) }
    }
}

impl Checked {
    pub(super) fn new(rules: Rules) -> Self {
        Self { reader: Some(Reader::new(rules)), head: Vec::new() }
    }

    /// Takes note of bytes of one message or several.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        while let Some(reader) = self.reader.as_mut().filter(|_| !bytes.is_empty()) {
            if reader.is_at_tunnel() {
                self.reader = None;
            } else if reader.is_at_head() {
                let before = self.head.len();
                self.head.extend_from_slice(bytes);
                let Some(end) = reader.head(&self.head)? else { return Ok(()) };
                bytes = bytes.get(end.saturating_sub(before)..).unwrap_or_default();
                self.head.clear();
            } else {
                let length = reader.body(bytes)?;
                bytes = bytes.get(length..).unwrap_or_default();
            }
        }
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Written<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Written<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = polled
            && let Err(refusal) = this.checked.pass(bytes.get(..count).unwrap_or_default())
        {
            tracing::error!(refusal.details, "a request went out that this proxy would not take");
            return Poll::Ready(Err(io::Error::other(refusal)));
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

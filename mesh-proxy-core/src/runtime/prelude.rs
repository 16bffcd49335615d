//! What workloads tell each other of themselves before the bytes of a connection, where both have agreed on it by ALPN.
//! Spec: Istio's metadata exchange filter, ALPN `istio-peer-exchange`: a magic number, a length, an `Any` of a `Struct`.
// Facts: istio/proxy, source/extensions/filters/network/metadata_exchange (since in Envoy's contrib). A server that is not
// Envoy may tell at once, or wait for the first bytes: neither side waits for the other before it sends.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::wrap::writes_to_inner;
use crate::telemetry::peer::Peer;

/// The protocol that says that the bytes have a prelude.
pub(crate) const ALPN: &str = "istio-peer-exchange";
const MAGIC: u32 = 0x3D23_0467;
const HEAD: usize = 8;
/// The longest message that is read, in bytes: it is some hundreds.
const MESSAGE_MAX: usize = 16 * 1024;

/// The workload on the other side, once it has told of itself.
pub(crate) type Heard = Arc<OnceLock<Arc<Peer>>>;

/// A stream whose first bytes are the other side's prelude. What is read of it is what comes after.
#[derive(Debug)]
pub(crate) struct Prelude<T> {
    inner: T,
    state: State,
    heard: Heard,
}

#[derive(Debug)]
enum State {
    /// What was read of magic number and length, or of a message of so many bytes.
    Reading(BytesMut, Option<usize>),
    /// No prelude: what was read is the stream's own.
    Given(BytesMut),
    Over,
}

writes_to_inner!(Prelude);

impl<T: AsyncRead + AsyncWrite + Unpin> Prelude<T> {
    /// Tells `message`, and listens to what the other side tells. `patience`: for one that does not take what it is told.
    ///
    /// # Errors
    /// The stream's, or its patience is over.
    pub(crate) async fn exchange(mut inner: T, message: &Bytes, patience: Duration) -> io::Result<Self> {
        let mut bytes = BytesMut::with_capacity(HEAD + message.len());
        bytes.put_u32(MAGIC);
        bytes.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
        bytes.put_slice(message);
        let telling = async {
            inner.write_all(&bytes).await?;
            inner.flush().await
        };
        tokio::time::timeout(patience, telling).await.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(Self { inner, state: State::Reading(BytesMut::new(), None), heard: Heard::default() })
    }

    /// Where the other side is told of.
    pub(crate) fn heard(&self) -> &Heard {
        &self.heard
    }
}

impl<T: AsyncRead + Unpin> Prelude<T> {
    /// Reads the prelude, and not a byte more.
    fn poll_prelude(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let State::Reading(bytes, length) = &mut self.state else { return Poll::Ready(Ok(())) };
            let missing = length.unwrap_or(HEAD).saturating_sub(bytes.len());
            if missing > 0 {
                let mut chunk = [0; 512];
                let room = chunk.get_mut(..missing.min(512)).unwrap_or_default();
                let mut buffer = ReadBuf::new(room);
                ready!(Pin::new(&mut self.inner).poll_read(context, &mut buffer))?;
                if buffer.filled().is_empty() {
                    // It ends before it has told anything.
                    self.state =
                        State::Given(if length.is_none() { std::mem::take(bytes) } else { BytesMut::new() });
                    continue;
                }
                bytes.put_slice(buffer.filled());
                continue;
            }
            match length {
                None => {
                    let mut head = &**bytes;
                    if head.get_u32() != MAGIC {
                        self.state = State::Given(std::mem::take(bytes));
                        continue;
                    }
                    let wanted = usize::try_from(head.get_u32()).unwrap_or(usize::MAX);
                    if wanted > MESSAGE_MAX {
                        return Poll::Ready(Err(io::Error::new(
                            io::ErrorKind::InvalidData,
                            "what is told of the workload is too long",
                        )));
                    }
                    (*bytes, *length) = (BytesMut::new(), Some(wanted));
                }
                Some(_) => {
                    if let Ok(Some(peer)) = Peer::from_message(bytes) {
                        let _ = self.heard.set(Arc::new(peer));
                    }
                    self.state = State::Over;
                }
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Prelude<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_prelude(context))?;
        if let State::Given(bytes) = &mut this.state {
            let given = bytes.split_to(bytes.len().min(buffer.remaining()));
            buffer.put_slice(&given);
            if bytes.is_empty() {
                this.state = State::Over;
            }
            if !given.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut this.inner).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests;

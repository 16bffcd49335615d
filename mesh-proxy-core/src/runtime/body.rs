//! Bodies of requests and responses on their way through.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use super::broken;
use super::direct::DirectBody;
use super::metrics::Pieces;
use super::replay::TryBody;

/// Any error of a body. Ours: what went wrong with a body is told, and nothing is decided by it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body. Ours: one type for streamed, kept and empty bodies.
#[derive(Debug)]
pub enum Body {
    /// Nothing.
    Empty,
    /// Bytes at hand; `None`: given away.
    Full(Option<Bytes>),
    /// Text that is too much to be at hand: made as it is sent.
    Metrics(Box<Pieces>),
    /// As it arrives.
    Incoming(Incoming),
    /// As it arrives on a stream of HTTP/2: over once that has ended, and broken where it ends in any other way.
    Stream(Incoming),
    /// As it arrives on a connection that no task drives.
    Direct(Box<DirectBody>),
    /// A request body that may be sent again.
    Try(TryBody),
    /// A body that is watched.
    Watched(Box<Watched>),
    /// A body that a Wasm module sees, and may change.
    #[cfg(feature = "wasm")]
    Plugged(Box<super::wasm::Plugged>),
}

impl Body {
    /// Bytes at hand.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::Empty } else { Self::Full(Some(bytes)) }
    }
}

/// Who kept a body from its end.
#[derive(Debug)]
pub(crate) enum Breach<'e> {
    /// Whoever reads it takes no more.
    Receiver,
    /// Whoever sends it gave up.
    Sender(&'e BoxError),
    /// Its time was over.
    Late,
}

/// Hears of what passes through a body. Its end is told once, on drop at the latest.
pub(crate) trait Watch: Send {
    /// Bytes have passed.
    fn passed(&mut self, bytes: &Bytes);
    /// The last frame has passed, with trailers or without.
    fn ended(&mut self, trailers: Option<&HeaderMap>);
    /// The body did not come to its end.
    fn broke(&mut self, by: Breach<'_>);
}

/// A body with someone who watches it, and a time by which it must have ended (T-168).
pub struct Watched {
    inner: Body,
    watch: Box<dyn Watch>,
    deadline: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl Watched {
    pub(crate) fn new(inner: Body, watch: Box<dyn Watch>, deadline: Option<Pin<Box<Sleep>>>) -> Self {
        Self { inner, watch, deadline, over: false }
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) {
        if !std::mem::replace(&mut self.over, true) {
            self.watch.ended(trailers);
        }
    }

    fn breaks(&mut self, by: Breach<'_>) {
        if !std::mem::replace(&mut self.over, true) {
            self.watch.broke(by);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.inner.is_end_stream() {
            self.end(None);
        } else {
            self.breaks(Breach::Receiver);
        }
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Metrics(pieces) => Poll::Ready(pieces.next().map(|piece| Ok(Frame::data(piece)))),
            Self::Incoming(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Stream(body) => broken::poll_stream(body, context),
            Self::Direct(body) => Pin::new(&mut **body).poll_frame(context),
            Self::Try(body) => Pin::new(body).poll_frame(context),
            Self::Watched(body) => Pin::new(&mut **body).poll_frame(context),
            #[cfg(feature = "wasm")]
            Self::Plugged(body) => Pin::new(&mut **body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_none(),
            Self::Metrics(_) => false,
            Self::Incoming(body) | Self::Stream(body) => body.is_end_stream(),
            Self::Direct(body) => body.is_end_stream(),
            Self::Try(body) => body.is_end_stream(),
            Self::Watched(body) => body.inner.is_end_stream(),
            #[cfg(feature = "wasm")]
            Self::Plugged(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Metrics(_) => SizeHint::default(),
            Self::Incoming(body) | Self::Stream(body) => body.size_hint(),
            Self::Direct(body) => body.size_hint(),
            Self::Try(body) => body.size_hint(),
            Self::Watched(body) => body.inner.size_hint(),
            #[cfg(feature = "wasm")]
            Self::Plugged(body) => body.size_hint(),
        }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.watch.passed(data);
                }
                if let Some(trailers) = frame.trailers_ref() {
                    let trailers = trailers.clone();
                    this.end(Some(&trailers));
                } else if this.inner.is_end_stream() {
                    this.end(None);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                this.end(None);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                this.breaks(Breach::Sender(&error));
                Poll::Ready(Some(Err(error)))
            }
            Poll::Pending => {
                let too_late =
                    this.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(context).is_ready());
                if too_late {
                    this.breaks(Breach::Late);
                    return Poll::Ready(Some(Err("the response did not end in time".into())));
                }
                Poll::Pending
            }
        }
    }
}

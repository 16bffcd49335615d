//! How an upstream broke off: told from the errors of the codecs, named as Envoy names it in answers and logs.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use hyper::body::Incoming;

use super::body::BoxError;
use super::pool::Failure;

/// A stream of HTTP/2 that ended without saying that it was all.
#[derive(Debug, thiserror::Error)]
#[error("the stream was given up before its end")]
pub(super) struct CutShort;

/// The next frame of a body of HTTP/2.
///
/// To the codec a reset without an error (`NO_ERROR`) ends a body like any other end. It does not: what has come may be
/// half of it, and passed on as the whole it would be believed (RFC 9113, 8.1.1).
pub(super) fn poll_stream(
    body: &mut Incoming,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    Poll::Ready(match ready!(Pin::new(&mut *body).poll_frame(context)) {
        None if !body.is_end_stream() => Some(Err(CutShort.into())),
        frame => frame.map(|frame| frame.map_err(Into::into)),
    })
}

/// What happened where there was no head of an answer.
pub(super) fn before_head(error: &hyper::Error) -> Failure {
    if let Some(failure) = of_stream(error) {
        return failure;
    }
    if error.is_parse() || error.is_parse_too_large() {
        return Failure::Protocol(error.to_string());
    }
    Failure::Reset(error.to_string())
}

/// What happened within the body of an answer. An HTTP/1 answer that ends too early breaks the protocol, however its
/// connection ends.
pub(super) fn within_body(error: &BoxError) -> Failure {
    if error.is::<CutShort>() {
        return Failure::RemoteReset { refused: false };
    }
    let failure = error.downcast_ref().and_then(of_stream);
    failure.unwrap_or_else(|| Failure::Protocol(error.to_string()))
}

/// How a stream of HTTP/2 ended, where that is what happened.
fn of_stream(error: &hyper::Error) -> Option<Failure> {
    let inner = error.source()?.downcast_ref::<h2::Error>()?;
    let is_violated =
        inner.is_library() || (inner.is_reset() && inner.reason() == Some(h2::Reason::PROTOCOL_ERROR));
    Some(if is_violated {
        Failure::Protocol(error.to_string())
    } else if inner.is_remote() && inner.is_reset() {
        Failure::RemoteReset { refused: inner.reason() == Some(h2::Reason::REFUSED_STREAM) }
    } else if inner.is_remote() && inner.is_go_away() {
        // Only streams that the other side says it will not look at are told of it.
        Failure::RemoteReset { refused: true }
    } else {
        Failure::Reset(error.to_string())
    })
}

impl Failure {
    /// Response flag and words of a try that the upstream broke off; `None`: it did not.
    pub(super) fn reset(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Refused | Self::Reset(_) => Some(("UC", "connection termination")),
            Self::RemoteReset { refused: true } => Some(("UR", "remote refused stream reset")),
            Self::RemoteReset { refused: false } => Some(("UR", "remote reset")),
            Self::Protocol(_) => Some(("UPE", "protocol error")),
            _ => None,
        }
    }
}

//! The body of an answer, as it arrives.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::super::body::BoxError;
use super::chunks::{Chunks, Piece};
use super::head::Framed;
use super::{Direct, Home};

/// A body that is read when it is asked for. Its connection goes home with the last byte, and is closed where the body
/// is dropped before. Spec: RFC 9112, section 6; a connection is kept as section 9.3 says.
pub struct DirectBody {
    /// `None`: the body has ended.
    connection: Option<Direct>,
    /// Bytes that were read and not given out.
    rest: BytesMut,
    framing: Framing,
    /// `None`: the connection carries no other request.
    home: Option<Home>,
}

#[derive(Debug)]
enum Framing {
    Length(u64),
    Chunked(Box<Chunks>),
    UntilClose,
}

impl std::fmt::Debug for DirectBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirectBody").field("framing", &self.framing).finish_non_exhaustive()
    }
}

impl DirectBody {
    pub(super) fn new(connection: Direct, rest: BytesMut, framed: Framed, home: Option<Home>) -> Self {
        let framing = match framed {
            Framed::Length(length) => Framing::Length(length),
            Framed::Chunked => Framing::Chunked(Box::new(Chunks::new())),
            Framed::UntilClose => Framing::UntilClose,
        };
        Self { connection: Some(connection), rest, framing, home }
    }

    /// The last byte was read.
    fn end(&mut self) {
        let (connection, home) = (self.connection.take(), self.home.take());
        // What follows an answer that nobody asked for spoils the connection.
        if let (Some(connection), Some(home), true) = (connection, home, self.rest.is_empty()) {
            home(connection);
        }
    }

    /// What of it is there; `None`: more must be read.
    fn next(&mut self) -> Result<Option<Piece>, BoxError> {
        Ok(match &mut self.framing {
            Framing::Chunked(chunks) => match chunks.next(&mut self.rest)? {
                Piece::More => None,
                piece => Some(piece),
            },
            _ if self.rest.is_empty() => None,
            Framing::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(self.rest.len());
                *left -= taken as u64;
                Some(Piece::Data(self.rest.split_to(taken).freeze()))
            }
            Framing::UntilClose => Some(Piece::Data(std::mem::take(&mut self.rest).freeze())),
        })
    }
}

impl HttpBody for DirectBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            if this.connection.is_none() {
                return Poll::Ready(None);
            }
            match this.next() {
                Ok(None) => {}
                Ok(Some(Piece::End(trailers))) => {
                    this.end();
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
                Ok(Some(Piece::Data(data))) => {
                    if matches!(this.framing, Framing::Length(0)) {
                        this.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Some(Piece::More)) => {}
                Err(problem) => {
                    this.connection = None;
                    return Poll::Ready(Some(Err(problem)));
                }
            }
            let Some(connection) = &mut this.connection else { return Poll::Ready(None) };
            match connection.poll_more(context, &mut this.rest) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => {
                    this.connection = None;
                    if matches!(this.framing, Framing::UntilClose) {
                        return Poll::Ready(None);
                    }
                    return Poll::Ready(Some(Err(
                        "the upstream closed the connection within its answer".into()
                    )));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    this.connection = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
    }

    /// Broken bodies have not ended, though nothing more comes of them: who drops one hears of it before.
    fn is_end_stream(&self) -> bool {
        self.connection.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Chunked(_) | Framing::UntilClose => SizeHint::default(),
        }
    }
}

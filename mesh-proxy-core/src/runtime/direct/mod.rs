//! HTTP/1 towards an upstream without a task of its own: the request that has the connection writes and reads it.
//!
//! The codec's client drives a connection in a task beside the request, and every head and every piece of a body goes
//! through a channel between the two. That is needed where both sides send at once. Most requests have no body, or one
//! that is all there: they are written in one go, and then there is nothing to do but read.
//!
//! `head` reads the head of an answer, `chunks` a chunked body, `body` gives out a body as it arrives and the connection
//! back to its pool. Framing is read as strictly as RFC 9112 has it; lines may end without CR, as the codec takes them.

mod body;
mod chunks;
mod head;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::{Method, Response};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

pub(crate) use self::body::DirectBody;
use self::head::{AnswerHead, Framed};
use super::after_others;
use super::body::Body;
use super::head::Head;
use super::pool::Failure;
use crate::seam::dial::BoxIo;

/// Bytes asked of a connection at a time.
const READ: usize = 16 * 1024;
/// The longest head of an answer: what the codec takes.
const HEAD_BYTES_MAX: usize = 408 * 1024;
/// Answers before the answer (status 100 to 199).
const INTERIM_MAX: usize = 32;

/// A connection on which nothing is going on.
pub(crate) struct Direct {
    io: BoxIo,
}

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct").finish_non_exhaustive()
    }
}

/// Why a connection gave no answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Nothing of the request was taken.
    Unsent,
    /// The request may have been seen.
    Failed(Failure),
}

/// Where a connection goes once its answer was read to the end.
pub(crate) type Home = Box<dyn FnOnce(Direct) + Send>;

impl Direct {
    pub(crate) fn new(io: BoxIo) -> Self {
        Self { io }
    }

    /// The connection, to be used otherwise.
    pub(crate) fn into_inner(self) -> BoxIo {
        self.io
    }

    /// Whether it is open and nothing has come on it: nobody was asked anything.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut scratch = [MaybeUninit::uninit(); 1];
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut self.io).poll_read(&mut context, &mut ReadBuf::uninit(&mut scratch)).is_pending()
    }

    /// Sends a request and reads the head of the answer; `home` gets the connection back once the body has passed.
    ///
    /// # Errors
    /// There is no answer.
    pub(crate) async fn send(
        mut self,
        method: &Method,
        request: &[u8],
        home: impl FnOnce(Direct) + Send + 'static,
    ) -> Result<Response<Body>, Broken> {
        self.write(request).await?;
        let (head, rest) = self.answer().await.map_err(Broken::Failed)?;
        let AnswerHead { mut response, keeps } = head;
        let framed = match head::framed(&response, method) {
            Ok(framed) => framed,
            Err(problem) => return Err(Broken::Failed(Failure::Protocol(problem.to_owned()))),
        };
        let keeps = keeps && framed != Framed::UntilClose;
        if framed == Framed::Length(0) {
            if keeps && rest.is_empty() {
                home(self);
            }
            return Ok(response);
        }
        let home: Option<Home> = if keeps { Some(Box::new(home)) } else { None };
        *response.body_mut() = Body::Direct(Box::new(DirectBody::new(self, rest, framed, home)));
        Ok(response)
    }

    async fn write(&mut self, mut request: &[u8]) -> Result<(), Broken> {
        let mut has_waited = false;
        std::future::poll_fn(|context| after_others::poll(&mut has_waited, context)).await;
        let whole = request.len();
        while !request.is_empty() {
            match self.io.write(request).await {
                Ok(count @ 1..) => request = request.get(count..).unwrap_or_default(),
                Ok(0) | Err(_) if request.len() == whole => return Err(Broken::Unsent),
                Ok(_) => return Err(reset("the connection takes no more")),
                Err(error) => return Err(reset(&error.to_string())),
            }
        }
        match self.io.flush().await {
            Ok(()) => Ok(()),
            Err(error) => Err(reset(&error.to_string())),
        }
    }

    /// The head of the answer, and what came with it.
    async fn answer(&mut self) -> Result<(AnswerHead, BytesMut), Failure> {
        let mut kept = BytesMut::new();
        // What is known to hold no end of a head.
        let mut seen = 0;
        for _ in 0..INTERIM_MAX {
            let head = loop {
                if let Some(end) = head::end(&kept, seen) {
                    break kept.split_to(end).freeze();
                }
                if kept.len() >= HEAD_BYTES_MAX {
                    return Err(Failure::Protocol("the head of the answer is too long".to_owned()));
                }
                seen = kept.len().saturating_sub(2);
                let count = std::future::poll_fn(|context| self.poll_more(context, &mut kept)).await;
                match count {
                    // An end within the head breaks the protocol, as in Envoy: an answer had begun.
                    Ok(0) | Err(_) if !kept.is_empty() => {
                        return Err(Failure::Protocol("the head of the answer ends too early".to_owned()));
                    }
                    Ok(0) => {
                        return Err(Failure::Reset(
                            "connection closed before the answer was complete".to_owned(),
                        ));
                    }
                    Ok(_) => {}
                    Err(error) => return Err(Failure::Reset(error.to_string())),
                }
            };
            seen = 0;
            let head = head::read(&head).map_err(|problem| Failure::Protocol(problem.to_owned()))?;
            match head.response.status().as_u16() {
                // Nobody asked for another protocol.
                101 => return Err(Failure::Protocol("the upstream changes protocols unasked".to_owned())),
                100..200 => {}
                _ => return Ok((head, kept)),
            }
        }
        Err(Failure::Protocol("no end of interim answers".to_owned()))
    }

    fn poll_more(&mut self, context: &mut Context<'_>, into: &mut BytesMut) -> Poll<std::io::Result<usize>> {
        self.poll_read(context, |bytes| into.extend_from_slice(bytes))
    }

    /// Reads into memory of the stack: idle connections and answers that are waited for hold none.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&[u8]),
    ) -> Poll<std::io::Result<usize>> {
        let mut scratch = [MaybeUninit::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut scratch);
        let polled = Pin::new(&mut self.io).poll_read(context, &mut buffer);
        polled.map_ok(|()| {
            take(buffer.filled());
            buffer.filled().len()
        })
    }
}

fn reset(words: &str) -> Broken {
    Broken::Failed(Failure::Reset(words.to_owned()))
}

/// A request as it is written, with a body that is all there.
///
/// # Errors
/// Path or authority cannot be written.
pub(crate) fn written(head: &Head, body: &[Bytes]) -> Result<Vec<u8>, http::Error> {
    let (path, host) = (head.written_path()?, head.written_host()?);
    let names = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let length: usize = names.sum::<usize>() + body.iter().map(Bytes::len).sum::<usize>();
    let mut out = Vec::with_capacity(length + path.as_str().len() + host.len() + 40);
    for part in [head.method.as_str(), " ", path.as_str(), " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    line(HOST.as_str(), host.as_bytes(), &mut out);
    for (name, value) in &head.headers {
        if *name != HOST {
            line(name.as_str(), value.as_bytes(), &mut out);
        }
    }
    out.extend_from_slice(b"\r\n");
    body.iter().for_each(|part| out.extend_from_slice(part));
    Ok(out)
}

fn line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Status and number of header lines of an upstream's answer; `None`: it is none.
#[cfg(fuzzing)]
pub(super) fn answer_head(bytes: &Bytes) -> Option<(u16, usize)> {
    let end = head::end(bytes, 0)?;
    let response = head::read(&bytes.slice(..end)).ok()?.response;
    Some((response.status().as_u16(), response.headers().len()))
}

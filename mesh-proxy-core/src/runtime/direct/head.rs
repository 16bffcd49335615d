//! The head of an answer.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use hyper::ext::ReasonPhrase;

use super::super::body::Body;
use super::super::head as request_head;
use crate::http_syntax::find;

/// Header lines of an answer, as in Envoy.
const LINES_MAX: usize = 100;

/// What is wrong with an answer.
pub(super) type Problem = &'static str;

/// A head that was read.
#[derive(Debug)]
pub(super) struct AnswerHead {
    /// Without its body.
    pub(super) response: Response<Body>,
    /// Whether another request may follow on the connection.
    pub(super) keeps: bool,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framed {
    Length(u64),
    Chunked,
    UntilClose,
}

/// Where a head ends: behind its first empty line. `seen`: bytes before which there is none.
pub(super) fn end(bytes: &[u8], seen: usize) -> Option<usize> {
    let mut at = seen;
    loop {
        let line_feed = at + find(bytes.get(at..)?, b'\n')?;
        match bytes.get(line_feed + 1..)? {
            [b'\n', ..] => return Some(line_feed + 2),
            [b'\r', b'\n', ..] => return Some(line_feed + 3),
            _ => at = line_feed + 1,
        }
    }
}

/// Reads a head with its empty line. Values share its memory.
///
/// # Errors
/// It is none.
pub(super) fn read(head: &Bytes) -> Result<AnswerHead, Problem> {
    let mut lines = Lines(head);
    let status_line = lines.next().unwrap_or_default();
    let (version, status, reason) = status(status_line)?;
    let mut response = Response::new(Body::Empty);
    (*response.version_mut(), *response.status_mut()) = (version, status);
    if Some(reason) != status.canonical_reason().map(str::as_bytes)
        && let Ok(reason) = ReasonPhrase::try_from(reason)
    {
        response.extensions_mut().insert(reason);
    }
    // With room for what the proxy adds.
    let count = lines.clone().count();
    let mut headers = HeaderMap::with_capacity(count.min(LINES_MAX) + 1);
    for (count, line) in lines.take_while(|line| !line.is_empty()).enumerate() {
        if count >= LINES_MAX {
            return Err("too many header lines");
        }
        let (name, value) = field(line, head)?;
        headers.append(name, value);
    }
    let keeps = keeps(&headers, version);
    *response.headers_mut() = headers;
    Ok(AnswerHead { response, keeps })
}

/// The lines of a head, without their ends.
#[derive(Debug, Clone)]
struct Lines<'h>(&'h [u8]);

impl<'h> Iterator for Lines<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        let (line, rest) = self.0.split_at_checked(find(self.0, b'\n')?)?;
        self.0 = rest.get(1..).unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// `HTTP/1.1 200 OK`; the reason may be missing, and the space before it.
fn status(line: &[u8]) -> Result<(Version, StatusCode, &[u8]), Problem> {
    const BAD: Problem = "the status line is none";
    let (version, rest) = match line.strip_prefix(b"HTTP/1.").ok_or(BAD)? {
        [b'1', b' ', rest @ ..] => (Version::HTTP_11, rest),
        [b'0', b' ', rest @ ..] => (Version::HTTP_10, rest),
        _ => return Err(BAD),
    };
    let (digits, rest) = rest.split_at_checked(3).ok_or(BAD)?;
    let status = StatusCode::from_bytes(digits).map_err(|_| BAD)?;
    let reason = match rest {
        [] => rest,
        [b' ', reason @ ..] => reason,
        _ => return Err(BAD),
    };
    Ok((version, status, reason))
}

/// `name: value`, without white space before the colon.
fn field(line: &[u8], head: &Bytes) -> Result<(HeaderName, HeaderValue), Problem> {
    const BAD: Problem = "a header line is none";
    let colon = find(line, b':').ok_or(BAD)?;
    let (name, value) = line.split_at_checked(colon).ok_or(BAD)?;
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    let name = HeaderName::from_bytes(name).map_err(|_| BAD)?;
    let value = if value.is_empty() {
        HeaderValue::from_static("")
    } else {
        HeaderValue::from_maybe_shared(head.slice_ref(value)).map_err(|_| BAD)?
    };
    Ok((name, value))
}

fn keeps(headers: &HeaderMap, version: Version) -> bool {
    let names = |wanted: &str| {
        let lines = headers.get_all(CONNECTION).iter();
        lines
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    if version == Version::HTTP_11 { !names("close") } else { names("keep-alive") && !names("close") }
}

/// Where the body of an answer ends (RFC 9112, 6.3).
///
/// # Errors
/// It can be read in several ways.
pub(super) fn framed(response: &Response<Body>, method: &Method) -> Result<Framed, Problem> {
    let headers = response.headers();
    request_head::framing(headers).map_err(|malformed| malformed.0)?;
    if method == Method::HEAD || matches!(response.status().as_u16(), 204 | 304) {
        return Ok(Framed::Length(0));
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        return match response.version() {
            Version::HTTP_10 => Err("a transfer encoding in HTTP/1.0"),
            _ => Ok(Framed::Chunked),
        };
    }
    match headers.get(CONTENT_LENGTH) {
        Some(written) => length(written.as_bytes()).map(Framed::Length),
        None => Ok(Framed::UntilClose),
    }
}

/// Digits and nothing else.
fn length(value: &[u8]) -> Result<u64, Problem> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| is_number);
    text.and_then(|text| text.parse().ok()).ok_or("the length is no number")
}

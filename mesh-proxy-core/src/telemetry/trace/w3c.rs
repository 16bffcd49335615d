//! W3C Trace Context: `traceparent` and `tracestate`. Spec: W3C Trace Context, version 1.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::Arrived;
use super::context::{SpanId, TraceContext, TraceId};

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");
/// The most that is passed on, in bytes and in members; more is left out whole (Trace Context, 3.3.1.5 asks for at least
/// 512 bytes and at most 32 members).
pub const TRACE_STATE_BYTES_MAX: usize = 2048;
const TRACE_STATE_MEMBERS_MAX: usize = 32;

/// What a request says.
pub fn read(headers: &HeaderMap) -> Arrived {
    let mut lines = headers.get_all(TRACE_PARENT).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return Arrived::Nothing };
    match line.to_str().ok().and_then(parent) {
        Some(context) => Arrived::Parent(context, Some(context.sampled)),
        None => Arrived::Nothing,
    }
}

/// `00-TRACE-SPAN-FLAGS`; later versions may go on after a further dash.
fn parent(text: &str) -> Option<TraceContext> {
    const LENGTH: usize = 55;
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let mut parts = known.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_version = version.len() == 2 && version != "ff" && is_lower_hex(version);
    let is_whole = if version == "00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with('-') };
    if parts.next().is_some() || !is_version || !is_whole || flags.len() != 2 || trace.len() != 32 {
        return None;
    }
    if ![trace, span, flags].into_iter().all(is_lower_hex) {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    let (trace, span) = (TraceId::read(trace)?, SpanId::read(span)?);
    Some(TraceContext { trace, span, sampled: flags & 1 == 1, is_short: false })
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Tells the next hop. A `tracestate` goes on with the trace that it belongs to, if it is not too long.
pub fn write(headers: &mut HeaderMap, context: &TraceContext) {
    let goes_on = matches!(read(headers), Arrived::Parent(before, _) if before.trace == context.trace)
        && is_bounded(headers);
    if !goes_on {
        headers.remove(TRACE_STATE);
    }
    let flags = u8::from(context.sampled);
    let text = format!("00-{}-{}-{flags:02x}", context.trace.digits(false), context.span);
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(TRACE_PARENT, value);
    }
}

fn is_bounded(headers: &HeaderMap) -> bool {
    let lines = || headers.get_all(TRACE_STATE).iter().map(HeaderValue::as_bytes);
    let bytes: usize = lines().map(<[u8]>::len).sum();
    let members: usize = lines().map(|line| line.split(|byte| *byte == b',').count()).sum();
    bytes <= TRACE_STATE_BYTES_MAX && members <= TRACE_STATE_MEMBERS_MAX
}

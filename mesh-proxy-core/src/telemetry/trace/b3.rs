//! B3: the single header `b3`, and `x-b3-traceid`, `x-b3-spanid`, `x-b3-parentspanid`, `x-b3-sampled`, `x-b3-flags`.
//! Spec: openzipkin/b3-propagation, README.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::Arrived;
use super::context::{SpanId, TraceContext, TraceId};

const SINGLE: HeaderName = HeaderName::from_static("b3");
const TRACE_ID: HeaderName = HeaderName::from_static("x-b3-traceid");
const SPAN_ID: HeaderName = HeaderName::from_static("x-b3-spanid");
const PARENT_ID: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

/// What a request says; the single header first.
pub fn read(headers: &HeaderMap) -> Arrived {
    if headers.contains_key(SINGLE) {
        return only(headers, &SINGLE).and_then(single).unwrap_or_default();
    }
    several(headers).unwrap_or_default()
}

/// The one value of a header; `None`: there is none, or there are several.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?.to_str().ok()?;
    lines.next().is_none().then_some(line)
}

/// `TRACE-SPAN`, `TRACE-SPAN-SAMPLED`, `TRACE-SPAN-SAMPLED-PARENT`, or the wish alone.
fn single(text: &str) -> Option<Arrived> {
    let mut parts = text.split('-');
    let first = parts.next()?;
    let Some(span) = parts.next() else { return wish(first).map(Arrived::Wish) };
    let sampled = match parts.next() {
        Some(sampled) => Some(wish(sampled)?),
        None => None,
    };
    if let Some(parent) = parts.next() {
        SpanId::read(parent)?;
    }
    parts.next().is_none().then_some(())?;
    Some(Arrived::Parent(context(first, span, sampled)?, sampled))
}

fn several(headers: &HeaderMap) -> Option<Arrived> {
    let is_debug = only(headers, &FLAGS) == Some("1");
    let sampled = match headers.contains_key(SAMPLED) {
        // A wish that cannot be read makes the rest doubtful.
        true => Some(wish(only(headers, &SAMPLED)?)?),
        false => None,
    };
    let sampled = if is_debug { Some(true) } else { sampled };
    if !headers.contains_key(TRACE_ID) && !headers.contains_key(SPAN_ID) {
        return sampled.map(Arrived::Wish);
    }
    if headers.contains_key(PARENT_ID) {
        SpanId::read(only(headers, &PARENT_ID)?)?;
    }
    let context = context(only(headers, &TRACE_ID)?, only(headers, &SPAN_ID)?, sampled)?;
    Some(Arrived::Parent(context, sampled))
}

fn context(trace: &str, span: &str, sampled: Option<bool>) -> Option<TraceContext> {
    Some(TraceContext {
        trace: TraceId::read(trace)?,
        span: SpanId::read(span)?,
        sampled: sampled.unwrap_or(false),
        is_short: trace.len() == 16,
    })
}

/// `1` and `d` (debug) ask for spans, `0` for none; older libraries write `true` and `false`.
fn wish(text: &str) -> Option<bool> {
    match text {
        "1" | "d" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// Tells the next hop in several headers, as Envoy does; a single header that came along is written anew, so that no hop
/// reads two traces. What came of debugging goes on.
pub fn write(headers: &mut HeaderMap, context: &TraceContext, parent: Option<SpanId>) {
    let trace = context.trace.digits(context.is_short);
    let sampled = if context.sampled { "1" } else { "0" };
    if headers.contains_key(SINGLE) {
        let parent = parent.map(|parent| format!("-{parent}")).unwrap_or_default();
        put(headers, SINGLE, format!("{trace}-{}-{sampled}{parent}", context.span));
    }
    put(headers, TRACE_ID, trace);
    put(headers, SPAN_ID, context.span.to_string());
    match parent {
        Some(parent) => put(headers, PARENT_ID, parent.to_string()),
        None => {
            headers.remove(PARENT_ID);
        }
    }
    put(headers, SAMPLED, sampled.to_owned());
    if only(headers, &FLAGS) != Some("1") || !context.sampled {
        headers.remove(FLAGS);
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, text: String) {
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(name, value);
    }
}

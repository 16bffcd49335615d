//! Headers that a proxy itself puts on requests, takes off them, or makes values for.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use mesh_compile::proxy::proxy_headers::ProxyHeaders;
use mesh_compile::route_table::action::Forward;

use super::connection::Connection;
use super::hop_by_hop;
use crate::route_action;

/// What a request is called, from hop to hop.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How many tries there were, this one included (T-473).
pub(crate) const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
/// The path before a rewrite (T-175).
pub(crate) const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");

/// The authority before a route put its own there (as in Envoy since 1.33).
const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-envoy-original-host");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What an upstream is told of the authority that a route replaces (T-175, T-473).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// `x-envoy-original-host` says it.
    pub(crate) original: bool,
    /// It is appended to `x-forwarded-host`.
    pub(crate) forwarded: bool,
}

impl Replaced {
    /// What is told of it where `forward` replaces an authority.
    pub(crate) fn of(forward: &Forward, own: &ProxyHeaders) -> Self {
        let is_replaced = route_action::rewrites_authority(forward);
        Self {
            original: is_replaced && own.debug,
            forwarded: is_replaced && own.forwarded_host && forward.tells_authority,
        }
    }

    /// Tells of an authority.
    pub(crate) fn tell(self, headers: &mut HeaderMap, authority: &str) {
        if !(self.original || self.forwarded) {
            return;
        }
        let Ok(own) = HeaderValue::from_str(authority) else { return };
        if self.forwarded && !own.is_empty() && !is_told_last(headers, authority) {
            let told = appended(headers, &FORWARDED_HOST, own.clone());
            headers.insert(FORWARDED_HOST, told);
        }
        if self.original {
            headers.insert(ORIGINAL_HOST, own);
        }
    }
}

/// Whether the last host in `x-forwarded-host` is this one. A header of commas alone has none, and gets none, as in Envoy.
fn is_told_last(headers: &HeaderMap, authority: &str) -> bool {
    let lines = || headers.get_all(FORWARDED_HOST).iter().filter(|line| !line.is_empty());
    let mut tokens = lines().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    match tokens.rfind(|token| !token.is_empty()) {
        Some(last) => last == authority.as_bytes(),
        None => lines().next().is_some(),
    }
}

/// Takes off what goes no further, and what a client must not be believed; puts on what the next hop counts on.
pub(crate) fn prepare(headers: &mut HeaderMap, connection: &Connection, is_edge: bool, own: &ProxyHeaders) {
    hop_by_hop::remove(headers);
    if is_edge {
        let internal: Vec<HeaderName> =
            headers.keys().filter(|name| name.as_str().starts_with("x-envoy-")).cloned().collect();
        for name in internal {
            headers.remove(name);
        }
    }
    if own.request_id {
        identify(headers, connection, is_edge);
    }
}

/// Gives a request an id: one of its own where it has none, or came from outside.
pub(crate) fn identify(headers: &mut HeaderMap, connection: &Connection, is_edge: bool) {
    if is_edge || !headers.contains_key(REQUEST_ID) {
        headers.insert(REQUEST_ID, request_id(connection));
    }
}

/// What a header says in all of its lines, and then this.
fn appended(headers: &HeaderMap, name: &HeaderName, last: HeaderValue) -> HeaderValue {
    let mut before = headers.get_all(name).iter().filter(|line| !line.is_empty()).peekable();
    if before.peek().is_none() {
        return last;
    }
    let mut all = Vec::new();
    for line in before.chain([&last]) {
        if !all.is_empty() {
            all.push(b',');
        }
        all.extend_from_slice(line.as_bytes());
    }
    // Lines of a header joined are a line of it.
    HeaderValue::from_bytes(&all).unwrap_or(last)
}

/// A random UUID (RFC 9562, version 4).
fn request_id(connection: &Connection) -> HeaderValue {
    let dice = &connection.proxy.dice;
    let (high, low) = (dice.roll(), dice.roll());
    HeaderValue::from_bytes(&uuid(high, low)).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Random bits as the text of a UUID, without the machinery of formatting: every request at an edge has one.
fn uuid(high: u64, low: u64) -> [u8; 36] {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(3 << 62)) | (2 << 62);
    let [a, b, c, d] = hexadecimal(high);
    let [e, f, g, h] = hexadecimal(low);
    let mut text = [b'-'; 36];
    // Groups of 8, 4, 4, 4 and 12 digits with a dash between them.
    for (place, digits) in [(0, a), (4, b), (9, c), (14, d), (19, e), (24, f), (28, g), (32, h)] {
        if let Some(part) = text.get_mut(place..place + 4) {
            part.copy_from_slice(&digits);
        }
    }
    text
}

/// Sixteen digits, four by four. All digits of a half are made in one step, each in a byte of its own.
fn hexadecimal(bits: u64) -> [[u8; 4]; 4] {
    let quarter = |shift: u32| {
        let half = (bits >> shift) & 0xffff;
        // The four digits, each in the low half of its byte, the first of them lowest.
        let spread = (half >> 12) | ((half >> 8) & 0xf) << 8 | ((half >> 4) & 0xf) << 16 | (half & 0xf) << 24;
        let digits = spread as u32;
        // From ten on `a` follows.
        let is_letter = ((digits + 0x0606_0606) >> 4) & 0x0101_0101;
        (digits + 0x3030_3030 + is_letter * u32::from(b'a' - b'0' - 10)).to_le_bytes()
    };
    [quarter(48), quarter(32), quarter(16), quarter(0)]
}

#[cfg(test)]
mod tests;

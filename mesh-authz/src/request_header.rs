//! Header lines as matchers see them (E-001, E-085).

use std::borrow::Cow;

use mesh_model::facts::RequestFacts;

/// Headers that Envoy keeps in one piece: repeated lines are joined with `,` while they are parsed. Sorted.
const JOINED: &[&str] = &[
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "grpc-accept-encoding",
    "grpc-timeout",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "origin",
    "pragma",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
];

/// The values of a header, one for each line, or one for all lines where Envoy joins them; pseudo-headers included.
/// `name` is lower case.
pub(crate) fn values<'r>(request: &'r RequestFacts<'_>, name: &'r str) -> Vec<Cow<'r, [u8]>> {
    match name {
        ":authority" | "host" => return vec![Cow::Borrowed(request.authority.as_bytes())],
        ":method" => return vec![Cow::Borrowed(request.method.as_bytes())],
        ":path" => return vec![Cow::Borrowed(request.path.as_bytes())],
        ":scheme" => return vec![Cow::Borrowed(request.scheme.as_bytes())],
        _ => {}
    }
    let lines: Vec<_> = request.headers.values(name).map(Cow::Borrowed).collect();
    if lines.len() > 1 && JOINED.binary_search(&name).is_ok() {
        return vec![Cow::Owned(lines.join(&b','))];
    }
    lines
}

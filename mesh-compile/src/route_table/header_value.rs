//! The values of a header as matchers see them: one by one (E-001), or joined where the proxy keeps a header inline (E-085).

use mesh_model::facts::RequestFacts;

/// Request headers that the proxy joins with `,` as they arrive (E-085). Sorted.
const INLINE: &[&str] = &[
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "authentication",
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
    "proxy-status",
    "referer",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-client-trace-id",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-is-timeout-retry",
    "x-envoy-max-retries",
    "x-envoy-original-path",
    "x-envoy-original-url",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
];

/// Whether repeated lines of this header (lower case) count as one value (E-085).
pub fn is_inline(name: &str) -> bool {
    INLINE.binary_search(&name).is_ok()
}

/// What a header matcher looks at.
#[derive(Debug)]
pub(super) enum HeaderValues<'r> {
    /// No such header.
    Missing,
    /// One value.
    One(&'r [u8]),
    /// Several lines of an inline header, joined.
    Joined(Vec<u8>),
    /// Several lines, each a value of its own.
    Each(&'r RequestFacts<'r>, &'r str),
}

impl HeaderValues<'_> {
    /// Whether there is a value.
    pub(super) fn is_present(&self) -> bool {
        !matches!(self, Self::Missing)
    }

    /// Whether one of the values fits.
    pub(super) fn any(&self, mut fits: impl FnMut(&[u8]) -> bool) -> bool {
        match self {
            Self::Missing => false,
            Self::One(value) => fits(value),
            Self::Joined(value) => fits(value),
            Self::Each(request, name) => request.headers.values(name).any(fits),
        }
    }
}

/// The values of a header or pseudo-header; allocates only to join repeated inline headers.
pub(super) fn header_values<'r>(request: &'r RequestFacts<'_>, name: &'r str) -> HeaderValues<'r> {
    if let Some(value) = pseudo_header(request, name) {
        return HeaderValues::One(value.as_bytes());
    }
    let mut values = request.headers.values(name);
    match (values.next(), values.next()) {
        (None, _) => HeaderValues::Missing,
        (Some(only), None) => HeaderValues::One(only),
        (Some(_), Some(_)) if is_inline(name) => HeaderValues::Joined(joined(request, name)),
        (Some(_), Some(_)) => HeaderValues::Each(request, name),
    }
}

/// `:path` is the whole of it, query included; a header named `host` is the authority.
fn pseudo_header<'r>(request: &'r RequestFacts<'_>, name: &str) -> Option<&'r str> {
    match name {
        ":method" => Some(&request.method),
        ":authority" | "host" => Some(&request.authority),
        ":scheme" => Some(&request.scheme),
        ":path" => Some(&request.path),
        _ => None,
    }
}

/// Empty lines leave no trace in the joined value, not even a comma.
fn joined(request: &RequestFacts<'_>, name: &str) -> Vec<u8> {
    let lines: Vec<&[u8]> = request.headers.values(name).filter(|line| !line.is_empty()).collect();
    lines.join(&b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_inline_headers_are_sorted() {
        assert!(INLINE.is_sorted());
    }

    #[test]
    fn e_085_well_known_headers_are_inline_and_others_are_not() {
        for name in
            ["accept", "authorization", "origin", "x-forwarded-for", "x-request-id", "user-agent", "te"]
        {
            assert!(is_inline(name), "{name}");
        }
        assert!(!is_inline("x-user") && !is_inline("cookie"));
    }
}

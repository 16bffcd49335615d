//! Which request headers are one value however many lines carry them (E-085).

/// Request headers that the proxy joins with `,` as they arrive. Sorted.
const INLINE: &[&str] = &[
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
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

/// Whether repeated lines of this request header (lower case) count as one value (E-085).
pub fn is_inline_header(name: &str) -> bool {
    INLINE.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Headers;

    #[test]
    fn the_names_are_sorted() {
        assert!(INLINE.is_sorted());
    }

    #[test]
    fn e_085_well_known_headers_are_inline_and_others_are_not() {
        for name in
            ["accept", "authorization", "origin", "x-forwarded-for", "x-request-id", "user-agent", "te"]
        {
            assert!(is_inline_header(name), "{name}");
        }
        assert!(!is_inline_header("x-user") && !is_inline_header("cookie"));
    }

    #[test]
    fn empty_lines_leave_no_comma() {
        let mut headers = Headers::default();
        for value in ["", "a", "", "b"] {
            headers.push("accept", value.as_bytes());
        }
        assert_eq!(headers.joined("accept"), b"a,b");
    }
}

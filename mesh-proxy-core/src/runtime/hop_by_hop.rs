//! Headers that belong to one connection and go no further (RFC 9110, 7.6.1).

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Version};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

static ALL: [HeaderName; 6] = [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE, TE];

/// What a `connection` header cannot take away: rules and upstreams count on them.
const PROTECTED: [HeaderName; 4] = [CONTENT_LENGTH, HOST, AUTHORIZATION, COOKIE];

/// Takes hop-by-hop headers out, those that `connection` names too; `te: trailers` stays, as gRPC needs it.
pub(crate) fn remove(headers: &mut HeaderMap) {
    // Mostly there is none: one look at the names, in the place of one search for each.
    if !headers.keys().any(|name| ALL.contains(name)) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .filter(|name| !PROTECTED.contains(name) && !name.as_str().starts_with("x-forwarded-") && *name != TE)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in ALL.iter().filter(|name| **name != TE) {
        headers.remove(name);
    }
    let wants_trailers = headers
        .get_all(TE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"));
    headers.remove(TE);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Takes out of trailers what only a head may say: framing, routing, identity (RFC 9110, 6.5.1).
pub(crate) fn remove_from_trailers(trailers: &mut HeaderMap) {
    for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE, TE, TRAILER] {
        trailers.remove(name);
    }
    for name in PROTECTED {
        trailers.remove(name);
    }
    let of_head: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            ["content-", "x-forwarded-", "x-envoy-"].iter().any(|prefix| name.starts_with(prefix))
        })
        .cloned()
        .collect();
    for name in of_head {
        trailers.remove(name);
    }
}

/// The protocol that an HTTP/1.1 request wants to change to; `None`: none.
pub(crate) fn upgrade(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let asks = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    if asks && version == Version::HTTP_11 { headers.get(UPGRADE).cloned() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn named_headers_go_and_protected_ones_stay() {
        let mut found = headers(&[
            ("connection", "close, X-Own, authorization, host"),
            ("x-own", "1"),
            ("authorization", "Bearer x"),
            ("te", "gzip, trailers"),
            ("transfer-encoding", "chunked"),
            ("accept", "*/*"),
        ]);
        remove(&mut found);
        let mut names: Vec<&str> = found.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "authorization", "te"]);
        assert_eq!(found[TE], "trailers");
    }

    #[test]
    fn trailers_say_nothing_that_is_a_heads_to_say() {
        let mut found = headers(&[
            ("content-length", "5"),
            ("host", "a"),
            ("x-forwarded-for", "1"),
            ("grpc-status", "0"),
        ]);
        remove_from_trailers(&mut found);
        assert_eq!(found.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["grpc-status"]);
    }

    #[test]
    fn an_upgrade_needs_both_headers_and_http_1_1() {
        let found = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert_eq!(upgrade(&found, Version::HTTP_11).unwrap(), "websocket");
        assert_eq!(upgrade(&found, Version::HTTP_10), None);
        assert_eq!(upgrade(&headers(&[("upgrade", "websocket")]), Version::HTTP_11), None);
    }
}

mod mutants;
mod paths;
mod slow;

use std::borrow::Cow;

use mesh_compile::proxy::listener::PathNormalization;
use mesh_compile::proxy::proxy_headers::{ClientCertificateDetails, ProxyHeaders};

use super::*;

fn manager() -> HttpManager {
    HttpManager {
        route_table: "80".into(),
        authn: None,
        authz: None,
        normalization: PathNormalization::Base,
        http10: false,
        use_remote_address: false,
        trusted_hops: 0,
        ..HttpManager::bare("")
    }
}

fn edge(trusted_hops: u32) -> HttpManager {
    HttpManager { use_remote_address: true, trusted_hops, ..manager() }
}

fn connection() -> ConnectionFacts<'static> {
    ConnectionFacts {
        src_ip: "10.0.0.9".parse().unwrap(),
        dst_ip: "10.0.0.1".parse().unwrap(),
        dst_port: 80,
        tls: None,
        proxied_ip: None,
    }
}

fn request(headers: &[(&'static str, &'static str)]) -> RequestFacts<'static> {
    RequestFacts {
        version: HttpVersion::Http11,
        method: Cow::Borrowed("GET"),
        scheme: Cow::Borrowed("http"),
        authority: Cow::Borrowed("a.example.com"),
        path: Cow::Borrowed("/"),
        headers: Headers {
            entries: headers
                .iter()
                .map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(value.as_bytes())))
                .collect(),
        },
    }
}

fn refusal(request: &RequestFacts<'_>) -> Option<(ReplyReason, u16)> {
    canonicalize(&manager(), &connection(), Terminated::No, request)
        .err()
        .map(|reply| (reply.reason, reply.status))
}

#[test]
fn http1_methods_have_no_lower_case_letters_but_http2_takes_any() {
    let mut request = RequestFacts { method: Cow::Borrowed("Get"), ..request(&[]) };
    assert_eq!(refusal(&request), Some((ReplyReason::BadRequest, 400)));
    request.version = HttpVersion::Http2;
    assert_eq!(refusal(&request), None);
}

#[test]
fn http10_is_426_after_the_codec_looked() {
    let mut request = RequestFacts { version: HttpVersion::Http10, ..request(&[]) };
    assert_eq!(refusal(&request), Some((ReplyReason::Http10, 426)));
    request.path = Cow::Borrowed("/\u{e9}");
    assert_eq!(refusal(&request), Some((ReplyReason::BadPath, 400)));
}

#[test]
fn authorities_with_forbidden_characters_are_refused_and_the_empty_one_is_not() {
    for authority in ["a b", "a/b", "a\"", "a#", "<a", "a>", "a?", "a\\", "^", "`", "{", "|", "}", "\u{e9}"] {
        let request = RequestFacts { authority: Cow::Borrowed(authority), ..request(&[]) };
        assert_eq!(refusal(&request), Some((ReplyReason::BadAuthority, 400)), "{authority}");
    }
    for authority in ["", "a:80", "[::1]:80", "a@b"] {
        let request = RequestFacts { authority: Cow::Borrowed(authority), ..request(&[]) };
        assert_eq!(refusal(&request), None, "{authority}");
    }
}

#[test]
fn paths_are_absolute_and_without_nul() {
    // S-198; over HTTP/1 the codec looks first.
    for (method, path, http1, http2) in [
        ("GET", "*", 400, 404),
        ("GET", "", 400, 404),
        ("GET", "a", 400, 404),
        ("OPTIONS", "*", 404, 404),
        ("GET", "http://a?x", 404, 404),
        ("GET", "/%00", 400, 400),
    ] {
        for (version, status) in [(HttpVersion::Http11, http1), (HttpVersion::Http2, http2)] {
            let method = Cow::Borrowed(method);
            let request = RequestFacts { method, version, path: Cow::Borrowed(path), ..request(&[]) };
            assert_eq!(refusal(&request), Some((ReplyReason::BadPath, status)), "{path}");
        }
    }
}

#[test]
fn an_absolute_target_names_scheme_and_authority() {
    let request = RequestFacts { path: Cow::Borrowed("HTTP://b.example.com:81"), ..request(&[]) };
    assert_eq!(canonicalize(&manager(), &connection(), Terminated::No, &request).unwrap().request.path, "/");
    let request = RequestFacts { path: Cow::Borrowed("http://b.example.com#x"), ..request };
    assert_eq!(refusal(&request), Some((ReplyReason::BadAuthority, 400)));
    let request = RequestFacts { path: Cow::Borrowed("https://b.example.com:81/x"), ..request };
    let canonical = canonicalize(&manager(), &connection(), Terminated::No, &request).unwrap();
    assert_eq!(canonical.request.authority, "b.example.com:81");
    assert_eq!(canonical.request.path, "/x");
    assert_eq!(canonical.request.scheme, "https");
}

#[test]
fn forwarded_proto_counts_where_it_is_trusted() {
    let request = request(&[("X-Forwarded-Proto", "https")]);
    let of = |manager: &HttpManager| {
        let canonical = canonicalize(manager, &connection(), Terminated::No, &request).unwrap();
        (canonical.forwarded_proto().into_owned(), canonical.request.scheme.into_owned())
    };
    assert_eq!(of(&manager()), ("https".to_owned(), "https".to_owned()));
    assert_eq!(of(&edge(0)), ("http".to_owned(), "http".to_owned()));
    assert_eq!(of(&edge(1)), ("https".to_owned(), "https".to_owned()));
}

#[test]
fn forwarded_proto_keeps_its_case_and_http2_its_scheme() {
    let mut request = request(&[("x-forwarded-proto", "HTTPS")]);
    let canonical = canonicalize(&manager(), &connection(), Terminated::No, &request).unwrap();
    assert_eq!(canonical.forwarded_proto(), "HTTPS");
    assert_eq!(canonical.request.scheme, "https");
    request.version = HttpVersion::Http2;
    let canonical = canonicalize(&manager(), &connection(), Terminated::No, &request).unwrap();
    assert_eq!(canonical.request.scheme, "http");
}

#[test]
fn remote_address_by_trusted_hops() {
    // Hops, X-Forwarded-For, at an edge, at a sidecar (E-010, E-083, S-220).
    let table = [
        (0, "1.1.1.1, 2.2.2.2", "10.0.0.9", "2.2.2.2"),
        (1, "1.1.1.1, 2.2.2.2", "2.2.2.2", "1.1.1.1"),
        (2, "56.5.6.7, 72.9.5.6, 98.1.2.3", "72.9.5.6", "56.5.6.7"),
        (3, "1.1.1.1", "10.0.0.9", "10.0.0.9"),
        (1, "1.1.1.1, nobody", "10.0.0.9", "1.1.1.1"),
        (2, "1.1.1.1, nobody", "1.1.1.1", "10.0.0.9"),
        (1, "1.1.1.1,", "10.0.0.9", "1.1.1.1"),
        (1, "::1", "::1", "10.0.0.9"),
    ];
    for (hops, header, at_edge, at_sidecar) in table {
        let request = request(&[("x-forwarded-for", header)]);
        let sidecar = HttpManager { trusted_hops: hops, ..manager() };
        for (manager, wanted) in [(edge(hops), at_edge), (sidecar, at_sidecar)] {
            let canonical = canonicalize(&manager, &connection(), Terminated::No, &request).unwrap();
            assert_eq!(canonical.remote_ip.to_string(), wanted, "{hops} hops, {header}");
        }
    }
}

#[test]
fn an_edge_appends_its_peer_to_forwarded_for() {
    let request = request(&[("X-Forwarded-For", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")]);
    let canonical = canonicalize(&edge(0), &connection(), Terminated::No, &request).unwrap();
    let values: Vec<_> = canonical.request.headers.values("x-forwarded-for").collect();
    assert_eq!(values, [b"1.1.1.1,2.2.2.2,10.0.0.9"]);
}

#[test]
fn header_names_become_lower_case() {
    let request = request(&[("X-User", "Bob")]);
    let canonical = canonicalize(&manager(), &connection(), Terminated::No, &request).unwrap();
    assert_eq!(canonical.request.headers.entries[0].0, "x-user");
}

#[test]
fn white_space_around_a_value_is_none_of_it_over_http1() {
    let mut request = request(&[("authorization", " Bearer ")]);
    let value = |request: &RequestFacts<'_>| {
        let canonical = canonicalize(&manager(), &connection(), Terminated::No, request).unwrap();
        canonical.request.headers.first("authorization").unwrap().to_vec()
    };
    assert_eq!(value(&request), b"Bearer");
    request.version = HttpVersion::Http2;
    assert_eq!(value(&request), b" Bearer ");
}

fn lines<'c>(canonical: &'c Canonical<'_>, name: &'c str) -> Vec<&'c str> {
    canonical.request.headers.values(name).map(|value| std::str::from_utf8(value).unwrap()).collect()
}

#[test]
fn t_473_forwarded_port_is_told_where_it_is_wanted_and_counts_where_it_is_trusted() {
    const PORT: &str = "x-forwarded-port";
    let wanted = |manager: HttpManager| {
        let headers = ProxyHeaders { forwarded_port: true, ..(*manager.headers).clone() };
        HttpManager { headers: headers.into(), ..manager }
    };
    for (manager, given, told) in [
        (manager(), &[][..], &[][..]),
        (manager(), &["99"], &["99"]),
        (wanted(manager()), &[], &["80"]),
        (wanted(manager()), &["99"], &["99"]),
        (wanted(edge(0)), &[], &["80"]),
        (wanted(edge(0)), &["99", "98"], &["80"]),
        (wanted(edge(1)), &["99"], &["99"]),
        (wanted(edge(1)), &[], &["80"]),
    ] {
        let given: Vec<_> = given.iter().map(|value| (PORT, *value)).collect();
        let request = request(&given);
        let canonical = canonicalize(&manager, &connection(), Terminated::No, &request).unwrap();
        assert_eq!(lines(&canonical, PORT), told, "{given:?}");
    }
}

#[test]
fn s_345_to_s_351_rules_hear_of_a_clients_certificate_what_the_upstream_does() {
    const NAME: &str = "x-forwarded-client-cert";
    let details = ClientCertificateDetails { cert: false, chain: false, subject: true, uri: true, dns: true };
    let (append, set) =
        (ClientCertificateHeader::AppendForward(details), ClientCertificateHeader::SanitizeSet(details));
    let kept = vec!["one", "", "two"];
    let shown = Terminated::Certified(Some(b"Hash=own"));
    let untold = Terminated::Certified(None);
    for (mode, client, wanted) in [
        (ClientCertificateHeader::Sanitize, shown, vec![]),
        (ClientCertificateHeader::ForwardOnly, Terminated::No, vec![]),
        // TLS alone is no certificate.
        (ClientCertificateHeader::ForwardOnly, Terminated::Anonymous, vec![]),
        (ClientCertificateHeader::ForwardOnly, Terminated::Named, kept.clone()),
        (ClientCertificateHeader::ForwardOnly, untold, kept.clone()),
        (append, Terminated::No, vec![]),
        (append, Terminated::Anonymous, vec![]),
        (append, Terminated::Named, kept.clone()),
        (append, shown, vec!["one,two,Hash=own"]),
        (append, untold, vec![]),
        (set, Terminated::No, vec![]),
        (set, Terminated::Anonymous, vec![]),
        (set, Terminated::Named, vec![]),
        (set, shown, vec!["Hash=own"]),
        (set, untold, vec![]),
        (ClientCertificateHeader::AlwaysForwardOnly, Terminated::No, kept.clone()),
        (ClientCertificateHeader::AlwaysForwardOnly, shown, kept),
    ] {
        let headers = ProxyHeaders { client_certificate: mode, ..(*manager().headers).clone() };
        let manager = HttpManager { headers: headers.into(), ..manager() };
        let sent = request(&[(NAME, "one"), ("a", "b"), (NAME, ""), (NAME, "two")]);
        let canonical = canonicalize(&manager, &connection(), client, &sent).unwrap();
        assert_eq!(lines(&canonical, NAME), wanted, "{mode:?} {client:?}");
        let silent = request(&[(NAME, "")]);
        let canonical = canonicalize(&manager, &connection(), client, &silent).unwrap();
        if mode == append && client == shown {
            assert_eq!(lines(&canonical, NAME), ["Hash=own"], "nothing is in front of it");
        }
    }
}

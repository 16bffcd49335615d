//! What makes a request canonical, with one known bug each, and the request that tells it from ours. The bugs of paths
//! are in `slow.rs`.

use super::*;

type Planted = fn(&mut HttpManager, &mut RequestFacts<'static>);

/// Row of the list of attacks, the bug, what the one with the bug takes for its settings or for what came; then the
/// question and what is right.
struct Mutant(&'static str, &'static str, Planted, HttpManager, RequestFacts<'static>, &'static str);

/// Status, or scheme, authority, path and client.
fn answer(manager: &HttpManager, request: &RequestFacts<'_>) -> String {
    match canonicalize(manager, &connection(), Terminated::No, request) {
        Ok(Canonical { request, remote_ip }) => {
            format!("{}://{}{} for {remote_ip}", request.scheme, request.authority, request.path)
        }
        Err(rejection) => rejection.status.to_string(),
    }
}

fn with_path(path: &'static str) -> RequestFacts<'static> {
    RequestFacts { path: path.into(), ..request(&[]) }
}

fn with_host(authority: &'static str) -> RequestFacts<'static> {
    RequestFacts { authority: authority.into(), ..request(&[]) }
}

/// The path, as somebody reads it.
fn path(request: &mut RequestFacts<'static>, from: &str, to: &str) {
    request.path = request.path.replace(from, to).into();
}

/// The host up to some letter.
fn host(request: &mut RequestFacts<'static>, end: char) {
    request.authority = request.authority.split(end).next().unwrap().to_owned().into();
}

const PEER: &str = "http://a.example.com/ for 10.0.0.9";
const FORWARDED: &str = "http://a.example.com/ for 2.2.2.2";

#[rustfmt::skip]
fn mutants() -> Vec<Mutant> {
    let spoofed = || request(&[("x-forwarded-for", "10.9.9.9, 2.2.2.2")]);
    let http10 = RequestFacts { version: HttpVersion::Http10, ..request(&[]) };
    let star = RequestFacts { method: "OPTIONS".into(), ..with_path("*") };
    let no_path = RequestFacts { version: HttpVersion::Http2, ..with_path("") };
    let over_tls = request(&[("x-forwarded-proto", "https")]);
    let absolute = with_path("http://b.example.com/x");
    let absolute_seen = "http://b.example.com/x for 10.0.0.9";
    let upper = with_path("HTTPS://b.example.com/x");
    let upper_seen = "https://b.example.com/x for 10.0.0.9";
    vec![
        Mutant("P03", "a NUL is left out", |_, seen| path(seen, "\0", ""), manager(), with_path("/a\0/x"), "400"),
        Mutant("P03", "a blank is left out", |_, seen| path(seen, " ", ""), manager(), with_path("/a b"), "400"),
        Mutant("P03", "a tab is left out", |_, seen| path(seen, "\t", ""), manager(), with_path("/a\tb"), "400"),
        Mutant("P08", "a host ends at a blank", |_, seen| host(seen, ' '), manager(), with_host("a.com b.com"), "400"),
        Mutant("P08", "a host ends at a slash", |_, seen| host(seen, '/'), manager(), with_host("a.com/x"), "400"),
        Mutant("P09", "HTTP/1.0 is served", |manager, _| manager.http10 = true, manager(), http10, "426"),
        Mutant("P10", "the host line wins", |_, seen| path(seen, "http://b.example.com", ""), manager(), absolute, absolute_seen),
        Mutant("P10", "schemes have letter case", |_, seen| path(seen, "HTTPS://b.example.com", ""), manager(), upper, upper_seen),
        Mutant("P11", "`OPTIONS *` asks for the root", |_, seen| path(seen, "*", "/"), manager(), star, "404"),
        Mutant("P11", "no path is the root", |_, seen| seen.path = "/".into(), manager(), no_path, "404"),
        Mutant("P13", "a client is believed at an edge", |edge, _| edge.use_remote_address = false, edge(0), spoofed(), PEER),
        Mutant("P13", "one hop too many is trusted", |edge, _| edge.trusted_hops += 1, edge(1), spoofed(), FORWARDED),
        Mutant("P13", "hops are counted from the client", |_, seen| {
            seen.headers.remove("x-forwarded-for");
            seen.headers.push("x-forwarded-for", &b"2.2.2.2, 10.9.9.9"[..]);
        }, edge(1), spoofed(), FORWARDED),
        Mutant("P13", "a client is believed to come over TLS", |edge, _| edge.trusted_hops = 1, edge(0), over_tls, PEER),
    ]
}

#[test]
fn every_planted_bug_is_told_from_ours() {
    for Mutant(row, bug, planted, mut manager, mut request, right) in mutants() {
        assert_eq!(answer(&manager, &request), right, "row {row}: ours has the bug: {bug}");
        planted(&mut manager, &mut request);
        assert_ne!(answer(&manager, &request), right, "row {row}: nobody would see: {bug}");
    }
}

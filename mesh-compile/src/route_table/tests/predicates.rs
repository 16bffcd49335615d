use serde_json::{Map, Value, json};

use super::*;

fn header(name: &str, value: ValueMatch) -> HeaderMatch {
    HeaderMatch { name: name.into(), value, invert: false, missing_is_empty: false }
}

fn text(text: &str) -> ValueMatch {
    ValueMatch::Text(TextMatch::Exact(text.into()))
}

fn with_header(matcher: HeaderMatch) -> RouteMatch {
    RouteMatch { headers: vec![matcher].into(), ..prefix("/") }
}

fn with_query(name: &str, value: ValueMatch) -> RouteMatch {
    RouteMatch { query: vec![QueryMatch { name: name.into(), value }].into(), ..prefix("/") }
}

fn with_lines<'a>(lines: &[(&'a str, &'a str)]) -> RequestFacts<'a> {
    let mut request = request("/");
    for (name, value) in lines {
        request.headers.push(*name, value.as_bytes());
    }
    request
}

fn inverted(matcher: HeaderMatch) -> HeaderMatch {
    HeaderMatch { invert: true, ..matcher }
}

#[test]
fn t_135_an_exact_path_is_compared_without_query_and_fragment() {
    assert!(fits(exact("/a"), &request("/a?b=c")));
    assert!(fits(exact("/a"), &request("/a#f?b")));
    assert!(!fits(exact("/a"), &request("/a/")));
}

#[test]
fn t_136_a_prefix_is_no_segment() {
    assert!(fits(prefix("/foo"), &request("/foobar")));
    assert!(!fits(prefix("/foo"), &request("/fo")));
}

#[test]
fn a_segment_prefix_ends_at_a_slash_or_the_end() {
    let matcher = RouteMatch::path(PathMatch::SegmentPrefix("/foo".into()));
    assert!(fits(matcher.clone(), &request("/foo")));
    assert!(fits(matcher.clone(), &request("/foo/bar?x")));
    assert!(!fits(matcher, &request("/foobar")));
}

#[test]
fn t_137_a_regex_matches_the_whole_path_without_query() {
    assert!(fits(regex("/api/v[0-9]"), &request("/api/v1?x=1")));
    assert!(!fits(regex("/api/v[0-9]"), &request("/api/v1/users")));
    assert!(fits(regex("/a|/b"), &request("/b")));
    assert!(!fits(regex("/a|/b"), &request("/bc")));
}

#[test]
fn t_138_case_is_ignored_where_asked_in_ascii_only() {
    let matcher = |text: &str| RouteMatch::path(PathMatch::Prefix(text.into(), Case::Insensitive));
    assert!(fits(matcher("/API"), &request("/api/x")));
    assert!(!fits(matcher("/É"), &request("/é")));
    assert!(fits(RouteMatch::path(PathMatch::Exact("/API".into(), Case::Insensitive)), &request("/aPi")));
}

#[test]
fn t_139_the_empty_prefix_matches_every_path() {
    assert!(fits(prefix(""), &request("*")));
    assert!(fits(prefix(""), &request("")));
}

#[test]
fn t_140_the_authority_is_seen_as_received() {
    assert!(fits(with_header(header(":authority", text("reviews:9080"))), &request("/")));
    assert!(!fits(with_header(header(":authority", text("reviews"))), &request("/")));
    assert!(fits(with_header(header("host", text("reviews:9080"))), &request("/")));
    assert!(!fits(with_header(header(":method", text("get"))), &request("/")));
    assert!(fits(with_header(header(":scheme", text("http"))), &request("/")));
    assert!(fits(with_header(header(":path", text("/a?b"))), &request("/a?b")));
}

#[test]
fn e_001_repeated_headers_are_matched_value_by_value() {
    let request = with_lines(&[("x", "a"), ("X", "b")]);
    assert!(fits(with_header(header("x", text("a"))), &request));
    assert!(fits(with_header(header("x", text("b"))), &request));
    assert!(!fits(with_header(header("x", text("a,b"))), &request));
    assert!(fits(with_header(header("x", text("a,b"))), &with_lines(&[("x", "a,b")])));
}

#[test]
fn e_085_inline_headers_are_joined_first() {
    let request = with_lines(&[("user-agent", "a"), ("user-agent", ""), ("user-agent", "b")]);
    assert!(fits(with_header(header("user-agent", text("a,b"))), &request));
    assert!(!fits(with_header(header("user-agent", text("a"))), &request));
}

#[test]
fn e_002_an_inverted_matcher_needs_the_header() {
    let not_a = || inverted(header("x", text("a")));
    assert!(!fits(with_header(not_a()), &request("/")));
    assert!(fits(with_header(not_a()), &with_lines(&[("x", "b")])));
    assert!(!fits(with_header(not_a()), &with_lines(&[("x", "b"), ("x", "a")])));
    assert!(fits(with_header(HeaderMatch { missing_is_empty: true, ..not_a() }), &request("/")));
}

#[test]
fn t_143_an_absent_header_is_the_empty_text_to_without_headers() {
    let any = ValueMatch::Text(TextMatch::Regex(Pattern::full_match(".*").unwrap()));
    let matcher = HeaderMatch { missing_is_empty: true, ..inverted(header("x", any)) };
    assert!(!fits(with_header(matcher), &request("/")));
}

#[test]
fn e_003_presence_is_of_the_line_not_of_text() {
    assert!(fits(with_header(header("x", ValueMatch::Present)), &with_lines(&[("x", "")])));
    assert!(!fits(with_header(header("x", ValueMatch::Present)), &request("/")));
    assert!(fits(with_header(inverted(header("x", ValueMatch::Present))), &request("/")));
    assert!(fits(with_header(header("x", ValueMatch::Absent)), &request("/")));
    assert!(!fits(with_header(inverted(header("x", ValueMatch::Absent))), &request("/")));
}

#[test]
fn t_144_the_first_occurrence_in_the_raw_query_counts() {
    assert!(fits(with_query("q", text("1")), &request("/?q=1&q=2")));
    assert!(!fits(with_query("q", text("2")), &request("/?q=1&q=2")));
    assert!(!fits(with_query("q", text("a b")), &request("/?q=a%20b")));
    assert!(fits(with_query("q", text("a=b")), &request("/?q=a=b")));
    assert!(fits(with_query("q", text("")), &request("/?q")));
    assert!(fits(with_query("q", ValueMatch::Present), &request("/?q")));
    assert!(!fits(with_query("q", ValueMatch::Present), &request("/?Q=1")));
    assert!(!fits(with_query("q", text("")), &request("/")));
}

fn claims(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn with_claim(path: &[&str], value: ValueMatch, invert: bool) -> VirtualHost {
    let path = path.iter().map(|name| Arc::from(*name)).collect();
    let matcher = RouteMatch { claims: vec![ClaimMatch { path, value, invert }].into(), ..prefix("/") };
    host("h", &["*"], vec![route("r", matcher)])
}

#[test]
fn t_145_a_claim_is_a_text_or_any_element_of_a_list() {
    let token = claims(&json!({"sub": "a", "groups": ["x", "y"], "n": 1, "in": {"ner": "z"}}));
    let find = |host: VirtualHost| host.find(&request("/"), Some(&token), &mut ()).is_some();
    assert!(find(with_claim(&["sub"], text("a"), false)));
    assert!(find(with_claim(&["groups"], text("y"), false)));
    assert!(find(with_claim(&["in", "ner"], text("z"), false)));
    assert!(!find(with_claim(&["n"], text("1"), false)));
    assert!(!find(with_claim(&["in"], text("z"), false)));
    assert!(!find(with_claim(&["groups"], text("y"), true)));
}

#[test]
fn t_146_without_a_token_only_inverted_claims_match() {
    let find = |host: VirtualHost| host.find(&request("/"), None, &mut ()).is_some();
    assert!(!find(with_claim(&["sub"], text("a"), false)));
    assert!(find(with_claim(&["sub"], text("a"), true)));
}

#[test]
fn a_trace_names_the_first_predicate_that_failed() {
    let user = with_header(header("x-user", text("bob")));
    let host = host(
        "h",
        &["*"],
        vec![route("a", exact("/x")), route("b", user), route("c", prefix("/")), route("d", prefix("/"))],
    );
    let mut trace = Trace::default();
    assert_eq!(&*host.find(&request("/"), None, &mut trace).unwrap().name, "c");
    let outcomes: Vec<_> = trace.steps.iter().map(|step| step.outcome).collect();
    assert_eq!(outcomes, [Outcome::Lost, Outcome::Lost, Outcome::Won, Outcome::NotAsked]);
    let because: Vec<_> = trace.steps.iter().filter_map(|step| step.because.clone()).collect();
    assert_eq!((&*because[0].field, &*because[0].wanted, &*because[0].got), ("path", "exact /x", "/"));
    assert_eq!(
        (&*because[1].field, &*because[1].wanted, &*because[1].got),
        ("header x-user", "exact bob", "absent")
    );
}

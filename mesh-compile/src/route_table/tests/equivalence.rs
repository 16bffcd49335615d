//! Index = oracle, production = trace, on random tables over a small alphabet.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn path_text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "(/[abA]{0,2}){0,4}",
        1 => "[/aé%]{0,6}",
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let texts = select(vec![
        "/a.*",
        "/b?/a",
        ".*",
        "/[ab]+",
        "(?i)/a/b",
        "/a/[^/]+",
        "/a|/b",
        "/a/b/.*",
        ".*b",
        "/(a|b)(/.*)?",
        "/A{1,2}",
        "",
        "/a/?",
        "/é+",
        "[^/]*",
        "/aa?/.+",
    ]);
    texts.prop_map(|text| Pattern::full_match(text).unwrap())
}

fn case() -> impl Strategy<Value = Case> {
    select(vec![Case::Sensitive, Case::Insensitive])
}

fn path_match() -> impl Strategy<Value = PathMatch> {
    prop_oneof![
        (path_text(), case()).prop_map(|(text, case)| PathMatch::Exact(text.into(), case)),
        (path_text(), case()).prop_map(|(text, case)| PathMatch::Prefix(text.into(), case)),
        path_text().prop_map(|text| PathMatch::SegmentPrefix(text.trim_end_matches('/').into())),
        pattern().prop_map(PathMatch::Regex),
    ]
}

fn value_match() -> impl Strategy<Value = ValueMatch> {
    let text = || "[ab]{0,2}".prop_map(Arc::<str>::from);
    prop_oneof![
        Just(ValueMatch::Present),
        Just(ValueMatch::Absent),
        text().prop_map(|text| ValueMatch::Text(TextMatch::Exact(text))),
        text().prop_map(|text| ValueMatch::Text(TextMatch::Prefix(text))),
        text().prop_map(|text| ValueMatch::Text(TextMatch::Suffix(text))),
        text().prop_map(|text| ValueMatch::Text(TextMatch::Contains(text))),
        select(vec!["a*", ".+b", ""])
            .prop_map(|text| ValueMatch::Text(TextMatch::Regex(Pattern::full_match(text).unwrap()))),
    ]
}

fn header_match() -> impl Strategy<Value = HeaderMatch> {
    let names = select(vec!["x", "y", "user-agent", ":method", ":authority", "host"]);
    (names, value_match(), any::<bool>(), any::<bool>()).prop_map(
        |(name, value, invert, missing_is_empty)| HeaderMatch {
            name: name.into(),
            value,
            invert,
            missing_is_empty,
        },
    )
}

fn query_match() -> impl Strategy<Value = QueryMatch> {
    (select(vec!["q", "p"]), value_match()).prop_map(|(name, value)| QueryMatch { name: name.into(), value })
}

fn claim_match() -> impl Strategy<Value = ClaimMatch> {
    (vec(select(vec!["a", "b"]), 1..3), value_match(), any::<bool>()).prop_map(|(path, value, invert)| {
        ClaimMatch { path: path.into_iter().map(Arc::from).collect(), value, invert }
    })
}

fn matcher() -> impl Strategy<Value = RouteMatch> {
    let headers = prop_oneof![2 => Just(Vec::new()), 1 => vec(header_match(), 1..3)];
    let query = prop_oneof![3 => Just(Vec::new()), 1 => vec(query_match(), 1..2)];
    let claims = prop_oneof![5 => Just(Vec::new()), 1 => vec(claim_match(), 1..2)];
    (path_match(), headers, query, claims).prop_map(|(path, headers, query, claims)| RouteMatch {
        path,
        headers: headers.into(),
        query: query.into(),
        claims: claims.into(),
    })
}

fn routes(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Route>> {
    vec(matcher(), count).prop_map(|matchers| {
        matchers.into_iter().enumerate().map(|(index, matcher)| route(index.to_string(), matcher)).collect()
    })
}

prop_compose! {
    fn any_request()(
        method in select(vec!["GET", "a"]),
        authority in "[ab.:]{0,4}",
        path in path_text(),
        query in option::of("[pq=&ab]{0,6}"),
        lines in vec((select(vec!["x", "X", "y", "user-agent"]), "[ab]{0,2}"), 0..6),
    ) -> RequestFacts<'static> {
        let mut headers = Headers::default();
        for (name, value) in lines {
            headers.push(name, value.into_bytes());
        }
        let path = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        RequestFacts {
            version: HttpVersion::Http2,
            method: Cow::Borrowed(method),
            scheme: Cow::Borrowed("http"),
            authority: Cow::Owned(authority),
            path: Cow::Owned(path),
            headers,
        }
    }
}

fn claims() -> impl Strategy<Value = Option<serde_json::Map<String, serde_json::Value>>> {
    let values = select(vec![
        serde_json::json!({}),
        serde_json::json!({"a": "a"}),
        serde_json::json!({"a": ["b", "ab"], "b": {"a": "b"}}),
        serde_json::json!({"b": {"b": ["a", 1]}, "a": 3}),
    ]);
    option::of(values.prop_map(|value| value.as_object().cloned().unwrap()))
}

fn check(
    host: &VirtualHost,
    request: &RequestFacts<'_>,
    claims: Option<&serde_json::Map<String, serde_json::Value>>,
) -> Result<(), TestCaseError> {
    let name = |route: Option<&Route>| route.map(|route| route.name.to_string());
    let wanted = name(linear::find(host, request, claims));
    prop_assert_eq!(name(host.find(request, claims, &mut ())), wanted.clone(), "{}", request.path);
    let mut trace = Trace::default();
    prop_assert_eq!(name(host.find(request, claims, &mut trace)), wanted.clone());
    let mut listener = Listener::default();
    prop_assert_eq!(name(host.find(request, claims, &mut listener)), wanted.clone());
    let won = |steps: &[mesh_model::trace::Step<'static>]| {
        steps.iter().filter(|step| step.outcome == Outcome::Won).count()
    };
    prop_assert_eq!(won(&trace.steps), usize::from(wanted.is_some()));
    prop_assert_eq!(won(&listener.0.steps), usize::from(wanted.is_some()));
    prop_assert_eq!(trace.steps.len(), host.routes.len());
    for step in &trace.steps {
        prop_assert_eq!(step.because.is_some(), step.outcome == Outcome::Lost);
    }
    Ok(())
}

/// Hears only of the candidates that the index proposes.
#[derive(Default)]
struct Listener(Trace);

impl mesh_model::trace::Observer for Listener {
    fn note<'e>(&mut self, step: impl FnOnce() -> mesh_model::trace::Step<'e>) {
        self.0.note(step);
    }
}

fn domain() -> impl Strategy<Value = String> {
    prop_oneof![Just("*".to_owned()), "\\*?[abA.-]{1,4}", "[ab.]{1,3}\\*", "\\*\\*"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_the_oracle_finds(
        routes in routes(0..60),
        requests in vec((any_request(), claims()), 1..20),
    ) {
        let host = host("h", &["*"], routes);
        for (request, claims) in &requests {
            check(&host, request, claims.as_ref())?;
        }
    }

    #[test]
    fn many_regexes_answer_in_configured_order(
        matchers in vec((pattern(), option::weighted(0.5, header_match())), 10..60),
        requests in vec(any_request(), 1..20),
    ) {
        let routes = matchers.into_iter().enumerate().map(|(index, (pattern, header))| {
            let matcher = RouteMatch { headers: header.into_iter().collect(), ..RouteMatch::path(PathMatch::Regex(pattern)) };
            route(index.to_string(), matcher)
        });
        let host = host("h", &["*"], routes.collect());
        for request in &requests {
            check(&host, request, None)?;
        }
    }

    #[test]
    fn many_regexes_that_start_alike_are_told_apart_by_what_they_hold(
        choices in vec((0_usize..40, select(vec!["/[ab]+/resource-N/.*", "/.*resource-N", "/[a-z]+/(resource-N|b)/.*", "/(/resource-N)+", "/.*"]), option::weighted(0.3, header_match())), 10..60),
        plain in vec((path_match(), option::weighted(0.5, header_match())), 0..6),
        asked in vec((0_usize..40, select(vec!["/a/resource-N/b", "/resource-N", "//resource-N/resource-N", "/a/b/", "/abab/resource-N/resource-1"]), any_request()), 1..20),
    ) {
        let regexes = choices.into_iter().map(|(number, text, header)| {
            (PathMatch::Regex(Pattern::full_match(&text.replace('N', &number.to_string())).unwrap()), header)
        });
        let routes = plain.into_iter().chain(regexes).enumerate().map(|(index, (path, header))| {
            route(index.to_string(), RouteMatch { headers: header.into_iter().collect(), ..RouteMatch::path(path) })
        });
        let host = host("h", &["*"], routes.collect());
        for (number, path, request) in asked {
            let path = Cow::Owned(path.replace('N', &number.to_string()));
            check(&host, &RequestFacts { path, ..request }, None)?;
        }
    }

    #[test]
    fn routes_of_one_path_are_told_apart_by_header_or_query(
        choices in vec((select(vec!["/", "/a", "/a/b"]), vec(header_match(), 0..3), vec(query_match(), 0..2)), 20..80),
        requests in vec(any_request(), 1..20),
    ) {
        let routes = choices.into_iter().enumerate().map(|(index, (path, headers, query))| {
            route(index.to_string(), RouteMatch { headers: headers.into(), query: query.into(), ..prefix(path) })
        });
        let host = host("h", &["*"], routes.collect());
        for request in &requests {
            check(&host, request, None)?;
        }
    }

    #[test]
    fn nested_prefixes_beyond_the_merge_keep_their_order(
        lengths in vec((0_usize..40, option::weighted(0.7, header_match())), 20..60),
        requests in vec(any_request(), 1..5),
        length in 0_usize..45,
        longer in select(vec![0_usize, 100, 130, 300]),
    ) {
        let routes = lengths.into_iter().enumerate().map(|(index, (length, header))| {
            route(index.to_string(), RouteMatch { headers: header.into_iter().collect(), ..prefix(&"/".repeat(longer + length)) })
        });
        let host = host("h", &["*"], routes.collect());
        for request in requests {
            check(&host, &RequestFacts { path: Cow::Owned("/".repeat(longer + length)), ..request }, None)?;
        }
    }

    #[test]
    fn the_host_index_finds_what_the_oracle_finds(
        hosts in vec(vec(domain(), 1..3), 0..12),
        authorities in vec("[abAB.\\[\\]:*-]{0,6}(:8)?", 1..20),
    ) {
        let hosts = hosts.iter().enumerate().map(|(index, domains)| {
            host(&index.to_string(), &domains.iter().map(String::as_str).collect::<Vec<_>>(), Vec::new())
        });
        let table = RouteTable::new("80", hosts.collect());
        for authority in &authorities {
            let name = |host: Option<&Arc<VirtualHost>>| host.map(|host| host.name.to_string());
            prop_assert_eq!(name(table.virtual_host(authority)), name(linear::virtual_host(&table, authority)), "{}", authority);
        }
    }

    #[test]
    fn no_request_makes_it_panic(
        routes in routes(9..20),
        path in any::<String>(),
        authority in any::<String>(),
        value in any::<Vec<u8>>(),
    ) {
        let mut headers = Headers::default();
        headers.push("x", value);
        let request = RequestFacts { authority: Cow::Owned(authority.clone()), path: Cow::Owned(path), headers, ..request("/") };
        check(&host("h", &["*"], routes.clone()), &request, None)?;
        let table = RouteTable::new("80", vec![host("h", &["*a"], routes)]);
        let _ = table.virtual_host(&authority);
    }
}

//! On random small meshes and random probes: nobody who listens changes a verdict, the compiled route tables answer as
//! the linear ones do, and nothing panics.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

mod common;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use common::{Case, NOW, shop};
use mesh::compile::proxy::ProxyConfig;
use mesh::compile::proxy::listener::Direction;
use mesh::compile::route_table::linear;
use mesh::model::facts::{ConnectionFacts, Headers, HttpVersion, RequestFacts, TlsFacts};
use mesh::model::trace::Trace;
use mesh::model::yaml::{LoadOptions, load};
use mesh::proxy_core::decide::decide;
use mesh::proxy_core::query::Query;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Fragments of words, so that what is asked for and what is sent meet often.
fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "a", "ab", "reviews", "jason", "v1", "GET", "/"])
}

fn path() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "/",
        "/a",
        "/a/",
        "/a/b",
        "/ab",
        "/A",
        "/reviews/7",
        "/admin",
        "/a?x=1",
        "/a?x=ab",
        "/%61",
        "//a",
        "/a/../b",
    ])
    .prop_map(str::to_owned)
}

fn string_match() -> impl Strategy<Value = String> {
    prop_oneof![
        path().prop_map(|text| format!("{{exact: '{text}'}}")),
        path().prop_map(|text| format!("{{prefix: '{text}'}}")),
        prop::sample::select(vec!["{regex: '/a.*'}", "{regex: '.*b'}", "{regex: '/[a-z]+/?[0-9]?'}"])
            .prop_map(str::to_owned),
        word().prop_map(|text| format!("{{exact: '{text}'}}")),
    ]
}

fn http_match() -> impl Strategy<Value = String> {
    prop_oneof![
        string_match().prop_map(|text| format!("uri: {text}")),
        string_match().prop_map(|text| format!("uri: {text}, ignoreUriCase: true")),
        (string_match(), string_match())
            .prop_map(|(uri, user)| format!("uri: {uri}, headers: {{end-user: {user}}}")),
        string_match().prop_map(|text| format!("withoutHeaders: {{end-user: {text}}}")),
        string_match().prop_map(|text| format!("queryParams: {{x: {text}}}")),
        word().prop_map(|text| format!("method: {{exact: '{text}'}}")),
        Just("port: 9080".to_owned()),
        Just("sourceLabels: {app: web}".to_owned()),
    ]
}

fn action() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("route: [{destination: {host: reviews, subset: v1}}]".to_owned()),
        (0_u32..=100).prop_map(|weight| format!(
            "route: [{{destination: {{host: reviews}}, weight: {weight}}}, {{destination: {{host: web, port: {{number: 80}}}}, weight: {}}}]",
            100 - weight
        )),
        path().prop_map(|uri| format!("rewrite: {{uri: '{uri}'}}\n    timeout: 3s\n    route: [{{destination: {{host: stock}}}}]")),
        path().prop_map(|uri| format!("redirect: {{uri: '{uri}', redirectCode: 302}}")),
        Just("directResponse: {status: 418, body: {string: teapot}}".to_owned()),
        Just("fault: {abort: {httpStatus: 500, percentage: {value: 100}}}\n    route: [{destination: {host: nowhere}}]".to_owned()),
    ]
}

fn virtual_service() -> impl Strategy<Value = String> {
    let route = (prop::collection::vec(http_match(), 0..3), action());
    let hosts = prop_oneof![
        4 => Just("reviews"),
        1 => Just("web"),
        1 => Just("'*.shop.svc.cluster.local'"),
        3 => Just("shop.example.com"),
        1 => Just("'*'"),
    ];
    let gateways = prop_oneof![
        1 => Just("mesh"),
        1 => Just("istio-system/front-door"),
        3 => Just("istio-system/front-door, mesh"),
    ];
    (hosts, gateways, prop::collection::vec(route, 1..7)).prop_map(|(host, gateways, routes)| {
        let mut text = format!("hosts: [{host}]\n  gateways: [{gateways}]\n  http:\n");
        for (matches, action) in routes {
            let matches: Vec<String> = matches.iter().map(|one| format!("{{{one}}}")).collect();
            writeln!(text, "  - match: [{}]\n    {action}", matches.join(", ")).unwrap();
        }
        format!("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: NAME, namespace: shop}}\nspec:\n  {text}")
    })
}

fn policy() -> impl Strategy<Value = String> {
    let operation = prop_oneof![
        path().prop_map(|text| format!("to: [{{operation: {{paths: ['{text}*']}}}}]")),
        path().prop_map(|text| format!("to: [{{operation: {{notPaths: ['{text}'], methods: [GET]}}}}]")),
        Just("from: [{source: {principals: ['cluster.local/ns/shop/sa/web']}}]".to_owned()),
        Just("from: [{source: {notNamespaces: [shop], ipBlocks: [10.0.0.0/8]}}]".to_owned()),
        word().prop_map(|text| format!("when: [{{key: 'request.headers[end-user]', values: ['{text}*']}}]")),
        Just("to: [{operation: {ports: ['9080']}}]".to_owned()),
    ];
    let action = prop::sample::select(vec!["ALLOW", "DENY", "AUDIT"]);
    (action, prop::collection::vec(operation, 0..3)).prop_map(|(action, rules)| {
        let rules: Vec<String> = rules.iter().map(|rule| format!("{{{rule}}}")).collect();
        format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: NAME, namespace: shop}}\nspec:\n  action: {action}\n  rules: [{}]\n",
            rules.join(", ")
        )
    })
}

fn destination_rule() -> impl Strategy<Value = String> {
    (prop::sample::select(vec!["reviews", "web", "'*.svc.cluster.local'"]), "v[12]", any::<bool>()).prop_map(
        |(host, version, disabled)| {
            let mode = if disabled { "DISABLE" } else { "ISTIO_MUTUAL" };
            format!(
                "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: NAME, namespace: shop}}\nspec:\n  host: {host}\n  trafficPolicy: {{tls: {{mode: {mode}}}}}\n  subsets: [{{name: {version}, labels: {{version: {version}}}}}]\n"
            )
        },
    )
}

/// The services of the shop under other rules: documents with names of their own.
fn rules() -> impl Strategy<Value = String> {
    let document = prop_oneof![3 => virtual_service(), 2 => policy(), 1 => destination_rule()];
    prop::collection::vec(document, 1..8).prop_map(|documents| {
        let named =
            documents.iter().enumerate().map(|(number, text)| text.replace("NAME", &format!("r{number}")));
        named.collect::<Vec<_>>().join("---\n")
    })
}

fn request() -> impl Strategy<Value = RequestFacts<'static>> {
    let authority = prop_oneof![
        4 => Just("reviews"),
        4 => Just("shop.example.com"),
        1 => Just("Reviews:9080"),
        1 => Just("reviews.shop"),
        1 => Just("web.shop.svc.cluster.local"),
        1 => Just("10.96.0.20"),
        1 => Just("x"),
    ];
    let header = (
        prop::sample::select(vec!["end-user", "End-User", "x"]),
        prop_oneof![word().prop_map(str::to_owned), path()],
    );
    let version = prop_oneof![
        1 => Just(HttpVersion::Http10),
        9 => Just(HttpVersion::Http11),
        9 => Just(HttpVersion::Http2),
    ];
    let method = prop_oneof![9 => Just("GET"), 3 => Just("POST"), 2 => Just("OPTIONS"), 1 => Just("")];
    (version, method, authority, path(), prop::collection::vec(header, 0..3)).prop_map(
        |(version, method, authority, path, headers)| RequestFacts {
            version,
            method: Cow::Borrowed(method),
            scheme: Cow::Borrowed("http"),
            authority: Cow::Borrowed(authority),
            path: Cow::Owned(path),
            headers: Headers {
                entries: headers
                    .into_iter()
                    .map(|(name, value)| (Cow::Borrowed(name), Cow::Owned(value.into_bytes())))
                    .collect(),
            },
        },
    )
}

fn connection() -> impl Strategy<Value = ConnectionFacts<'static>> {
    let mutual = TlsFacts {
        sni: Some("shop.example.com".into()),
        alpn: vec!["istio".into(), "http/1.1".into()],
        peer: Some("spiffe://cluster.local/ns/shop/sa/web".into()),
    };
    // Where the services, the workload and the gateway listen, and where nobody does.
    let place = prop_oneof![
        8 => Just(("10.96.0.20", 9080)),
        2 => Just(("10.96.0.10", 80)),
        2 => Just(("10.0.1.21", 9080)),
        6 => Just(("10.0.1.5", 8443)),
        1 => Just(("10.0.1.5", 8080)),
        1 => Just(("1.3.3.7", 1)),
    ];
    (place, any::<bool>()).prop_map(move |((address, dst_port), is_tls)| ConnectionFacts {
        src_ip: "10.1.2.3".parse().unwrap(),
        dst_ip: address.parse().unwrap(),
        dst_port,
        tls: is_tls.then(|| mutual.clone()),
        proxied_ip: None,
    })
}

/// The three proxies of the shop under rules of one's own.
fn meshes(rules: &str) -> Vec<(Direction, ProxyConfig)> {
    let directions = [Direction::Outbound, Direction::Inbound, Direction::Gateway];
    let cases: Vec<Case> = shop();
    let mut documents = cases[0].documents();
    // The shop's own rules would hide most of the random ones.
    documents.retain(|document| {
        let kind = document.root().get("kind").and_then(mesh::model::document::Node::as_str);
        !matches!(
            kind,
            Some("VirtualService" | "DestinationRule" | "AuthorizationPolicy" | "PeerAuthentication")
        )
    });
    let loaded = load("rules.yaml", rules, &LoadOptions::default());
    assert!(!loaded.report.has_errors(), "{:?}\n{rules}", loaded.report);
    documents.extend(loaded.documents);
    let compiled = cases.iter().map(|case| case.compile_documents(documents.clone()).config);
    directions.into_iter().zip(compiled).collect()
}

fn same_as_linear(config: &ProxyConfig, request: &RequestFacts<'_>) -> Result<(), TestCaseError> {
    for table in config.route_tables.values() {
        let host = table.virtual_host(&request.authority);
        let slow = linear::virtual_host(table, &request.authority);
        prop_assert_eq!(host.map(|host| &host.name), slow.map(|host| &host.name), "table {}", table.name);
        let Some(host) = host else { continue };
        let fast = host.find(request, None, &mut ());
        let slow = linear::find(host, request, None);
        prop_assert_eq!(
            fast.map(|route| &route.origin),
            slow.map(|route| &route.origin),
            "table {}, host {}",
            table.name,
            host.name
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn listening_changes_nothing_and_the_index_answers_as_the_scan_does(
        rules in rules(),
        probes in prop::collection::vec((connection(), prop::option::weighted(0.9, request())), 1..24),
    ) {
        for (direction, config) in meshes(&rules) {
            for (connection, request) in &probes {
                let query = Query {
                    direction,
                    connection: connection.clone(),
                    request: request.clone(),
                    now: NOW,
                };
                let mut trace = Trace::default();
                let listened = decide(&config, &query, &mut trace);
                prop_assert_eq!(&decide(&config, &query, &mut ()), &listened);
                prop_assert_eq!(&decide(&config, &query, &mut ((), Trace::default())), &listened);
                if let Some(request) = request {
                    same_as_linear(&config, request)?;
                }
            }
        }
    }
}

/// A generator whose rules are all refused, or whose probes never meet them, would prove nothing.
#[test]
fn the_generated_meshes_do_something() {
    let mut runner = TestRunner::deterministic();
    let mut results = BTreeMap::<String, usize>::new();
    for _ in 0..40 {
        let rules = rules().new_tree(&mut runner).unwrap().current();
        let probes = prop::collection::vec((connection(), request()), 20).new_tree(&mut runner).unwrap();
        for (direction, config) in meshes(&rules) {
            for (connection, request) in probes.current() {
                let query = Query { direction, connection, request: Some(request), now: NOW };
                let decision = serde_json::to_value(decide(&config, &query, &mut ())).unwrap();
                let kind = decision.get("reason").or(decision.get("result")).unwrap();
                *results.entry(kind.as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
    println!("{results:?}");
    for wanted in ["forward", "rbac", "redirect", "direct_response", "no_route", "fault"] {
        assert!(results.contains_key(wanted), "no probe comes to {wanted}: {results:?}");
    }
}

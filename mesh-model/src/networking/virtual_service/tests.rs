//! One test per rule; each says where the problem stands.

use serde_json::{Value, json};

use crate::check::testing::problems;

const NONE: [&str; 0] = [];

fn check(spec: &Value) -> Vec<String> {
    problems("networking.istio.io/v1", "VirtualService", spec)
}

/// A VirtualService of one HTTP route, with the fields of `route` laid over a plain one.
fn route(fields: &Value) -> Vec<String> {
    let mut route = json!({"route": [{"destination": {"host": "reviews"}}]});
    for (key, value) in fields.as_object().unwrap() {
        route[key] = value.clone();
    }
    check(&json!({"hosts": ["reviews"], "http": [route]}))
}

#[test]
fn a_plain_one_is_fine() {
    assert_eq!(route(&json!({})), NONE);
    assert_eq!(
        check(&json!({"hosts": ["10.0.0.1"], "gateways": ["edge"], "http": [{"redirect": {"uri": "/"}}]})),
        NONE
    );
}

#[test]
fn every_problem_is_found_not_the_first_only() {
    let found = route(&json!({"timeout": "0.5ms", "retries": {"attempts": -1}, "fault": {}}));
    assert_eq!(
        found,
        [
            "missing-field spec.http[0].fault",
            "invalid-value spec.http[0].retries.attempts",
            "invalid-value spec.http[0].timeout"
        ]
    );
}

#[test]
fn hosts_are_names_wildcards_or_addresses_and_do_not_overlap() {
    let hosts =
        |hosts: Value| check(&json!({"hosts": hosts, "http": [{"route": [{"destination": {"host": "a"}}]}]}));
    assert_eq!(hosts(json!(["a", "*.b.com", "10.0.0.1", "*-x.com"])), NONE);
    assert_eq!(hosts(json!(["a_b"])), ["invalid-host spec.hosts[0]"]);
    assert_eq!(hosts(json!(["a", "a"])), ["conflict spec.hosts[1]"]);
    assert_eq!(hosts(json!(["*.b.com", "x.b.com"])), ["conflict spec.hosts[1]"]);
    assert_eq!(hosts(json!(["x.b.com", "*.b.com"])), ["conflict spec.hosts[1]"]);
}

#[test]
fn overlaps_are_those_of_host_matching() {
    let names = [
        "a.com",
        "b.a.com",
        "*.a.com",
        "*a.com",
        "*.com",
        "c.b.a.com",
        "*-a.com",
        "x-a.com",
        "*.b.a.com",
        "com",
    ];
    for first in names {
        for second in names {
            let spec = json!({
                "hosts": [first, second], "gateways": ["edge"], "http": [{"route": [{"destination": {"host": "a"}}]}]
            });
            let overlap = crate::name::host_matches(first, second);
            assert_eq!(check(&spec) == ["conflict spec.hosts[1]"], overlap, "{first} {second}");
        }
    }
}

#[test]
fn the_whole_wildcard_is_for_gateways() {
    let with = |gateways: Value| {
        check(
            &json!({"hosts": ["*"], "gateways": gateways, "http": [{"route": [{"destination": {"host": "a"}}]}]}),
        )
    };
    assert_eq!(with(json!(["edge"])), NONE);
    assert_eq!(with(json!([])), ["invalid-host spec.hosts[0]"]);
    assert_eq!(with(json!(["mesh", "edge"])), ["invalid-host spec.hosts[0]"]);
}

#[test]
fn gateways_are_named_with_or_without_a_namespace() {
    let with = |gateway: &str| {
        check(
            &json!({"hosts": ["a"], "gateways": [gateway], "http": [{"route": [{"destination": {"host": "a"}}]}]}),
        )
    };
    for good in ["edge", "infra/edge", "mesh"] {
        assert_eq!(with(good), NONE, "{good}");
    }
    assert_eq!(with("edge.infra.svc.cluster.local"), ["deprecated spec.gateways[0]"]);
    for bad in ["./edge", "infra/", "/edge", "infra/a.b"] {
        assert!(!with(bad).is_empty(), "{bad}");
    }
}

/// istio/istio, pkg/config/validation: `validateGatewayNames` warns; matches of HTTP and TCP keep its errors only.
#[test]
fn gateways_of_matches_are_not_warned_about_but_for_tls() {
    let routes = |kind: &str, gateway: &str| {
        let one = json!({"gateways": [gateway], "sniHosts": ["a.b"]});
        let mut one = one.as_object().unwrap().clone();
        one.retain(|key, _| kind == "tls" || key == "gateways");
        check(&json!({"hosts": ["a.b"], kind: [{"match": [one], "route": [{"destination": {"host": "a"}}]}]}))
    };
    for kind in ["http", "tcp"] {
        let at = format!("spec.{kind}[0].match[0].gateways[0]");
        assert_eq!(routes(kind, "edge.infra"), [format!("doubtful {at}")]);
        assert_eq!(routes(kind, "infra/a*"), [format!("invalid-name {at}")]);
    }
    assert_eq!(routes("tls", "edge.infra"), ["deprecated spec.tls[0].match[0].gateways[0]"]);
}

#[test]
fn one_action_per_route() {
    assert_eq!(route(&json!({"redirect": {"uri": "/x"}})), ["conflict spec.http[0].route"]);
    assert_eq!(check(&json!({"hosts": ["a"], "http": [{}]})), ["missing-field spec.http[0]"]);
    assert_eq!(check(&json!({"hosts": ["a"], "http": [{"directResponse": {"status": 200}}]})), NONE);
    assert_eq!(
        check(
            &json!({"hosts": ["a"], "http": [{"directResponse": {"status": 200}, "fault": {"abort": {"httpStatus": 500}}}]})
        ),
        ["conflict spec.http[0].fault"]
    );
}

#[test]
fn a_delegate_has_http_routes_only_and_does_not_delegate() {
    let destination = json!([{"destination": {"host": "a"}}]);
    assert_eq!(check(&json!({"http": [{"route": destination}]})), NONE);
    assert_eq!(
        check(&json!({"gateways": ["mesh"], "http": [{"route": destination, "delegate": {"name": "b"}}]})),
        ["conflict spec.gateways", "conflict spec.http[0].delegate"]
    );
    assert_eq!(check(&json!({"hosts": ["a"], "http": [{"delegate": {"name": "b"}}]})), NONE);
    assert_eq!(
        check(&json!({"hosts": ["a"], "http": [{"delegate": {"name": "b"}, "route": destination}]})),
        ["conflict spec.http[0].route"]
    );
}

#[test]
fn matches_have_texts_and_good_regexes() {
    let one = |fields: Value| route(&json!({"match": [fields]}));
    assert_eq!(one(json!({"uri": {"prefix": ""}})), NONE);
    assert_eq!(one(json!({"headers": {"x": {}, ":path": {"exact": ""}}})), NONE);
    assert_eq!(one(json!({"withoutHeaders": {"x": {"regex": "*"}}})), NONE);
    assert_eq!(
        one(json!({"headers": {"x": {"regex": "*"}}})),
        ["invalid-regex spec.http[0].match[0].headers.x.regex"]
    );
    assert_eq!(one(json!({"uri": {"regex": "a(?=b)"}})), ["invalid-regex spec.http[0].match[0].uri.regex"]);
    assert_eq!(one(json!({"method": {"prefix": ""}})), ["invalid-value spec.http[0].match[0].method.prefix"]);
    assert_eq!(one(json!({"headers": {"a b": {}}})), ["invalid-name spec.http[0].match[0].headers[\"a b\"]"]);
    assert_eq!(
        one(json!({"sourceNamespace": "a.b"})),
        ["invalid-name spec.http[0].match[0].sourceNamespace"]
    );
    assert_eq!(one(json!({"port": 70000})), ["invalid-value spec.http[0].match[0].port"]);
}

#[test]
fn claims_are_matched_on_gateways_only() {
    let with = |gateways: Value| {
        check(&json!({"hosts": ["a.com"], "gateways": gateways, "http": [{
            "match": [{"headers": {"@request.auth.claims.sub": {"exact": "x"}}}],
            "route": [{"destination": {"host": "a"}}]
        }]}))
    };
    assert_eq!(with(json!(["edge"])), NONE);
    for gateways in [json!([]), json!(["mesh"]), json!(["mesh", "edge"])] {
        assert_eq!(
            with(gateways),
            ["invalid-value spec.http[0].match[0].headers[\"@request.auth.claims.sub\"]"]
        );
    }
}

#[test]
fn weights_are_shares() {
    let weights = |first: i32, second: i32| {
        route(&json!({"route": [
            {"destination": {"host": "a"}, "weight": first}, {"destination": {"host": "b"}, "weight": second}
        ]}))
    };
    assert_eq!(weights(1, 0), NONE);
    assert_eq!(weights(0, 0), ["invalid-value spec.http[0].route"]);
    assert_eq!(weights(-1, 2), ["invalid-value spec.http[0].route[0].weight"]);
}

#[test]
fn destinations_are_hosts_with_a_subset_and_a_port() {
    let to = |destination: Value| route(&json!({"route": [{"destination": destination}]}));
    assert_eq!(to(json!({"host": "*"})), ["invalid-host spec.http[0].route[0].destination.host"]);
    assert_eq!(to(json!({"host": ""})), ["missing-field spec.http[0].route[0].destination.host"]);
    assert_eq!(
        to(json!({"host": "a", "subset": "v.1"})),
        ["invalid-name spec.http[0].route[0].destination.subset"]
    );
    assert_eq!(
        to(json!({"host": "a", "port": {}})),
        ["invalid-value spec.http[0].route[0].destination.port.number"]
    );
    assert_eq!(route(&json!({"route": [{"weight": 1}]})), ["missing-field spec.http[0].route[0]"]);
}

#[test]
fn retries_name_known_conditions_and_have_attempts() {
    let retries = |fields: Value| route(&json!({"retries": fields}));
    assert_eq!(retries(json!({"attempts": 2, "retryOn": "5xx,503,reset"})), NONE);
    assert_eq!(retries(json!({"attempts": 0})), NONE);
    assert_eq!(retries(json!({"retryOn": "5xx"})), ["conflict spec.http[0].retries"]);
    assert_eq!(
        retries(json!({"attempts": 2, "retryOn": "5xx, 503"})),
        ["invalid-value spec.http[0].retries.retryOn"]
    );
    assert_eq!(
        retries(json!({"attempts": 2, "retryOn": "600"})),
        ["invalid-value spec.http[0].retries.retryOn"]
    );
}

#[test]
fn redirects_change_something_and_stay_redirects() {
    let redirect = |fields: Value| check(&json!({"hosts": ["a"], "http": [{"redirect": fields}]}));
    assert_eq!(redirect(json!({})), ["missing-field spec.http[0].redirect"]);
    assert_eq!(
        redirect(json!({"uri": "/", "prefixRewrite": "/"})),
        ["conflict spec.http[0].redirect.prefixRewrite"]
    );
    assert_eq!(
        redirect(json!({"uri": "/", "redirectCode": 200})),
        ["invalid-value spec.http[0].redirect.redirectCode"]
    );
    assert_eq!(redirect(json!({"scheme": "ftp"})), ["invalid-value spec.http[0].redirect.scheme"]);
    let found = check(&json!({"hosts": ["a"], "http": [
        {"match": [{"uri": {"exact": "/a"}}], "redirect": {"prefixRewrite": "/b"}}
    ]}));
    assert_eq!(found, ["conflict spec.http[0].redirect.prefixRewrite"]);
}

#[test]
fn the_authority_is_changed_once() {
    let found = route(&json!({
        "rewrite": {"authority": "x"}, "headers": {"request": {"set": {"Host": "y"}, "remove": ["host"]}}
    }));
    assert_eq!(
        found,
        [
            "invalid-name spec.http[0].headers.request.remove[0]",
            "conflict spec.http[0].headers.request.set.Host"
        ]
    );
    assert_eq!(
        route(&json!({"headers": {"response": {"set": {":status": "200"}}}})),
        ["invalid-name spec.http[0].headers.response.set.:status"]
    );
}

#[test]
fn faults_are_those_that_istio_implements() {
    let fault = |fields: Value| route(&json!({"fault": fields}));
    assert_eq!(fault(json!({"abort": {"httpStatus": 600, "percentage": {"value": 0.5}}})), NONE);
    assert_eq!(fault(json!({"abort": {}})), ["doubtful spec.http[0].fault.abort"]);
    assert_eq!(
        fault(json!({"abort": {"grpcStatus": "x"}})),
        ["invalid-value spec.http[0].fault.abort.grpcStatus"]
    );
    assert_eq!(
        fault(json!({"abort": {"http2Error": "x"}})),
        ["invalid-value spec.http[0].fault.abort.http2Error"]
    );
    assert_eq!(
        fault(json!({"delay": {"fixedDelay": "1s", "percentage": {"value": 0.00001}}})),
        ["invalid-value spec.http[0].fault.delay.percentage.value"]
    );
    assert_eq!(
        fault(json!({"delay": {"exponentialDelay": "1s"}})),
        ["invalid-value spec.http[0].fault.delay.exponentialDelay"]
    );
}

#[test]
fn server_names_are_covered_by_the_hosts() {
    let tls = |sni: &str| {
        check(&json!({"hosts": ["*.a.com"], "tls": [
            {"match": [{"sniHosts": [sni]}], "route": [{"destination": {"host": "a"}}]}
        ]}))
    };
    assert_eq!(tls("x.a.com"), NONE);
    assert_eq!(tls("b.com"), ["invalid-host spec.tls[0].match[0].sniHosts[0]"]);
    assert_eq!(tls("10.0.0.1"), ["suspicious spec.tls[0].match[0].sniHosts[0]"]);
    assert_eq!(
        check(&json!({"hosts": ["a"], "tls": [{}]})),
        ["missing-field spec.tls[0]", "missing-field spec.tls[0]"]
    );
}

#[test]
fn what_earlier_routes_take_is_unreachable() {
    let to = json!([{"destination": {"host": "a"}}]);
    let found = check(&json!({"hosts": ["a"], "http": [{"route": to}, {"route": to}]}));
    assert_eq!(found, ["unreachable spec.http[1]"]);
    let match_a = json!([{"uri": {"exact": "/a"}}]);
    let named = json!([{"name": "other", "uri": {"exact": "/a"}}]);
    let found = check(
        &json!({"hosts": ["a"], "http": [{"match": match_a, "route": to}, {"match": named, "route": to}]}),
    );
    assert_eq!(found, ["ineffective-match spec.http[1].match[0]", "unreachable spec.http[1]"]);
    let short = json!([{"uri": {"prefix": "/a"}}]);
    let long = json!([{"uri": {"prefix": "/a/b"}}]);
    let found = check(
        &json!({"hosts": ["a"], "http": [{"match": short, "route": to}, {"match": long, "route": to}]}),
    );
    assert_eq!(found, ["unreachable spec.http[1].match[0]"]);
    let found = check(
        &json!({"hosts": ["a"], "http": [{"match": long, "route": to}, {"match": short, "route": to}]}),
    );
    assert_eq!(found, NONE);
}

#[test]
fn gateways_behind_one_without_a_namespace_are_remarked_on_only() {
    let with = |gateways: Value| {
        let route = json!([{"route": [{"destination": {"host": "a"}}]}]);
        check(&json!({"hosts": ["a"], "gateways": gateways, "http": route}))
    };
    assert_eq!(with(json!(["n/a*", "edge"])), ["invalid-name spec.gateways[0]"]);
    assert_eq!(with(json!(["edge", "n/a*"])), ["doubtful spec.gateways[1]"]);
    assert_eq!(with(json!(["mesh", "["])), ["doubtful spec.gateways[1]"]);
}

#[test]
fn bytes_of_a_body_are_base64_with_padding() {
    let with = |bytes: &str| {
        check(
            &json!({"hosts": ["a"], "http": [{"directResponse": {"status": 200, "body": {"bytes": bytes}}}]}),
        )
    };
    for good in ["aGk=", "aGkK", "aA=="] {
        assert_eq!(with(good), NONE, "{good}");
    }
    // The schema's format `byte` asks for one group at least.
    for bad in ["", "TCP", "aGk", "a===", "aG k", "aGk-", "=aGk"] {
        assert_eq!(with(bad), ["invalid-value spec.http[0].directResponse.body.bytes"], "{bad}");
    }
}

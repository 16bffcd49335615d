use serde_json::{Value, json};

use crate::check::testing::problems;

const NONE: [&str; 0] = [];

/// The problems of `fields` over a plain ServiceEntry of resolution DNS.
fn check(fields: &Value) -> Vec<String> {
    let mut spec = json!({
        "hosts": ["a.com"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "resolution": "DNS"
    });
    for (key, value) in fields.as_object().unwrap() {
        spec[key] = value.clone();
    }
    problems("networking.istio.io/v1", "ServiceEntry", &spec)
}

#[test]
fn hosts_are_names() {
    assert_eq!(check(&json!({})), NONE);
    assert_eq!(check(&json!({"hosts": []})), ["missing-field spec"]);
    assert_eq!(check(&json!({"hosts": ["*"], "resolution": "NONE"})), ["invalid-host spec.hosts[0]"]);
    assert_eq!(check(&json!({"hosts": ["*a.com"], "resolution": "NONE"})), ["suspicious spec.hosts[0]"]);
    assert_eq!(check(&json!({"hosts": ["*.a.com"]})), ["invalid-host spec.hosts[0]"]);
}

#[test]
fn ports_are_unique() {
    let port = |number: u32, name: &str| json!({"number": number, "name": name, "protocol": "HTTP"});
    assert_eq!(check(&json!({"ports": [port(80, "a"), port(80, "b")]})), ["conflict spec.ports[1].number"]);
    assert_eq!(check(&json!({"ports": [port(80, "a"), port(81, "a")]})), ["conflict spec.ports[1].name"]);
    assert_eq!(
        check(&json!({"ports": [{"number": 0, "protocol": "X", "targetPort": 70000}]})),
        [
            "invalid-value spec.ports[0].targetPort",
            "invalid-name spec.ports[0].name",
            "invalid-value spec.ports[0].protocol",
            "invalid-value spec.ports[0].number"
        ]
    );
}

/// istio/api: the rule of the schema looks at every `targetPort` that is written.
#[test]
fn a_target_port_of_zero_is_none() {
    let port = json!({"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 0});
    assert_eq!(check(&json!({"ports": [port]})), ["invalid-value spec.ports[0].targetPort"]);
}

#[test]
fn endpoints_fit_the_resolution() {
    let static_ = |endpoints: Value| check(&json!({"resolution": "STATIC", "endpoints": endpoints}));
    assert_eq!(
        static_(json!([{"address": "10.0.0.1", "ports": {"http": 8080}}, {"address": "unix:///a"}])),
        NONE
    );
    assert_eq!(static_(json!([{"address": "a.com"}])), ["invalid-value spec.endpoints[0].address"]);
    assert_eq!(static_(json!([{}])), ["missing-field spec.endpoints[0]"]);
    assert_eq!(static_(json!([{"network": "n"}])), ["suspicious spec.endpoints[0]"]);
    assert_eq!(
        static_(json!([{"address": "unix:///a", "ports": {"http": 80}}])),
        ["conflict spec.endpoints[0].ports"]
    );
    assert_eq!(
        static_(json!([{"address": "10.0.0.1", "ports": {"other": 0}}])),
        ["invalid-value spec.endpoints[0].ports.other", "invalid-value spec.endpoints[0].ports.other"]
    );
    assert_eq!(check(&json!({"endpoints": [{"address": "b.com"}]})), NONE);
    assert_eq!(
        check(&json!({"resolution": "NONE", "endpoints": [{"address": "10.0.0.1"}]})),
        ["conflict spec.endpoints"]
    );
    assert_eq!(
        check(
            &json!({"resolution": "DNS_ROUND_ROBIN", "endpoints": [{"address": "a.com"}, {"address": "b.com"}]})
        ),
        ["conflict spec.endpoints"]
    );
}

#[test]
fn endpoints_and_a_selector_exclude_each_other() {
    let selector = json!({"labels": {"a": "b"}});
    assert_eq!(check(&json!({"resolution": "STATIC", "workloadSelector": selector})), NONE);
    assert_eq!(
        check(
            &json!({"resolution": "STATIC", "workloadSelector": selector, "endpoints": [{"address": "10.0.0.1"}]})
        ),
        ["conflict spec.endpoints"]
    );
}

#[test]
fn blocks_go_with_addresses_that_are_dialled() {
    assert_eq!(check(&json!({"addresses": ["10.0.0.0/8"], "resolution": "STATIC"})), NONE);
    assert_eq!(check(&json!({"addresses": ["10.0.0.0/8"]})), ["conflict spec.addresses[0]"]);
    assert_eq!(check(&json!({"addresses": ["10.0.0.300"]})), ["invalid-value spec.addresses[0]"]);
}

#[test]
fn several_hosts_need_a_name_in_the_traffic() {
    let tcp = json!([{"number": 80, "name": "tcp", "protocol": "TCP"}]);
    assert_eq!(check(&json!({"hosts": ["a.com", "b.com"]})), NONE);
    assert_eq!(
        check(&json!({"hosts": ["a.com", "b.com"], "ports": tcp})),
        ["conflict spec.ports[0].protocol"]
    );
}

#[test]
fn dynamic_dns_is_for_wildcards_of_http_and_tls() {
    assert_eq!(check(&json!({"resolution": "DYNAMIC_DNS", "hosts": ["*.a.com"]})), NONE);
    assert_eq!(
        check(&json!({"resolution": "DYNAMIC_DNS", "addresses": ["10.0.0.1"]})),
        ["invalid-host spec.hosts[0]", "conflict spec.addresses"]
    );
}

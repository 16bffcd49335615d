use serde_json::{Value, json};

use crate::check::testing::problems;

const NONE: [&str; 0] = [];

fn check(spec: &Value) -> Vec<String> {
    problems("networking.istio.io/v1beta1", "ProxyConfig", spec)
}

#[test]
fn threads_are_not_negative() {
    for good in
        [json!({}), json!({"concurrency": 0}), json!({"concurrency": null}), json!({"concurrency": 4})]
    {
        assert_eq!(check(&good), NONE);
    }
    assert_eq!(check(&json!({"concurrency": -1})), ["invalid-value spec.concurrency"]);
}

#[test]
fn workloads_are_selected_by_whole_labels() {
    assert_eq!(
        check(&json!({"selector": {"matchLabels": {"": "b"}}})),
        ["invalid-value spec.selector.matchLabels[\"\"]"]
    );
    assert_eq!(
        check(&json!({"selector": {"matchLabels": {"a": "*"}}})),
        ["invalid-value spec.selector.matchLabels.a"]
    );
    assert_eq!(check(&json!({"selector": {}})), ["suspicious spec.selector"]);
}

#[test]
fn the_environment_is_of_bounded_size() {
    let with = |length: usize| check(&json!({"environmentVariables": {"A": "x".repeat(length)}}));
    assert_eq!(with(2048), NONE);
    assert_eq!(with(2049), ["invalid-value spec.environmentVariables.A"]);
}

#[test]
fn it_is_served_in_one_version() {
    let found = problems("networking.istio.io/v1", "ProxyConfig", &json!({}));
    assert_eq!(found, ["unsupported-version apiVersion"]);
}

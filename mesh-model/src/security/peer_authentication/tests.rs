use serde_json::{Value, json};

use crate::check::testing::{problems, problems_of};

const NONE: [&str; 0] = [];

fn check(spec: &Value) -> Vec<String> {
    problems("security.istio.io/v1", "PeerAuthentication", spec)
}

#[test]
fn ports_are_listed_for_selected_workloads() {
    let selector = json!({"matchLabels": {"app": "a"}});
    assert_eq!(check(&json!({"selector": selector, "portLevelMtls": {"80": {"mode": "STRICT"}}})), NONE);
    assert_eq!(check(&json!({"portLevelMtls": {"80": {}}})), ["conflict spec.portLevelMtls"]);
    assert_eq!(
        check(&json!({"selector": selector, "portLevelMtls": {}})),
        ["invalid-value spec.portLevelMtls"]
    );
    assert_eq!(
        check(&json!({"selector": selector, "portLevelMtls": {"0": {}}})),
        ["invalid-value spec.portLevelMtls.0"]
    );
}

#[test]
fn it_cannot_be_rehearsed() {
    let json = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "a", "annotations": {"istio.io/dry-run": "true"}}});
    assert_eq!(problems_of(&json), ["invalid-value metadata.annotations[\"istio.io/dry-run\"]"]);
}

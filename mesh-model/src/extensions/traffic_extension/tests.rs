use serde_json::{Value, json};

use crate::check::testing::problems;

const NONE: [&str; 0] = [];

fn extension(spec: &Value) -> Vec<String> {
    problems("extensions.istio.io/v1alpha1", "TrafficExtension", spec)
}

#[test]
fn there_is_one_kind_of_code() {
    assert_eq!(extension(&json!({})), ["missing-field spec"]);
    assert_eq!(extension(&json!({"wasm": {"url": "a"}})), NONE);
    assert_eq!(extension(&json!({"lua": {"inlineCode": "a"}})), NONE);
    assert_eq!(extension(&json!({"lua": {"inlineCode": "a"}, "wasm": {"url": "a"}})), ["bad-value spec"]);
}

#[test]
fn a_script_is_neither_empty_nor_too_long() {
    let script = |code: &str| extension(&json!({"lua": {"inlineCode": code}}));
    assert_eq!(script(""), ["missing-field spec.lua.inlineCode"]);
    assert_eq!(script(&"a".repeat(65536)), NONE);
    assert_eq!(script(&"a".repeat(65537)), ["invalid-value spec.lua.inlineCode"]);
}

#[test]
fn a_module_is_checked_as_that_of_a_plugin() {
    assert_eq!(extension(&json!({"wasm": {}})), ["missing-field spec.wasm.url"]);
    assert_eq!(
        extension(&json!({"wasm": {"url": "ftp://a", "sha256": "0", "pluginName": ""}})),
        [
            "invalid-value spec.wasm.url",
            "invalid-value spec.wasm.sha256",
            "invalid-value spec.wasm.pluginName"
        ]
    );
}

#[test]
fn an_extension_is_attached_in_one_way() {
    let target = json!({"kind": "Service", "name": "a"});
    let lua = json!({"inlineCode": "a"});
    let both = json!({"lua": lua, "targetRefs": [target], "selector": {"matchLabels": {"a": "b"}}});
    assert_eq!(extension(&both), ["conflict spec.targetRefs"]);
    let ports = json!({"lua": lua, "match": [{"ports": [{"number": 0}]}]});
    assert_eq!(extension(&ports), ["invalid-value spec.match[0].ports[0].number"]);
}

use serde_json::{Value, json};

use crate::check::testing::problems;

const NONE: [&str; 0] = [];

/// The problems of a plugin: `fields` over a plain one.
fn plugin(fields: &Value) -> Vec<String> {
    let mut spec = json!({"url": "oci://a.com/b"});
    for (key, value) in fields.as_object().unwrap() {
        spec[key] = value.clone();
    }
    problems("extensions.istio.io/v1alpha1", "WasmPlugin", &spec)
}

#[test]
fn a_module_has_an_address() {
    for good in ["a.com/b", "oci://a.com:5000/b", "http://a", "HTTPS://a", "file:///a.wasm", "/a"] {
        assert_eq!(plugin(&json!({"url": good})), NONE, "{good}");
    }
    // With `http://` before it, this one is the host `http` with an empty port: Istio takes it.
    assert_eq!(plugin(&json!({"url": "http://a:b"})), NONE);
    for bad in ["ftp://a/b", "a.com:5000/b", "http://a/%zz", "a b", "oci://a/?x#%"] {
        assert_eq!(plugin(&json!({"url": bad})), ["invalid-value spec.url"], "{bad}");
    }
    for missing in [json!(null), json!("")] {
        assert_eq!(plugin(&json!({"url": missing})), ["missing-field spec.url"]);
    }
}

#[test]
fn a_checksum_has_64_digits_in_lower_case() {
    assert_eq!(plugin(&json!({"sha256": ""})), NONE);
    assert_eq!(plugin(&json!({"sha256": "0a".repeat(32)})), NONE);
    for bad in ["0A".repeat(32), "0a".repeat(31), "0g".repeat(32)] {
        assert_eq!(plugin(&json!({"sha256": bad})), ["invalid-value spec.sha256"]);
    }
}

#[test]
fn names_are_neither_empty_nor_too_long() {
    for (field, max) in [("imagePullSecret", 253), ("pluginName", 256)] {
        assert_eq!(plugin(&json!({field: "a".repeat(max)})), NONE);
        for bad in [String::new(), "a".repeat(max + 1), "\u{e4}".repeat(max / 2 + 1)] {
            assert_eq!(plugin(&json!({field: bad})), [format!("invalid-value spec.{field}")]);
        }
    }
}

#[test]
fn variables_have_a_name_of_their_own_and_one_source() {
    let env = |env: Value| {
        let found = plugin(&json!({"vmConfig": {"env": env}}));
        found.iter().map(|line| line.replace("spec.vmConfig.env", "e")).collect::<Vec<_>>()
    };
    assert_eq!(env(json!([{"name": "A", "value": ""}, {"name": "B", "valueFrom": "HOST"}])), NONE);
    assert_eq!(env(json!([{"value": "a"}])), ["missing-field e[0].name"]);
    assert_eq!(env(json!([{"name": "A"}, {"name": "A"}])), ["conflict e[1].name"]);
    assert_eq!(env(json!([{"name": "A", "valueFrom": "HOST", "value": ""}])), ["conflict e[0].value"]);
    assert_eq!(env(json!([{"name": "A".repeat(257)}])), ["invalid-value e[0].name"]);
    assert_eq!(env(json!([{"name": "A", "value": "a".repeat(2049)}])), ["invalid-value e[0].value"]);
    let many: Vec<_> = (0..257).map(|n| json!({"name": format!("A{n}")})).collect();
    assert_eq!(env(json!(many)), ["invalid-value e"]);
}

#[test]
fn ports_are_named_once_and_exist() {
    let ports = |ports: Value| plugin(&json!({"match": [{"ports": ports}]}));
    assert_eq!(ports(json!([{"number": 1}, {"number": 65535}])), NONE);
    assert_eq!(ports(json!([{}])), ["invalid-value spec.match[0].ports[0].number"]);
    assert_eq!(ports(json!([{"number": 65536}])), ["invalid-value spec.match[0].ports[0].number"]);
    assert_eq!(ports(json!([{"number": 1}, {"number": 1}])), ["conflict spec.match[0].ports[1].number"]);
}

#[test]
fn a_plugin_is_attached_in_one_way() {
    let target = json!({"kind": "Service", "name": "a"});
    assert_eq!(plugin(&json!({"targetRef": target})), NONE);
    assert_eq!(plugin(&json!({"targetRef": target, "targetRefs": [target]})), ["conflict spec.targetRefs"]);
    assert_eq!(plugin(&json!({"selector": {}})), ["suspicious spec.selector"]);
}

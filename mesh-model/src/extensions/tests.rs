use serde_json::json;

use super::traffic_extension::TrafficExtension;
use super::traffic_extension::spec::ExtensionCode;
use super::wasm_plugin::WasmPlugin;

#[test]
fn a_plugin_keeps_all_that_is_written() {
    let written = json!({
        "url": "oci://a/b", "priority": 0, "match": [{"mode": "CLIENT", "ports": [{"number": 80}]}], "type": "NETWORK",
        "pluginConfig": {"a": [1, null, {}], "b": 0.5}, "vmConfig": {"env": [{"name": "A", "valueFrom": "HOST"}]},
    });
    let plugin: WasmPlugin = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(plugin.priority, Some(0));
    assert_eq!(serde_json::to_value(&plugin).unwrap(), written);
}

#[test]
fn an_extension_has_one_kind_of_code() {
    let lua = json!({"lua": {"inlineCode": "a"}});
    let extension: TrafficExtension = serde_json::from_value(lua.clone()).unwrap();
    assert!(matches!(&extension.code, ExtensionCode::Lua(lua) if lua.inline_code == "a"));
    assert_eq!(serde_json::to_value(&extension).unwrap(), lua);
    let both = serde_json::from_value::<TrafficExtension>(json!({"lua": {}, "wasm": {}}));
    assert_eq!(both.unwrap_err().to_string(), "at most one of wasm, lua");
}

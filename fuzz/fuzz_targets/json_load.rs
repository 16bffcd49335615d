//! What a JSON reader accepts as a map or list is read, and comes to the same value; strings and whole numbers exactly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::yaml::{Budget, LoadOptions, load};
use serde_json::Value;

fn comparable(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_u64() || number.is_i64(),
        // Keys that stand twice, empty trees and escaped NULs have rules of their own.
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => items.iter().all(comparable),
        Value::Object(fields) => fields.iter().all(|(key, value)| !key.contains('\0') && comparable(value)),
        Value::Null | Value::Bool(_) => true,
    }
}

fuzz_target!(|text: &str| {
    let Ok(wanted) = serde_json::from_str::<Value>(text) else { return };
    let is_list = wanted.get("kind").is_some();
    if !(wanted.is_object() || wanted.is_array()) || is_list || !comparable(&wanted) {
        return;
    }
    let options = LoadOptions::default().with_budget(Budget::default().with_depth(200));
    let loaded = load("f", text, &options);
    if loaded.report.iter().any(|found| !matches!(found.code.as_str(), "duplicate-key" | "unusual-scalar")) {
        return;
    }
    if let [document] = loaded.documents.as_slice()
        && loaded.report.is_empty()
    {
        assert_eq!(document.root().to_json(), wanted, "{text}");
    }
});

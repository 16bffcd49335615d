//! From what a type says to what the API takes: no `null`, no unknown field.

use serde_json::{Value, json};

use super::fields::properties;

/// Takes `null` out everywhere, and closes every message.
pub(super) fn close(schema: &mut Value) {
    take_null(schema);
    let is_message = schema.get("type").and_then(Value::as_str) == Some("object")
        && (properties(schema).is_some()
            || schema.get("additionalProperties").is_none() && schema.get("patternProperties").is_none());
    let Some(object) = schema.as_object_mut() else { return };
    if is_message {
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    for below in ["properties", "patternProperties"] {
        let fields = object.get_mut(below).and_then(Value::as_object_mut);
        fields.into_iter().flat_map(|fields| fields.values_mut()).for_each(close);
    }
    for below in ["items", "additionalProperties"] {
        if let Some(schema) = object.get_mut(below).filter(|schema| schema.is_object()) {
            close(schema);
        }
    }
}

fn take_null(schema: &mut Value) {
    let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| !is_null(choice));
        if let [only] = choices.as_mut_slice() {
            let mut only = only.take();
            let description = schema.get("description").cloned();
            if let (Some(description), Some(only)) = (description, only.as_object_mut()) {
                only.insert("description".to_owned(), description);
            }
            *schema = only;
        }
    }
    if let Some(types) = schema.get_mut("type")
        && let Value::Array(list) = types
    {
        list.retain(|one| one != "null");
        if let [only] = list.as_mut_slice() {
            *types = only.take();
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}

//! JSON Schema (draft 7), as much of it as the schema of SARIF uses. Texts are not compared with `pattern` and `format`.
#![allow(unreachable_pub, reason = "a module of test programs")]

use serde_json::{Map, Value};

/// Every way in which `value` is not what `schema` says.
pub fn problems(root: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(root, root, value, "$", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else {
        if schema == &Value::Bool(false) {
            found.push(format!("{at}: nothing may stand here"));
        }
        return;
    };
    for (keyword, wanted) in schema {
        match keyword.as_str() {
            "$ref" => check(root, target(root, wanted), value, at, found),
            "type" => require(types(wanted).any(|name| is_of(value, name)), at, keyword, wanted, found),
            "enum" => require(wanted.as_array().unwrap().contains(value), at, keyword, wanted, found),
            "minimum" => {
                require(
                    value.as_f64().is_none_or(|n| n >= wanted.as_f64().unwrap()),
                    at,
                    keyword,
                    wanted,
                    found,
                );
            }
            "maximum" => {
                require(
                    value.as_f64().is_none_or(|n| n <= wanted.as_f64().unwrap()),
                    at,
                    keyword,
                    wanted,
                    found,
                );
            }
            "minItems" => {
                let least = wanted.as_u64().unwrap() as usize;
                require(
                    value.as_array().is_none_or(|items| items.len() >= least),
                    at,
                    keyword,
                    wanted,
                    found,
                );
            }
            "uniqueItems" => {
                let unique = value.as_array().is_none_or(|items| {
                    items.iter().enumerate().all(|(index, item)| !items[..index].contains(item))
                });
                require(unique || wanted == false, at, keyword, wanted, found);
            }
            "required" => {
                for name in wanted.as_array().unwrap() {
                    let is_there =
                        value.as_object().is_none_or(|fields| fields.contains_key(name.as_str().unwrap()));
                    require(is_there, at, keyword, name, found);
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, item, &format!("{at}[{index}]"), found);
                }
            }
            "properties" | "additionalProperties" => {}
            "anyOf" | "oneOf" => {
                let fitting = wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|one| {
                        let mut inner = Vec::new();
                        check(root, one, value, at, &mut inner);
                        inner.is_empty()
                    })
                    .count();
                require(fitting == 1 || keyword == "anyOf" && fitting > 0, at, keyword, wanted, found);
            }
            "description" | "title" | "default" | "format" | "pattern" | "$schema" | "$id"
            | "definitions" => {}
            other => panic!("the keyword `{other}` is not known here"),
        }
    }
    if let Some(fields) = value.as_object() {
        check_fields(root, schema, fields, at, found);
    }
}

fn check_fields(
    root: &Value,
    schema: &Map<String, Value>,
    fields: &Map<String, Value>,
    at: &str,
    found: &mut Vec<String>,
) {
    for (name, value) in fields {
        let at = format!("{at}.{name}");
        match (schema.get("properties").and_then(|all| all.get(name)), schema.get("additionalProperties")) {
            (Some(inner), _) | (None, Some(inner)) => check(root, inner, value, &at, found),
            (None, None) => {}
        }
    }
}

fn require(holds: bool, at: &str, keyword: &str, wanted: &Value, found: &mut Vec<String>) {
    if !holds {
        found.push(format!("{at}: `{keyword}` wants {wanted}"));
    }
}

fn target<'s>(root: &'s Value, reference: &Value) -> &'s Value {
    root.pointer(reference.as_str().unwrap().strip_prefix('#').unwrap()).unwrap()
}

fn types(wanted: &Value) -> impl Iterator<Item = &str> {
    wanted
        .as_str()
        .into_iter()
        .chain(wanted.as_array().into_iter().flatten().map(|name| name.as_str().unwrap()))
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type `{other}` is not known here"),
    }
}

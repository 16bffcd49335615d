//! What the CRDs of the Gateway API ask, laid over the schemas of its kinds: their fields are all known, read here or not.

use serde_json::{Map, Value, json};

use crate::gateway_api::crd::{Bounds, Field, Holds, fields_of};

/// Adds fields, bounds, words and patterns of a type of the Gateway API to the schema of a message.
pub(super) fn lay_over(schema: &mut Value, of: &str) {
    let Some(object) = schema.as_object_mut() else { return };
    let fields = fields_of(of);
    if fields.is_empty() {
        return;
    }
    object.entry("type").or_insert_with(|| json!("object"));
    let required: Vec<_> = fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    let Some(properties) = object.entry("properties").or_insert_with(|| json!({})).as_object_mut() else {
        return;
    };
    for field in fields {
        let property = properties.entry(field.name).or_insert_with(|| json!({}));
        describe(property, field);
    }
}

fn describe(schema: &mut Value, field: &Field) {
    let Some(object) = schema.as_object_mut() else { return };
    let (holds, counted) = match field.holds {
        Holds::Text => ("string", ""),
        Holds::Integer => ("integer", ""),
        Holds::Boolean => ("boolean", ""),
        Holds::Map => ("object", "Properties"),
        Holds::List => ("array", "Items"),
    };
    object.entry("type").or_insert_with(|| json!(holds));
    if !field.words.is_empty() {
        let word = |word: &&str| word.parse::<i64>().map_or_else(|_| json!(word), Value::from);
        object.insert("enum".to_owned(), field.words.iter().map(word).collect());
    }
    if let Some(default) = field.default.filter(|default| !default.is_empty()) {
        let value = default.parse::<i64>().map_or_else(|_| json!(default), Value::from);
        object.insert("default".to_owned(), value);
    }
    if let Some(pattern) = field.pattern {
        object.insert("pattern".to_owned(), json!(pattern.regex));
    }
    bound(object, "Length", field.length);
    bound(object, "imum", field.range);
    bound(object, counted, field.count);
    if field.is_set {
        object.insert("uniqueItems".to_owned(), json!(true));
    }
    let within = match (field.holds, field.each.as_deref()) {
        (Holds::List, _) => object.entry("items").or_insert_with(|| json!({})),
        (Holds::Map, Some(_)) => object.entry("additionalProperties").or_insert_with(|| json!({})),
        (Holds::Map, None) => return lay_over(schema, field.of),
        _ => return,
    };
    match field.each.as_deref() {
        Some(each) => describe(within, each),
        None => lay_over(within, field.of),
    }
}

fn bound(object: &mut Map<String, Value>, of: &str, bounds: Bounds) {
    for (side, number) in [("min", bounds.least), ("max", bounds.most)] {
        if let Some(number) = number.and_then(|number| i64::try_from(number).ok()) {
            object.insert(format!("{side}{of}"), json!(number));
        }
    }
}

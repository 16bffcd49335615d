//! What stands around the fields of a kind: a whole document.

use serde_json::{Map, Value, json};

use super::{Subject, facts};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A Kubernetes object whose fields at `path` are described by `schema`.
pub(super) fn document(subject: &Subject, path: &str, mut schema: Value) -> Value {
    let description = schema.get("description").cloned().unwrap_or_default();
    let mut properties = Map::new();
    properties.insert(
        "apiVersion".to_owned(),
        json!({"type": "string", "enum": subject.api_versions(), "description": "The API's group and version."}),
    );
    properties.insert("kind".to_owned(), json!({"const": subject.kind, "description": "The kind."}));
    properties.insert("metadata".to_owned(), metadata());
    let mut required = vec!["apiVersion", "kind", "metadata"];
    if path == "spec" {
        let is_required =
            facts().any(|fact| fact.kind == subject.kind && fact.path == "spec" && fact.has("required"));
        required.extend(is_required.then_some("spec"));
        properties.insert("spec".to_owned(), schema);
        properties
            .insert("status".to_owned(), json!({"type": "object", "description": "Written by controllers."}));
    } else if let Some(Value::Object(own)) = schema.get_mut("properties").map(Value::take) {
        properties.extend(own);
    }
    json!({
        "$schema": DIALECT,
        "title": subject.kind,
        "description": description,
        "type": "object",
        "required": required,
        "properties": properties,
        // Fields beside `spec` and `status` are unknown for Istio kinds; Kubernetes kinds have more than is described.
        "additionalProperties": path != "spec",
    })
}

/// A message that stands alone.
pub(super) fn message(subject: &Subject, mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), json!(DIALECT));
        object.insert("title".to_owned(), json!(subject.kind));
    }
    schema
}

/// Kubernetes' `ObjectMeta`, open: only what people write is described.
fn metadata() -> Value {
    let texts = |description: &str| json!({"type": "object", "additionalProperties": {"type": "string"}, "description": description});
    json!({
        "type": "object",
        "description": "Name, namespace, labels and annotations.",
        "properties": {
            "name": {"type": "string", "maxLength": 253, "description": "Name, unique for the kind in the namespace."},
            "generateName": {"type": "string", "description": "Start of a name that the API server completes."},
            "namespace": {"type": "string", "maxLength": 63, "description": "Namespace; left out: the one in use."},
            "labels": texts("Labels, which others select by."),
            "annotations": texts("Annotations."),
        }
    })
}

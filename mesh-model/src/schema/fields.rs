//! A schema as a list of paths with types: what tests and pages are made of.

use serde_json::{Map, Value};

/// A field of a kind, an element of a list (`[]`) or a value of a map (`{}`).
/// Ours: lists of paths can be compared with those of the API, nested schemas cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it stands: `spec.http[].match[].headers{}`.
    pub path: String,
    /// What it holds.
    pub holds: FieldType,
    /// Whether unset differs from its zero: a wrapper, a member of a oneof, or a message.
    pub is_optional: bool,
    /// Its description.
    pub description: String,
}

/// What a field holds. Spec: Istio's protobuf files, whose scalars have these names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// A scalar, in the API's word: `string`, `bool`, `uint32`, `double`, `duration`, `bytes`, `timestamp`,
    /// `int-or-string`.
    Scalar(&'static str),
    /// One of these words.
    Enum(Vec<String>),
    /// A list.
    List,
    /// A map.
    Map,
    /// A message.
    Object,
    /// Free JSON.
    Struct,
    /// Anything else.
    Any,
}

impl FieldType {
    /// The API's word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Scalar(word) => word,
            Self::Enum(_) => "enum",
            Self::List => "list",
            Self::Map => "map",
            Self::Object => "object",
            Self::Struct => "struct",
            Self::Any => "any",
        }
    }
}

/// The fields of a schema that stands at `path`, itself first.
pub(super) fn of(schema: &Value, path: &str) -> Vec<Field> {
    let mut found = Vec::new();
    walk(schema, path, &mut found);
    found
}

/// A field and those below it. Types are finite and not recursive, so the schema is.
fn walk(schema: &Value, path: &str, found: &mut Vec<Field>) {
    let (schema, is_optional) = without_null(schema);
    let holds = holds(schema);
    if !path.is_empty() {
        let description = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        found.push(Field { path: path.to_owned(), holds: holds.clone(), is_optional, description });
    }
    match holds {
        FieldType::List => {
            if let Some(items) = schema.get("items") {
                walk(items, &format!("{path}[]"), found);
            }
        }
        FieldType::Map => {
            if let Some(values) = map_values(schema) {
                walk(values, &format!("{path}{{}}"), found);
            }
        }
        FieldType::Object => {
            for (name, field) in properties(schema).into_iter().flatten() {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(field, &below, found);
            }
        }
        FieldType::Scalar(_) | FieldType::Enum(_) | FieldType::Struct | FieldType::Any => {}
    }
}

pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// The schema of a map's values; with keys that are numbers it stands under their pattern.
pub(super) fn map_values(schema: &Value) -> Option<&Value> {
    let by_pattern = || schema.get("patternProperties").and_then(Value::as_object)?.values().next();
    schema.get("additionalProperties").filter(|values| values.is_object()).or_else(by_pattern)
}

/// The schema of what is there when something is, and whether `null` may be.
fn without_null(schema: &Value) -> (&Value, bool) {
    let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let something = choices.iter().find(|choice| !is_null(choice));
        if let (Some(something), true) = (something, choices.iter().any(is_null)) {
            return (something, true);
        }
    }
    let types = schema.get("type").and_then(Value::as_array);
    (schema, types.is_some_and(|types| types.iter().any(|one| one == "null")))
}

fn holds(schema: &Value) -> FieldType {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return FieldType::Enum(words.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(types)) => {
            types.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect()
        }
        _ => Vec::new(),
    };
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    match (types.as_slice(), format) {
        (["string"], "go-duration") => FieldType::Scalar("duration"),
        (["string"], "byte") => FieldType::Scalar("bytes"),
        (["string"], "date-time") => FieldType::Scalar("timestamp"),
        (["string"], _) => FieldType::Scalar("string"),
        (["boolean"], _) => FieldType::Scalar("bool"),
        (["integer"], "uint32") => FieldType::Scalar("uint32"),
        (["integer"], "int64") => FieldType::Scalar("int64"),
        (["integer"], "uint64") => FieldType::Scalar("uint64"),
        (["integer"], _) => FieldType::Scalar("int32"),
        (["number"], _) => FieldType::Scalar("double"),
        (["integer", "string"], _) => FieldType::Scalar("int-or-string"),
        (["array"], _) => FieldType::List,
        (["object"], _) if map_values(schema).is_some() => FieldType::Map,
        (["object"], _) if schema.get("additionalProperties") == Some(&Value::Bool(true)) => {
            FieldType::Struct
        }
        (["object"], _) => FieldType::Object,
        _ => FieldType::Any,
    }
}

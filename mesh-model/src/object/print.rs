//! An object as the document that would be read as it.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Body, Kind, Object, ObjectMeta};

impl<S: Kind + Serialize> Object<S> {
    /// The whole resource: `apiVersion` (the storage version), `kind`, `metadata` as far as it is kept, and its content
    /// without what is at its zero value. Read again it is the same object, save for its place.
    ///
    /// # Errors
    /// When the content has no JSON form, such as a number that is not finite.
    pub fn to_json(&self) -> Result<Value, serde_json::Error> {
        let version = S::VERSIONS.first().copied().unwrap_or_default();
        let api_version =
            if S::GROUP.is_empty() { version.to_owned() } else { format!("{}/{version}", S::GROUP) };
        let content = serde_json::to_value(&self.spec)?;
        let mut whole = match (S::BODY, content) {
            (Body::Document, Value::Object(fields)) => fields,
            (_, content) => Map::from_iter([("spec".to_owned(), content)]),
        };
        whole.insert("apiVersion".to_owned(), api_version.into());
        whole.insert("kind".to_owned(), S::KIND.into());
        whole.insert("metadata".to_owned(), metadata(&self.meta));
        Ok(Value::Object(whole))
    }
}

fn metadata(meta: &ObjectMeta) -> Value {
    let mut fields = Map::from_iter([("name".to_owned(), json!(*meta.name))]);
    let mut add = |name: &str, is_written: bool, value: Value| {
        if is_written {
            fields.insert(name.to_owned(), value);
        }
    };
    add("namespace", !meta.namespace.is_empty(), json!(*meta.namespace));
    add("labels", !meta.labels.is_empty(), json!(meta.labels));
    add("annotations", !meta.annotations.is_empty(), json!(meta.annotations));
    let created = meta.created.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    add("creationTimestamp", created.is_some(), json!(created.map(|time| time.to_string())));
    add("generation", meta.generation.is_some(), json!(meta.generation));
    add("resourceVersion", meta.resource_version.is_some(), json!(meta.resource_version));
    Value::Object(fields)
}

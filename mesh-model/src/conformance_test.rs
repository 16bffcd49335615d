//! Test help: the documents under the conformance folder, where it is there.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The shared folder beside the workspace, or `None` with a printed line.
pub(crate) fn shared(path: &str) -> Option<String> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    let file = std::env::var_os("MESH_SHARED").map_or(file, |folder| PathBuf::from(folder).join(path));
    match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(_) => {
            println!("skipped: no {}", file.display());
            None
        }
    }
}

/// Every document of a file as JSON.
#[cfg(feature = "yaml")]
pub(crate) fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// Fails where `output` misses a leaf of `input` that is not `zero`.
pub(crate) fn assert_kept(input: &Value, output: &Value, zero: &[&str], path: &str) {
    match (input, output) {
        (Value::Object(entries), _) => {
            let empty = Map::new();
            let kept = output.as_object().unwrap_or(&empty);
            assert!(output.is_object() || entries.is_empty(), "{path} is lost");
            for (key, value) in entries {
                let key = if key == "jwks_uri" { "jwksUri" } else { key };
                assert_kept(value, kept.get(key).unwrap_or(&Value::Null), zero, &format!("{path}.{key}"));
            }
        }
        (Value::Array(items), Value::Array(kept)) => {
            assert_eq!(items.len(), kept.len(), "{path}");
            for (index, (item, kept)) in items.iter().zip(kept).enumerate() {
                assert_kept(item, kept, zero, &format!("{path}[{index}]"));
            }
        }
        (Value::String(word), Value::Null) if zero.contains(&word.as_str()) => {}
        _ => assert_eq!(input, output, "{path}"),
    }
}

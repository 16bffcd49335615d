//! Typed values as YAML text.

use serde::Serialize;

/// A value that has no YAML form (a map key that is a list, a custom `Serialize` that refuses).
#[derive(Debug, thiserror::Error)]
#[error("the value cannot be written as YAML: {message}")]
pub struct PrintError {
    message: String,
}

/// Writes a value as one YAML document.
///
/// ```
/// # use mesh_model::yaml::to_yaml;
/// let value = serde_json::json!({"hosts": ["reviews"], "port": 80});
/// assert_eq!(to_yaml(&value).unwrap(), "hosts:\n- reviews\nport: 80\n");
/// ```
///
/// # Errors
/// When the value's `Serialize` fails, or when a map key has no YAML form.
pub fn to_yaml<T: Serialize>(value: &T) -> Result<String, PrintError> {
    serde_yaml::to_string(value).map_err(|error| PrintError { message: error.to_string() })
}

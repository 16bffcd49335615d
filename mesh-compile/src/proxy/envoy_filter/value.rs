//! Values in Envoy's JSON form: both spellings of names, durations and wrapped numbers as text or number.

use mesh_model::document::snake_case;
use mesh_model::value::Duration;
use serde_json::{Map, Value};

/// The fields of a message under their protobuf names, in order.
pub(super) fn fields(map: &Map<String, Value>) -> impl Iterator<Item = (String, &Value)> {
    map.iter().map(|(key, value)| (snake_case(key), value))
}

/// A field of a message.
pub(super) fn field<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    map.iter().find(|(key, _)| snake_case(key) == name).map(|(_, value)| value)
}

/// A duration in milliseconds (`1.5s`).
pub(super) fn duration_ms(value: &Value) -> Option<i64> {
    value.as_str()?.parse::<Duration>().ok().map(Duration::as_millis)
}

/// An integer, also as text.
pub(super) fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// The same where no negative one can be.
pub(super) fn count(value: &Value) -> Option<u32> {
    integer(value).and_then(|it| u32::try_from(it).ok())
}

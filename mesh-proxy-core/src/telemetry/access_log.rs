//! Lines of an access log: Istio's default text and JSON, or a format of one's own.

use mesh_compile::proxy::telemetry::{ISTIO_JSON, ISTIO_TEXT};
use serde_json::{Map, Value};

use super::format::Format;
use super::record::Record;

/// How records become lines (T-465).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineFormat {
    /// Text; ends its lines itself.
    Text(Format),
    /// One object a line.
    Json(Vec<(String, JsonValue)>),
}

/// A value of an access log in JSON. Spec: Envoy, config.core.v3.SubstitutionFormatString.json_format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonValue {
    /// Made of the record.
    Made(Format),
    /// An object.
    Object(Vec<(String, Self)>),
    /// A list.
    List(Vec<Self>),
    /// As written: a number, a truth value, nothing.
    Literal(Value),
}

impl LineFormat {
    /// By its name: `text` and `json` are Istio's defaults, all else is a format string, a line each.
    pub fn named(name: &str) -> Self {
        match name {
            "text" => Self::text(""),
            "json" => Self::json(None),
            format => Self::text(&format!("{format}\n")),
        }
    }

    /// Text by a format string; empty: Istio's default.
    pub fn text(format: &str) -> Self {
        Self::Text(Format::parse(if format.is_empty() { ISTIO_TEXT } else { format }))
    }

    /// JSON by an object of format strings, objects and lists; `None`: Istio's default.
    pub fn json(fields: Option<&Map<String, Value>>) -> Self {
        Self::Json(match fields {
            Some(fields) => JsonValue::fields(fields),
            None => ISTIO_JSON
                .iter()
                .map(|(key, format)| ((*key).to_owned(), JsonValue::Made(Format::parse(format))))
                .collect(),
        })
    }

    /// Why Envoy would not take it; `None`: it would.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Text(format) => format.problem().map(str::to_owned),
            Self::Json(fields) => fields.iter().find_map(|(key, value)| value.problem(key)),
        }
    }

    /// The line of a record, with its end.
    pub fn line(&self, record: &Record) -> String {
        self.line_of(record, false)
    }

    /// The same; `omits_empty`: values that are not there are left out instead of printed as `-` or `null`.
    pub(crate) fn line_of(&self, record: &Record, omits_empty: bool) -> String {
        match self {
            Self::Text(format) => format.text(record, if omits_empty { "" } else { "-" }),
            Self::Json(fields) => {
                let mut line = object(fields, record, omits_empty).to_string();
                line.push('\n');
                line
            }
        }
    }
}

impl JsonValue {
    fn of(written: &Value) -> Self {
        match written {
            Value::String(format) => Self::Made(Format::parse(format)),
            Value::Object(fields) => Self::Object(Self::fields(fields)),
            Value::Array(list) => Self::List(list.iter().map(Self::of).collect()),
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Literal(written.clone()),
        }
    }

    fn fields(fields: &Map<String, Value>) -> Vec<(String, Self)> {
        fields.iter().map(|(key, written)| (key.clone(), Self::of(written))).collect()
    }

    /// Why Envoy would not take it, with its place.
    fn problem(&self, place: &str) -> Option<String> {
        match self {
            Self::Made(format) => format.problem().map(|problem| format!("{place}: {problem}")),
            Self::Object(fields) => {
                fields.iter().find_map(|(key, value)| value.problem(&format!("{place}.{key}")))
            }
            Self::List(list) => list.iter().find_map(|value| value.problem(place)),
            Self::Literal(Value::Null | Value::Bool(_)) => {
                Some(format!("{place}: neither text, number, object nor list"))
            }
            Self::Literal(_) => None,
        }
    }

    fn value(&self, record: &Record, omits_empty: bool) -> Value {
        match self {
            Self::Made(format) => format.value(record, if omits_empty { "" } else { "-" }),
            Self::Object(fields) => object(fields, record, omits_empty),
            Self::List(list) => list.iter().map(|value| value.value(record, omits_empty)).collect(),
            Self::Literal(value) => value.clone(),
        }
    }
}

fn object(fields: &[(String, JsonValue)], record: &Record, omits_empty: bool) -> Value {
    let values = fields.iter().map(|(key, value)| (key.clone(), value.value(record, omits_empty)));
    Value::Object(values.filter(|(_, value)| !(omits_empty && value.is_null())).collect())
}

#[cfg(test)]
mod tests {
    use mesh_compile::proxy::listener::Direction;

    use super::*;

    #[test]
    fn a_record_is_one_line_in_either_form() {
        let record = Record::begin(
            Direction::Inbound,
            "10.0.0.2:4000".parse().unwrap(),
            "10.0.0.1:80".parse().unwrap(),
        );
        let text = LineFormat::text("").line(&record);
        assert!(text.ends_with("10.0.0.1:80 10.0.0.2:4000 - -\n"), "{text}");
        assert_eq!(text.lines().count(), 1);
        let line = LineFormat::json(None).line(&record);
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object.as_object().unwrap().len(), 24);
        assert_eq!((&object["response_code"], &object["route_name"]), (&Value::from(0), &Value::Null));
    }
    /// A format as a Telemetry's provider may have it: operators alone keep their kind, mixed ones are texts, objects and
    /// lists nest, everything else stands as written.
    #[test]
    fn a_json_format_of_ones_own_keeps_its_form() {
        let format = serde_json::json!({
            "kind": "request",
            "code": "%RESPONSE_CODE%",
            "port": "%DOWNSTREAM_REMOTE_PORT%",
            "none": "%REQ(X-NONE)%",
            "mixed": "%REQ(X-NONE)% took %DURATION% ms",
            "short": "%REQ(X-NONE):2%",
            "nested": {"host": "%UPSTREAM_HOST%", "flags": ["%RESPONSE_FLAGS%", "%BYTES_SENT%", true]},
            "literal": 7,
        });
        let mut record = Record::begin(
            Direction::Inbound,
            "10.0.0.2:4000".parse().unwrap(),
            "10.0.0.1:80".parse().unwrap(),
        );
        (record.status, record.bytes_sent, record.flags) = (503, 12, "UH".to_owned());
        let line = LineFormat::json(format.as_object());
        let object: Value = serde_json::from_str(&line.line(&record)).unwrap();
        let expected = serde_json::json!({
            "kind": "request",
            "code": 503,
            "port": 4000,
            "none": null,
            "mixed": "- took 0 ms",
            "short": null,
            "nested": {"host": null, "flags": ["UH", 12, true]},
            "literal": 7,
        });
        assert_eq!(object, expected);
        let object: Value = serde_json::from_str(&line.line_of(&record, true)).unwrap();
        assert_eq!((object.get("none"), &object["mixed"]), (None, &Value::from(" took 0 ms")));
        assert_eq!(object["nested"], serde_json::json!({"flags": ["UH", 12, true]}));
    }
}

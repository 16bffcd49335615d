//! Lines of an access log: Istio's default text and JSON, or a format of one's own.

use mesh_compile::proxy::telemetry::{ISTIO_JSON, ISTIO_TEXT};
use serde_json::{Map, Value};

use super::format::Format;
use super::record::Record;

/// Operators whose values are numbers in JSON where they stand alone.
const NUMBERS: [&str; 5] =
    ["%BYTES_RECEIVED%", "%BYTES_SENT%", "%DURATION%", "%RESPONSE_CODE%", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"];

/// How records become lines (T-465).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineFormat {
    /// Text; ends its lines itself.
    Text(Format),
    /// One object a line: key, format, whether it is a number.
    Json(Vec<(String, Format, bool)>),
}

impl LineFormat {
    /// Text by a format string; empty: Istio's default.
    pub fn text(format: &str) -> Self {
        Self::Text(Format::parse(if format.is_empty() { ISTIO_TEXT } else { format }))
    }

    /// JSON by an object of format strings (nested objects are left out); `None`: Istio's default.
    pub fn json(fields: Option<&Map<String, Value>>) -> Self {
        let field =
            |key: &str, format: &str| (key.to_owned(), Format::parse(format), NUMBERS.contains(&format));
        Self::Json(match fields {
            Some(fields) => {
                fields.iter().filter_map(|(key, format)| Some(field(key, format.as_str()?))).collect()
            }
            None => ISTIO_JSON.iter().map(|(key, format)| field(key, format)).collect(),
        })
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
                let object: Map<String, Value> = fields
                    .iter()
                    .map(|(key, format, number)| (key.clone(), value(format, *number, record)))
                    .filter(|(_, value)| !(omits_empty && value.is_null()))
                    .collect();
                let mut line = Value::Object(object).to_string();
                line.push('\n');
                line
            }
        }
    }
}

fn value(format: &Format, is_number: bool, record: &Record) -> Value {
    let text = format.text(record, "");
    if text.is_empty() {
        return Value::Null;
    }
    match text.parse::<u64>() {
        Ok(number) if is_number => Value::from(number),
        _ => Value::String(text),
    }
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
}

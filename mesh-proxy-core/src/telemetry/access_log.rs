//! Lines of an access log: Istio's default text and JSON, or a format of one's own.

use serde_json::{Map, Value};

use super::format::Format;
use super::record::Record;

/// Istio's default text.
pub const DEFAULT_TEXT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
    %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \
    \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
    %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \
    \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% \
    %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% \
    %ROUTE_NAME%\n";

/// Istio's default JSON fields.
const DEFAULT_JSON: [(&str, &str); 24] = [
    ("authority", "%REQ(:AUTHORITY)%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("duration", "%DURATION%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("route_name", "%ROUTE_NAME%"),
    ("start_time", "%START_TIME%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
];

/// Operators whose values are numbers in JSON where they stand alone.
const NUMBERS: [&str; 5] =
    ["%BYTES_RECEIVED%", "%BYTES_SENT%", "%DURATION%", "%RESPONSE_CODE%", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"];

/// How records become lines.
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
        Self::Text(Format::parse(if format.is_empty() { DEFAULT_TEXT } else { format }))
    }

    /// JSON by an object of format strings (nested objects are left out); `None`: Istio's default.
    pub fn json(fields: Option<&Map<String, Value>>) -> Self {
        let field =
            |key: &str, format: &str| (key.to_owned(), Format::parse(format), NUMBERS.contains(&format));
        Self::Json(match fields {
            Some(fields) => {
                fields.iter().filter_map(|(key, format)| Some(field(key, format.as_str()?))).collect()
            }
            None => DEFAULT_JSON.iter().map(|(key, format)| field(key, format)).collect(),
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

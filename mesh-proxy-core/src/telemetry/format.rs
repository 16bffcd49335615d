//! Format strings with Envoy's command operators: `%REQ(X-REQUEST-ID)%`, `%DURATION%` and so on.

use std::net::SocketAddr;
use std::time::SystemTime;

use http::HeaderMap;

use super::record::{Record, RequestRecord};

/// A format string, read once. An operator that is not known here gives the word for a missing value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Operator(Operator),
}

/// `%NAME(ARGUMENT?ALTERNATIVE):LENGTH%`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Operator {
    name: String,
    argument: String,
    alternative: Option<String>,
    length: Option<usize>,
}

impl Format {
    /// Reads a format string. `%%` is a percent sign; a `%` that begins no operator stands for itself.
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            plain.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                plain.push('%');
                rest = after;
                continue;
            }
            match operator(after) {
                Some((operator, after)) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Operator(operator));
                    rest = after;
                }
                None => {
                    plain.push('%');
                    rest = after;
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self { parts }
    }

    /// The text for a record; `missing` stands for values that are not there.
    pub fn text(&self, record: &Record, missing: &str) -> String {
        let mut made = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => made.push_str(text),
                Part::Operator(operator) => {
                    let value = operator.value(record);
                    made.push_str(&printable(
                        value.as_deref().filter(|value| !value.is_empty()).unwrap_or(missing),
                    ));
                }
            }
        }
        made
    }
}

/// The operator after a `%`, and what follows its closing `%`.
fn operator(text: &str) -> Option<(Operator, &str)> {
    let name_length =
        text.find(|byte: char| !(byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == '_'))?;
    let (name, mut rest) = text.split_at_checked(name_length).filter(|(name, _)| !name.is_empty())?;
    let mut operator = Operator { name: name.to_owned(), ..Operator::default() };
    if let Some(inside) = rest.strip_prefix('(') {
        let (argument, after) = inside.split_once(')')?;
        // A start time's own format is written with percent signs and question marks of its own.
        match argument.split_once('?').filter(|_| name != "START_TIME") {
            Some((argument, alternative)) => {
                operator.argument = argument.to_owned();
                operator.alternative = Some(alternative.to_owned());
            }
            None => operator.argument = argument.to_owned(),
        }
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(':') {
        let (length, _) = after.split_once('%')?;
        operator.length = Some(length.parse().ok()?);
        rest = after.get(length.len()..)?;
    }
    Some((operator, rest.strip_prefix('%')?))
}

impl Operator {
    fn value(&self, record: &Record) -> Option<String> {
        let value = self.whole_value(record)?;
        Some(match self.length {
            Some(length) => value.chars().take(length).collect(),
            None => value,
        })
    }

    fn whole_value(&self, record: &Record) -> Option<String> {
        let request = record.request.as_ref();
        match self.name.as_str() {
            "START_TIME" => start_time(record.start, &self.argument),
            "REQ" => self.header(|name| request.and_then(|request| request_header(request, name))),
            "RESP" => self.header(|name| header(&record.response_headers, name)),
            "TRAILER" => self.header(|name| header(&record.response_trailers, name)),
            "PROTOCOL" => request.map(|request| request.protocol.to_owned()),
            "RESPONSE_CODE" => Some(record.status.to_string()),
            "RESPONSE_CODE_DETAILS" => Some(record.details.clone()),
            "RESPONSE_FLAGS" => Some(record.flags.clone()),
            "RESPONSE_FLAGS_LONG" => super::response_flags::long(&record.flags),
            "UPSTREAM_TRANSPORT_FAILURE_REASON" => Some(record.upstream_failure.clone()),
            "BYTES_RECEIVED" => Some(record.bytes_received.to_string()),
            "BYTES_SENT" => Some(record.bytes_sent.to_string()),
            "DURATION" => Some(record.duration.as_millis().to_string()),
            "UPSTREAM_HOST" => record.endpoint.as_deref().map(str::to_owned),
            "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => record.cluster.as_deref().map(str::to_owned),
            "UPSTREAM_REQUEST_ATTEMPT_COUNT" => Some(record.attempts.to_string()),
            "DOWNSTREAM_LOCAL_ADDRESS" => Some(record.destination.to_string()),
            "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => Some(record.destination.ip().to_string()),
            "DOWNSTREAM_LOCAL_PORT" => Some(record.destination.port().to_string()),
            "DOWNSTREAM_REMOTE_ADDRESS" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS" => Some(address(record.peer)),
            "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => {
                Some(record.peer.ip().to_canonical().to_string())
            }
            "DOWNSTREAM_REMOTE_PORT" => Some(record.peer.port().to_string()),
            "DOWNSTREAM_PEER_URI_SAN" => record.peer_principal.clone(),
            "REQUESTED_SERVER_NAME" => record.server_name.clone(),
            "ROUTE_NAME" => record.route.as_deref().map(str::to_owned),
            "GRPC_STATUS" => grpc_status(record).map(|code| grpc_name(&code, &self.argument)),
            "GRPC_STATUS_NUMBER" => grpc_status(record),
            _ => None,
        }
    }

    fn header(&self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        value(&self.argument).or_else(|| value(self.alternative.as_deref()?))
    }
}

/// The status of gRPC, of trailers or of an answer without a body.
pub(super) fn grpc_status(record: &Record) -> Option<String> {
    header(&record.response_trailers, "grpc-status")
        .or_else(|| header(&record.response_headers, "grpc-status"))
}

/// The name of a status of gRPC as `format` has it: `CAMEL_STRING` (where none is given), `SNAKE_STRING`, `NUMBER`.
fn grpc_name(code: &str, format: &str) -> String {
    const NAMES: [&str; 17] = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];
    let name = code.parse::<usize>().ok().and_then(|code| NAMES.get(code));
    let Some(name) = name.filter(|_| format != "NUMBER") else { return code.to_owned() };
    if format != "SNAKE_STRING" {
        return (*name).to_owned();
    }
    let mut snake = String::new();
    let mut was_lower = false;
    for character in name.chars() {
        if character.is_ascii_uppercase() && was_lower {
            snake.push('_');
        }
        was_lower = character.is_ascii_lowercase();
        snake.push(character.to_ascii_uppercase());
    }
    snake
}

fn address(address: SocketAddr) -> String {
    SocketAddr::new(address.ip().to_canonical(), address.port()).to_string()
}

pub(super) fn request_header(request: &RequestRecord, name: &str) -> Option<String> {
    match name.to_ascii_lowercase().as_str() {
        ":method" => Some(request.method.to_string()),
        ":path" => Some(request.path.clone()),
        ":authority" | "host" => Some(request.authority.clone()),
        ":scheme" => Some(request.scheme.clone()),
        name => header(&request.headers, name),
    }
}

/// The lines of a header, joined.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut lines = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut joined = lines.next()?.into_owned();
    for line in lines {
        joined.push(',');
        joined.push_str(&line);
    }
    Some(joined)
}

/// ISO 8601 to the millisecond where no format is given.
fn start_time(start: SystemTime, format: &str) -> Option<String> {
    let timestamp = jiff::Timestamp::try_from(start).ok()?;
    let format = if format.is_empty() { "%Y-%m-%dT%H:%M:%S%.3fZ" } else { format };
    jiff::fmt::strtime::format(format, timestamp).ok()
}

/// One line, whatever a client sent: control characters are written as escapes.
fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return std::borrow::Cow::Borrowed(text);
    }
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let plain = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use mesh_compile::proxy::listener::Direction;

    use super::*;

    fn record() -> Record {
        let address = "10.0.0.1:80".parse().unwrap();
        let mut record = Record::begin(Direction::Outbound, "10.0.0.2:4000".parse().unwrap(), address);
        record.start = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        record.status = 200;
        let mut request =
            RequestRecord { path: "/a".to_owned(), protocol: "HTTP/1.1", ..RequestRecord::default() };
        request.headers.append("x-one", HeaderValue::from_static("1"));
        request.headers.append("x-one", HeaderValue::from_static("2"));
        request.headers.insert("x-odd", HeaderValue::from_bytes(b"a\xffb\tc").unwrap());
        record.request = Some(request);
        record
    }

    fn text(format: &str) -> String {
        Format::parse(format).text(&record(), "-")
    }

    #[test]
    fn operators_are_envoys() {
        assert_eq!(text("[%START_TIME%] %REQ(:PATH)% %PROTOCOL%"), "[2023-11-14T22:13:20.123Z] /a HTTP/1.1");
        assert_eq!(text("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(X-One)% %REQ(X-ONE):1%"), "/a 1,2 1");
        assert_eq!(text("%START_TIME(%s)% %RESPONSE_CODE% %UPSTREAM_HOST%"), "1700000000 200 -");
        assert_eq!(text("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"), "10.0.0.2");
    }

    /// A record in which every value is there.
    fn full() -> Record {
        let mut record = record();
        record.duration = Duration::from_millis(12);
        record.peer_principal = Some("spiffe://d/ns/a/sa/b".to_owned());
        record.server_name = Some("sni.example".to_owned());
        record.response_headers.insert("x-envoy-upstream-service-time", HeaderValue::from_static("9"));
        record.response_trailers.insert("grpc-status", HeaderValue::from_static("14"));
        record.response_trailers.insert("x-end", HeaderValue::from_static("e"));
        record.flags = "UF,URX".to_owned();
        record.details = "via_upstream".to_owned();
        record.upstream_failure = "refused".to_owned();
        (record.bytes_received, record.bytes_sent, record.attempts) = (5, 7, 2);
        record.cluster = Some("outbound|80||a".into());
        record.endpoint = Some("10.0.1.1:9080".into());
        record.route = Some("r".into());
        if let Some(request) = &mut record.request {
            (request.authority, request.scheme) = ("a.example".to_owned(), "http".to_owned());
            for name in ["x-forwarded-for", "user-agent", "x-request-id"] {
                request.headers.insert(name, HeaderValue::from_static(name));
            }
        }
        record
    }

    /// Every operator that Istio's formats are made of, and the others that are known here.
    const OPERATORS: [(&str, &str); 40] = [
        ("%START_TIME%", "2023-11-14T22:13:20.123Z"),
        ("%START_TIME(%Y/%m)%", "2023/11"),
        ("%REQ(:METHOD)%", "GET"),
        ("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "/a"),
        ("%REQ(:AUTHORITY)%", "a.example"),
        ("%REQ(:SCHEME)%", "http"),
        ("%REQ(X-FORWARDED-FOR)%", "x-forwarded-for"),
        ("%REQ(USER-AGENT)%", "user-agent"),
        ("%REQ(X-REQUEST-ID)%", "x-request-id"),
        ("%REQ(X-NONE)%", "-"),
        ("%PROTOCOL%", "HTTP/1.1"),
        ("%RESPONSE_CODE%", "200"),
        ("%RESPONSE_FLAGS%", "UF,URX"),
        ("%RESPONSE_FLAGS_LONG%", "UpstreamConnectionFailure,UpstreamRetryLimitExceeded"),
        ("%RESPONSE_CODE_DETAILS%", "via_upstream"),
        // Set by filters that are not here.
        ("%CONNECTION_TERMINATION_DETAILS%", "-"),
        ("%UPSTREAM_TRANSPORT_FAILURE_REASON%", "refused"),
        ("%BYTES_RECEIVED%", "5"),
        ("%BYTES_SENT%", "7"),
        ("%DURATION%", "12"),
        ("%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%", "9"),
        ("%TRAILER(X-END)%", "e"),
        ("%UPSTREAM_HOST%", "10.0.1.1:9080"),
        ("%UPSTREAM_CLUSTER%", "outbound|80||a"),
        ("%UPSTREAM_CLUSTER_RAW%", "outbound|80||a"),
        // The seam that makes connections does not tell.
        ("%UPSTREAM_LOCAL_ADDRESS%", "-"),
        ("%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "2"),
        ("%DOWNSTREAM_LOCAL_ADDRESS%", "10.0.0.1:80"),
        ("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "10.0.0.1"),
        ("%DOWNSTREAM_LOCAL_PORT%", "80"),
        ("%DOWNSTREAM_REMOTE_ADDRESS%", "10.0.0.2:4000"),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "10.0.0.2"),
        ("%DOWNSTREAM_REMOTE_PORT%", "4000"),
        ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "10.0.0.2:4000"),
        ("%DOWNSTREAM_PEER_URI_SAN%", "spiffe://d/ns/a/sa/b"),
        ("%REQUESTED_SERVER_NAME%", "sni.example"),
        ("%ROUTE_NAME%", "r"),
        ("%GRPC_STATUS%", "Unavailable"),
        ("%GRPC_STATUS(SNAKE_STRING)%", "UNAVAILABLE"),
        ("%GRPC_STATUS_NUMBER%", "14"),
    ];

    #[test]
    fn every_operator_has_its_value() {
        for (operator, value) in OPERATORS {
            assert_eq!(Format::parse(operator).text(&full(), "-"), value, "{operator}");
        }
        let invalid = ["GRPC_STATUS(SNAKE_STRING)", "GRPC_STATUS(NUMBER)"].map(|text| format!("%{text}%"));
        let mut record = full();
        record.response_trailers.insert("grpc-status", HeaderValue::from_static("3"));
        assert_eq!(invalid.map(|text| Format::parse(&text).text(&record, "-")), ["INVALID_ARGUMENT", "3"]);
    }

    #[test]
    fn every_operator_of_the_ledger_is_in_the_table() {
        let Some(shared) = std::env::var_os("MESH_SHARED") else { return };
        let path = std::path::Path::new(&shared).join("ledger/access_log.md");
        let ledger = std::fs::read_to_string(path).unwrap();
        let mut found = 0;
        for line in ledger.lines().filter(|line| line.contains('%')) {
            let operators = Format::parse(line).parts.into_iter().filter_map(|part| match part {
                Part::Operator(operator) => Some(operator),
                Part::Text(_) => None,
            });
            for operator in operators {
                let known = OPERATORS
                    .iter()
                    .any(|(text, _)| Format::parse(text).parts == [Part::Operator(operator.clone())]);
                assert!(known, "{operator:?}");
                found += 1;
            }
        }
        assert!(found > 40, "{found}");
    }

    #[test]
    fn what_is_no_operator_stands_for_itself() {
        assert_eq!(text("100%% % %REQ( %lower% %NOT_KNOWN%"), "100% % %REQ( %lower% -");
    }

    #[test]
    fn clients_cannot_break_the_line() {
        assert_eq!(text("%REQ(X-ODD)%"), "a\u{fffd}b\\tc");
    }
}

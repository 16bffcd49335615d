//! Format strings with Envoy's command operators: `%REQ(X-REQUEST-ID)%`, `%DURATION%` and so on.

mod values;

use http::HeaderMap;
use http::header::HeaderName;

use self::values::{address, canonical, grpc_name, ip, number, one_line, start_time};
use super::record::{Record, RequestRecord};

/// A format string, read once. An operator that is not known here gives the word for a missing value.
/// Spec: Envoy, access log command operators (T-180).
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
#[derive(Debug, Clone, PartialEq, Eq)]
struct Operator {
    value: Value,
    length: Option<usize>,
}

/// What an operator tells, found once so that a line costs no comparisons of names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// By a format of its own; empty: ISO 8601 to the millisecond.
    StartTime(String),
    Request(Vec<RequestField>),
    Response(Vec<HeaderName>),
    Trailer(Vec<HeaderName>),
    Protocol,
    ResponseCode,
    ResponseCodeDetails,
    ResponseFlags,
    ResponseFlagsLong,
    ConnectionTerminationDetails,
    UpstreamTransportFailureReason,
    BytesReceived,
    BytesSent,
    Duration,
    UpstreamHost,
    UpstreamHostWithoutPort,
    UpstreamHostPort,
    UpstreamLocalAddress,
    UpstreamLocalAddressWithoutPort,
    UpstreamLocalPort,
    UpstreamCluster,
    UpstreamRequestAttemptCount,
    DownstreamLocalAddress,
    DownstreamLocalAddressWithoutPort,
    DownstreamLocalPort,
    DownstreamRemoteAddress,
    DownstreamRemoteAddressWithoutPort,
    DownstreamRemotePort,
    DownstreamPeerUriSan,
    RequestedServerName,
    RouteName,
    /// Its name in a form: `CAMEL_STRING` (where none is given), `SNAKE_STRING`, `NUMBER`.
    GrpcStatus(String),
    GrpcStatusNumber,
    /// Not known here: its name.
    Unknown(String),
}

/// What `%REQ(..)%` may name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RequestField {
    Method,
    Path,
    Authority,
    Scheme,
    Header(HeaderName),
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
        let mut made = String::with_capacity(16 * self.parts.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => made.push_str(text),
                Part::Operator(operator) => operator.write(record, missing, &mut made),
            }
        }
        made
    }
}

impl Format {
    /// The value for a record in JSON: an operator that stands alone keeps its kind, and is null where there is nothing;
    /// all else is text, where `missing` stands for values that are not there.
    pub(super) fn value(&self, record: &Record, missing: &str) -> serde_json::Value {
        let [Part::Operator(operator)] = &*self.parts else { return self.text(record, missing).into() };
        let text = self.text(record, "");
        if text.is_empty() {
            return serde_json::Value::Null;
        }
        match text.parse::<u64>() {
            Ok(number) if operator.is_number() => number.into(),
            _ => text.into(),
        }
    }
}

/// The operator after a `%`, and what follows its closing `%`.
fn operator(text: &str) -> Option<(Operator, &str)> {
    let name_length =
        text.find(|byte: char| !(byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == '_'))?;
    let (name, mut rest) = text.split_at_checked(name_length).filter(|(name, _)| !name.is_empty())?;
    let (mut argument, mut alternative) = ("", None);
    if let Some(inside) = rest.strip_prefix('(') {
        let (inside, after) = inside.split_once(')')?;
        // A start time's own format is written with percent signs and question marks of its own.
        (argument, alternative) = match inside.split_once('?').filter(|_| name != "START_TIME") {
            Some((argument, alternative)) => (argument, Some(alternative)),
            None => (inside, None),
        };
        rest = after;
    }
    let mut length = None;
    if let Some(after) = rest.strip_prefix(':') {
        let (digits, _) = after.split_once('%')?;
        length = Some(digits.parse().ok()?);
        rest = after.get(digits.len()..)?;
    }
    let operator = Operator { value: Value::of(name, argument, alternative), length };
    Some((operator, rest.strip_prefix('%')?))
}

impl Value {
    fn of(name: &str, argument: &str, alternative: Option<&str>) -> Self {
        let names = || std::iter::once(argument).chain(alternative);
        let headers = || names().filter_map(|name| HeaderName::try_from(name).ok()).collect();
        match name {
            "START_TIME" => Self::StartTime(argument.to_owned()),
            "REQ" => Self::Request(names().filter_map(RequestField::of).collect()),
            "RESP" => Self::Response(headers()),
            "TRAILER" => Self::Trailer(headers()),
            "PROTOCOL" => Self::Protocol,
            "RESPONSE_CODE" => Self::ResponseCode,
            "RESPONSE_CODE_DETAILS" => Self::ResponseCodeDetails,
            "RESPONSE_FLAGS" => Self::ResponseFlags,
            "RESPONSE_FLAGS_LONG" => Self::ResponseFlagsLong,
            "CONNECTION_TERMINATION_DETAILS" => Self::ConnectionTerminationDetails,
            "UPSTREAM_TRANSPORT_FAILURE_REASON" => Self::UpstreamTransportFailureReason,
            "BYTES_RECEIVED" => Self::BytesReceived,
            "BYTES_SENT" => Self::BytesSent,
            "DURATION" => Self::Duration,
            "UPSTREAM_HOST" | "UPSTREAM_REMOTE_ADDRESS" => Self::UpstreamHost,
            "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Self::UpstreamHostWithoutPort,
            "UPSTREAM_REMOTE_PORT" => Self::UpstreamHostPort,
            "UPSTREAM_LOCAL_ADDRESS" => Self::UpstreamLocalAddress,
            "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => Self::UpstreamLocalAddressWithoutPort,
            "UPSTREAM_LOCAL_PORT" => Self::UpstreamLocalPort,
            "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => Self::UpstreamCluster,
            "UPSTREAM_REQUEST_ATTEMPT_COUNT" => Self::UpstreamRequestAttemptCount,
            "DOWNSTREAM_LOCAL_ADDRESS" => Self::DownstreamLocalAddress,
            "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => Self::DownstreamLocalAddressWithoutPort,
            "DOWNSTREAM_LOCAL_PORT" => Self::DownstreamLocalPort,
            "DOWNSTREAM_REMOTE_ADDRESS" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS" => Self::DownstreamRemoteAddress,
            "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => {
                Self::DownstreamRemoteAddressWithoutPort
            }
            "DOWNSTREAM_REMOTE_PORT" => Self::DownstreamRemotePort,
            "DOWNSTREAM_PEER_URI_SAN" => Self::DownstreamPeerUriSan,
            "REQUESTED_SERVER_NAME" => Self::RequestedServerName,
            "ROUTE_NAME" => Self::RouteName,
            "GRPC_STATUS" => Self::GrpcStatus(argument.to_owned()),
            "GRPC_STATUS_NUMBER" => Self::GrpcStatusNumber,
            name => Self::Unknown(name.to_owned()),
        }
    }

    /// Writes it; nothing where it is not there.
    fn write(&self, record: &Record, out: &mut String) {
        let request = record.request.as_ref();
        match self {
            Self::StartTime(format) => start_time(record.start, format, out),
            Self::Request(fields) => {
                let Some(request) = request else { return };
                fields.iter().any(|field| field.write(request, out));
            }
            Self::Response(names) => first_header(&record.response_headers, names, out),
            Self::Trailer(names) => first_header(&record.response_trailers, names, out),
            Self::Protocol => out.push_str(request.map_or("", |request| request.protocol)),
            Self::ResponseCode => number(u64::from(record.status), out),
            Self::ResponseCodeDetails => out.push_str(&record.details),
            Self::ResponseFlags => out.push_str(&record.flags),
            Self::ResponseFlagsLong => {
                out.push_str(&super::response_flags::long(&record.flags).unwrap_or_default());
            }
            Self::ConnectionTerminationDetails => out.push_str(&record.termination),
            Self::UpstreamTransportFailureReason => out.push_str(&record.upstream_failure.replace(' ', "_")),
            Self::BytesReceived => number(record.bytes_received, out),
            Self::BytesSent => number(record.bytes_sent, out),
            Self::Duration => number(u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX), out),
            Self::UpstreamHost => out.push_str(record.endpoint.as_deref().unwrap_or_default()),
            Self::UpstreamHostWithoutPort => out.push_str(endpoint(record).map_or("", |(ip, _)| ip)),
            Self::UpstreamHostPort => out.push_str(endpoint(record).map_or("", |(_, port)| port)),
            Self::UpstreamLocalAddress => record.upstream_local.iter().for_each(|local| address(*local, out)),
            Self::UpstreamLocalAddressWithoutPort => {
                record.upstream_local.iter().for_each(|local| ip(local.ip(), out));
            }
            Self::UpstreamLocalPort => {
                record.upstream_local.iter().for_each(|local| number(u64::from(local.port()), out));
            }
            Self::UpstreamCluster => out.push_str(record.cluster.as_deref().unwrap_or_default()),
            Self::UpstreamRequestAttemptCount => number(u64::from(record.attempts), out),
            Self::DownstreamLocalAddress => address(record.destination, out),
            Self::DownstreamLocalAddressWithoutPort => ip(record.destination.ip(), out),
            Self::DownstreamLocalPort => number(u64::from(record.destination.port()), out),
            Self::DownstreamRemoteAddress => address(canonical(record.peer), out),
            Self::DownstreamRemoteAddressWithoutPort => ip(record.peer.ip().to_canonical(), out),
            Self::DownstreamRemotePort => number(u64::from(record.peer.port()), out),
            Self::DownstreamPeerUriSan => out.push_str(record.peer_principal.as_deref().unwrap_or_default()),
            Self::RequestedServerName => out.push_str(record.server_name.as_deref().unwrap_or_default()),
            Self::RouteName => out.push_str(record.route.as_deref().unwrap_or_default()),
            Self::GrpcStatus(form) => {
                let code = grpc_status(record);
                out.push_str(&code.map(|code| grpc_name(&code, form)).unwrap_or_default());
            }
            Self::GrpcStatusNumber => out.push_str(&grpc_status(record).unwrap_or_default()),
            Self::Unknown(_) => {}
        }
    }
}

impl Operator {
    /// Whether it is a number where JSON has it alone.
    fn is_number(&self) -> bool {
        let counts = matches!(
            self.value,
            Value::ResponseCode
                | Value::BytesReceived
                | Value::BytesSent
                | Value::Duration
                | Value::UpstreamRequestAttemptCount
                | Value::UpstreamHostPort
                | Value::UpstreamLocalPort
                | Value::DownstreamLocalPort
                | Value::DownstreamRemotePort
                | Value::GrpcStatusNumber
        );
        counts && self.length.is_none()
    }

    fn write(&self, record: &Record, missing: &str, out: &mut String) {
        let start = out.len();
        self.value.write(record, out);
        if let Some(length) = self.length {
            let end = out.get(start..).and_then(|text| text.char_indices().nth(length));
            out.truncate(end.map_or(out.len(), |(at, _)| start + at));
        }
        if out.len() == start {
            out.push_str(missing);
        }
        one_line(out, start);
    }
}

impl RequestField {
    fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            ":method" => Self::Method,
            ":path" => Self::Path,
            ":authority" | "host" => Self::Authority,
            ":scheme" => Self::Scheme,
            name => Self::Header(HeaderName::try_from(name).ok()?),
        })
    }

    /// Writes it; whether it is there, be it empty.
    fn write(&self, request: &RequestRecord, out: &mut String) -> bool {
        let text = match self {
            Self::Method => request.method.as_str(),
            Self::Path => &request.path,
            Self::Authority => &request.authority,
            Self::Scheme => &request.scheme,
            Self::Header(name) => return write_header(&request.headers, name, out),
        };
        out.push_str(text);
        true
    }
}

/// The first of some headers that is there.
fn first_header(headers: &HeaderMap, names: &[HeaderName], out: &mut String) {
    names.iter().any(|name| write_header(headers, name, out));
}

/// The lines of a header, joined; whether there are any.
fn write_header(headers: &HeaderMap, name: &HeaderName, out: &mut String) -> bool {
    let mut lines = headers.get_all(name).iter();
    let Some(first) = lines.next() else { return false };
    push_lossy(first.as_bytes(), out);
    for line in lines {
        out.push(',');
        push_lossy(line.as_bytes(), out);
    }
    true
}

fn push_lossy(bytes: &[u8], out: &mut String) {
    match std::str::from_utf8(bytes) {
        Ok(text) => out.push_str(text),
        Err(_) => out.push_str(&String::from_utf8_lossy(bytes)),
    }
}

/// The lines of a header, joined.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut out = String::new();
    write_header(headers, &HeaderName::try_from(name).ok()?, &mut out).then_some(out)
}

/// What `%REQ(..)%` tells of a request.
#[cfg_attr(not(feature = "cel"), expect(dead_code, reason = "expressions ask for it"))]
pub(super) fn request_header(request: &RequestRecord, name: &str) -> Option<String> {
    let mut out = String::new();
    RequestField::of(name)?.write(request, &mut out).then_some(out)
}

/// The endpoint's address and port.
fn endpoint(record: &Record) -> Option<(&str, &str)> {
    record.endpoint.as_deref()?.rsplit_once(':')
}

/// The status of gRPC, of trailers or of an answer without a body.
pub(super) fn grpc_status(record: &Record) -> Option<String> {
    header(&record.response_trailers, "grpc-status")
        .or_else(|| header(&record.response_headers, "grpc-status"))
}

#[cfg(test)]
mod tests;

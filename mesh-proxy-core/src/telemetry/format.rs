//! Format strings with Envoy's command operators: `%REQ(X-REQUEST-ID)%`, `%DURATION%` and so on.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use http::HeaderMap;
use http::header::HeaderName;

use super::record::{Record, RequestRecord};
use crate::http_syntax::{Ipv4Text, is_printable};

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
    UpstreamTransportFailureReason,
    BytesReceived,
    BytesSent,
    Duration,
    UpstreamHost,
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
            "UPSTREAM_TRANSPORT_FAILURE_REASON" => Self::UpstreamTransportFailureReason,
            "BYTES_RECEIVED" => Self::BytesReceived,
            "BYTES_SENT" => Self::BytesSent,
            "DURATION" => Self::Duration,
            "UPSTREAM_HOST" => Self::UpstreamHost,
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
            Self::UpstreamTransportFailureReason => out.push_str(&record.upstream_failure),
            Self::BytesReceived => number(record.bytes_received, out),
            Self::BytesSent => number(record.bytes_sent, out),
            Self::Duration => number(u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX), out),
            Self::UpstreamHost => out.push_str(record.endpoint.as_deref().unwrap_or_default()),
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

/// A number, without the machinery of formatting.
fn number(mut number: u64, out: &mut String) {
    let mut digits = [b'0'; 20];
    let mut count = 0;
    for place in digits.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
        count += 1;
        if number == 0 {
            break;
        }
    }
    let written = digits.get(digits.len() - count..).unwrap_or_default();
    out.push_str(std::str::from_utf8(written).unwrap_or_default());
}

/// The last digits of a number, as many as there is to be.
fn padded(number: u32, digits: u32, out: &mut String) {
    for place in (0..digits).rev() {
        out.push(char::from(b'0' + (number / 10_u32.pow(place) % 10) as u8));
    }
}

fn ip(ip: IpAddr, out: &mut String) {
    match ip {
        IpAddr::V4(ip) => out.push_str(Ipv4Text::of(ip).as_str()),
        IpAddr::V6(ip) => display(ip, out),
    }
}

fn address(address: SocketAddr, out: &mut String) {
    match address {
        SocketAddr::V4(address) => {
            ip(IpAddr::V4(*address.ip()), out);
            out.push(':');
            number(u64::from(address.port()), out);
        }
        SocketAddr::V6(address) => display(address, out),
    }
}

fn display(value: impl std::fmt::Display, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
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

fn start_time(start: SystemTime, format: &str, out: &mut String) {
    let Ok(timestamp) = jiff::Timestamp::try_from(start) else { return };
    if !format.is_empty() {
        out.push_str(&jiff::fmt::strtime::format(format, timestamp).unwrap_or_default());
        return;
    }
    let at = jiff::tz::Offset::UTC.to_datetime(timestamp);
    let Ok(year @ 0..=9999) = u32::try_from(at.year()) else { return display(timestamp, out) };
    padded(year, 4, out);
    let small = |value: i8| u32::try_from(value).unwrap_or_default();
    let parts =
        [('-', at.month()), ('-', at.day()), ('T', at.hour()), (':', at.minute()), (':', at.second())];
    for (before, value) in parts {
        out.push(before);
        padded(small(value), 2, out);
    }
    out.push('.');
    padded(u32::try_from(at.millisecond()).unwrap_or_default(), 3, out);
    out.push('Z');
}

/// Keeps what was written on one line, whatever a client sent: control characters become escapes.
fn one_line(out: &mut String, start: usize) {
    let written = out.get(start..).unwrap_or_default();
    // Other control characters than these are two bytes long.
    if is_printable(written.as_bytes()) || !written.contains(char::is_control) {
        return;
    }
    let written = out.split_off(start);
    for character in written.chars() {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
}

#[cfg(test)]
mod tests;

//! Values of log lines as text, without the machinery of formatting where every line has them.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use crate::http_syntax::{Ipv4Text, is_printable};
use crate::telemetry::record::Record;

/// A number, without the machinery of formatting; it is there.
pub(super) fn number(mut number: u64, out: &mut String) -> bool {
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
    true
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

pub(super) fn address(address: SocketAddr, out: &mut String) -> bool {
    match address {
        SocketAddr::V4(address) => {
            ip(IpAddr::V4(*address.ip()), out);
            out.push(':');
            number(u64::from(address.port()), out)
        }
        SocketAddr::V6(address) => {
            display(address, out);
            true
        }
    }
}

fn display(value: impl std::fmt::Display, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The addresses of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Client,
    DirectClient,
    Destination,
    Upstream,
    UpstreamLocal,
}

impl Place {
    pub(super) fn of(self, record: &Record) -> Option<SocketAddr> {
        match self {
            Self::Client => Some(canonical(record.peer)),
            Self::DirectClient => {
                let direct = record.connection.as_ref().and_then(|connection| connection.direct_peer);
                Some(canonical(direct.unwrap_or(record.peer)))
            }
            Self::Destination => Some(record.destination),
            Self::Upstream => record.endpoint.as_deref().filter(|_| record.upstream.is_some())?.parse().ok(),
            Self::UpstreamLocal => record.upstream_local,
        }
    }
}

/// An address without its port. Envoy: `.._ADDRESS_WITHOUT_PORT(MASK_PREFIX_LEN)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WithoutPort {
    place: Place,
    /// Bits that are told; `None`: the address itself.
    prefix: Option<u8>,
}

impl WithoutPort {
    /// What is no number masks nothing, as in Envoy.
    pub(super) fn of(place: Place, argument: &str) -> Self {
        let prefix = argument.parse::<u32>().ok().map(|bits| u8::try_from(bits).unwrap_or(u8::MAX));
        Self { place, prefix }
    }

    pub(super) fn write(self, record: &Record, out: &mut String) -> bool {
        let Some(address) = self.place.of(record) else { return false };
        let Some(bits) = self.prefix else {
            ip(address.ip(), out);
            return true;
        };
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let Ok(net) = ipnet::IpNet::new(address.ip(), bits.min(longest)) else { return false };
        display(net.trunc(), out);
        true
    }
}

/// How a status of gRPC is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GrpcForm {
    Camel,
    Snake,
    Number,
}

impl GrpcForm {
    /// # Errors
    /// There is no such form.
    pub(super) fn of(argument: &str) -> Result<Self, String> {
        match argument {
            "" | "CAMEL_STRING" => Ok(Self::Camel),
            "SNAKE_STRING" => Ok(Self::Snake),
            "NUMBER" => Ok(Self::Number),
            other => Err(format!("GRPC_STATUS takes CAMEL_STRING, SNAKE_STRING or NUMBER, not `{other}`")),
        }
    }
}

/// The status of a call of gRPC, or what its HTTP status comes to where it has none; `None`: it is no call of gRPC.
// Facts: Envoy's source/common/grpc/{common,status}.cc.
pub(super) fn grpc_code(record: &Record) -> Option<String> {
    let content = record.request.as_ref()?.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    content.strip_prefix("application/grpc").filter(|rest| rest.is_empty() || rest.starts_with('+'))?;
    super::grpc_status(record).or_else(|| {
        let code = match record.status {
            0 => return None,
            400 => 13,
            401 => 16,
            403 => 7,
            404 => 12,
            429 | 502 | 503 | 504 => 14,
            _ => 2,
        };
        Some(i32::to_string(&code))
    })
}

/// The name of a status of gRPC.
pub(super) fn grpc_name(code: &str, form: GrpcForm) -> String {
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
    let Some(name) = name.filter(|_| form != GrpcForm::Number) else { return code.to_owned() };
    if form != GrpcForm::Snake {
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

/// ISO 8601 to the millisecond, in UTC.
pub(super) fn iso(timestamp: jiff::Timestamp, out: &mut String) -> bool {
    let at = jiff::tz::Offset::UTC.to_datetime(timestamp);
    let Ok(year @ 0..=9999) = u32::try_from(at.year()) else {
        display(timestamp, out);
        return true;
    };
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
    true
}

/// Keeps what was written on one line, whatever a client sent: control characters become escapes.
pub(super) fn one_line(out: &mut String, start: usize) {
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

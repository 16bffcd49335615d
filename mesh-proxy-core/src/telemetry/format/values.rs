//! Values of log lines as text, without the machinery of formatting where every line has them.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use crate::http_syntax::{Ipv4Text, is_printable};

/// A number, without the machinery of formatting.
pub(super) fn number(mut number: u64, out: &mut String) {
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

pub(super) fn ip(ip: IpAddr, out: &mut String) {
    match ip {
        IpAddr::V4(ip) => out.push_str(Ipv4Text::of(ip).as_str()),
        IpAddr::V6(ip) => display(ip, out),
    }
}

pub(super) fn address(address: SocketAddr, out: &mut String) {
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

pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The name of a status of gRPC as `format` has it: `CAMEL_STRING` (where none is given), `SNAKE_STRING`, `NUMBER`.
pub(super) fn grpc_name(code: &str, format: &str) -> String {
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

pub(super) fn start_time(start: SystemTime, format: &str, out: &mut String) {
    let Ok(timestamp) = jiff::Timestamp::try_from(start) else { return };
    if !format.is_empty() {
        // Parts of a second without a width have nine digits, as in Envoy.
        let format = format.replace("%f", "%9f");
        out.push_str(&jiff::fmt::strtime::format(&format, timestamp).unwrap_or_default());
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

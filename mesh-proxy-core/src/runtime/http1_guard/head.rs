//! The lines of a request's head.

use super::Rules;
use crate::http_syntax::{is_field_value, is_graphic, is_http1_method, is_token_byte};

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{details}")]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// For the log: no spaces.
    pub(crate) details: &'static str,
}

/// Status 400.
pub(super) const fn bad(details: &'static str) -> Refusal {
    Refusal { status: 400, details }
}

/// Status 431.
pub(super) const fn too_large(details: &'static str) -> Refusal {
    Refusal { status: 431, details }
}

/// Empty lines that may come before a request line (RFC 9112, 2.2: a server should take at least one).
const EMPTY_LINES_MAX: u8 = 4;

/// A head as far as its lines have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    empty_lines: u8,
    has_request_line: bool,
    lines: usize,
    is_http10: bool,
    is_connect: bool,
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
    /// `connection` lists `upgrade`.
    names_upgrade: bool,
    has_upgrade: bool,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Framing {
    pub(super) body: Body,
    /// The client wants to speak another protocol after this message.
    pub(super) asks_tunnel: bool,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Length(u64),
    Chunked,
}

impl Head {
    pub(super) const NEW: Self = Self {
        empty_lines: 0,
        has_request_line: false,
        lines: 0,
        is_http10: false,
        is_connect: false,
        hosts: 0,
        length: None,
        is_chunked: false,
        names_upgrade: false,
        has_upgrade: false,
    };

    /// Takes a line without its CRLF; what follows the head once it is complete.
    pub(super) fn line(&mut self, line: &[u8], rules: Rules) -> Result<Option<Framing>, Refusal> {
        if !self.has_request_line {
            if line.is_empty() {
                self.empty_lines += 1;
                let is_too_many = self.empty_lines > EMPTY_LINES_MAX;
                return if is_too_many { Err(bad("http1.empty_lines")) } else { Ok(None) };
            }
            self.has_request_line = true;
            return self.request_line(line, rules).map(|()| None);
        }
        if line.is_empty() {
            return self.end().map(Some);
        }
        self.lines += 1;
        if self.lines > rules.lines_max {
            return Err(too_large("http1.too_many_headers"));
        }
        self.field(line).map(|()| None)
    }

    /// `METHOD target HTTP/1.1` with single spaces.
    fn request_line(&mut self, line: &[u8], rules: Rules) -> Result<(), Refusal> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(bad("http1.request_line"));
        };
        let is_method = !method.is_empty() && method.iter().copied().all(is_token_byte);
        let is_method_taken =
            !rules.upper_case_methods || std::str::from_utf8(method).is_ok_and(is_http1_method);
        if !is_method || !is_method_taken {
            return Err(bad("http1.method"));
        }
        // Bytes above 0x7f are told apart later, where the target is known to be a path.
        let is_odd = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
        if target.is_empty() || (!is_graphic(target) && target.iter().any(is_odd)) {
            return Err(bad("http1.target"));
        }
        self.is_connect = method == b"CONNECT";
        if self.is_connect && !is_host_and_port(target) {
            return Err(bad("http1.connect_target"));
        }
        self.is_http10 = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err(bad("http1.version")),
        };
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let (name, value) = field(line)?;
        // Most names are none of these lengths.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.has_upgrade = true,
            10 if name.eq_ignore_ascii_case(b"connection") => {
                let mut tokens = value.split(|byte| *byte == b',');
                self.names_upgrade |= tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(bad("http1.several_lengths"));
                }
                self.length = Some(length(value)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.is_chunked {
                    return Err(bad("http1.several_codings"));
                }
                coding(value)?;
                self.is_chunked = true;
            }
            // Behind a CGI-like upstream they are the lengths above.
            14 if name.eq_ignore_ascii_case(b"content_length") => return Err(bad("http1.length_look_alike")),
            17 if name.eq_ignore_ascii_case(b"transfer_encoding") => {
                return Err(bad("http1.coding_look_alike"));
            }
            _ => {}
        }
        Ok(())
    }

    /// What holds for the head as a whole.
    fn end(&self) -> Result<Framing, Refusal> {
        if self.is_chunked && self.length.is_some() {
            return Err(bad("http1.length_and_coding"));
        }
        if self.is_chunked && self.is_http10 {
            return Err(bad("http1.coding_in_http10"));
        }
        // HTTP/1.0 knows clients without one.
        if self.hosts > 1 || (self.hosts == 0 && !self.is_http10) {
            return Err(bad("http1.host"));
        }
        let body = if self.is_chunked { Body::Chunked } else { Body::Length(self.length.unwrap_or(0)) };
        let asks_upgrade = self.has_upgrade && self.names_upgrade && !self.is_http10;
        Ok(Framing { body, asks_tunnel: self.is_connect || asks_upgrade })
    }
}

/// `host:port`, all that a tunnel may be asked to (RFC 9112, 3.2.3; bytes as Envoy takes them).
fn is_host_and_port(target: &[u8]) -> bool {
    let Some(colon) = target.iter().rposition(|byte| *byte == b':') else { return false };
    let (host, port) = target.split_at_checked(colon).unwrap_or_default();
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if !port.get(1..).and_then(|port| std::str::from_utf8(port).ok()).is_some_and(is_port) {
        return false;
    }
    match host.strip_prefix(b"[").map(|rest| rest.strip_suffix(b"]")) {
        Some(address) => address
            .and_then(|address| std::str::from_utf8(address).ok())
            .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            let is_taken = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            !host.is_empty() && host.iter().all(is_taken)
        }
    }
}

/// Name and value of a header line; the value without the whitespace around it.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        return Err(bad("http1.folded_line"));
    }
    let Some(colon) = line.iter().position(|byte| !is_token_byte(*byte)) else {
        return Err(bad("http1.no_colon"));
    };
    let (name, rest) = line.split_at_checked(colon).unwrap_or_default();
    let Some((b':', value)) = rest.split_first() else { return Err(bad("http1.header_name")) };
    if name.is_empty() {
        return Err(bad("http1.header_name"));
    }
    if !is_field_value(value) {
        return Err(bad("http1.header_value"));
    }
    Ok((name, trimmed(value)))
}

/// Digits and nothing else, of a number that every parser can hold.
fn length(value: &[u8]) -> Result<u64, Refusal> {
    const DIGITS_MAX: usize = 18;
    let is_number = !value.is_empty() && value.len() <= DIGITS_MAX && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| is_number);
    text.and_then(|text| text.parse().ok()).ok_or(bad("http1.length"))
}

/// `chunked` and nothing else (RFC 9112, 6.1: 501 for codings that are not known).
fn coding(value: &[u8]) -> Result<(), Refusal> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    if !value.is_empty() && value.iter().copied().all(is_token_byte) {
        return Err(Refusal { status: 501, details: "http1.unknown_coding" });
    }
    Err(bad("http1.coding"))
}

fn trimmed(value: &[u8]) -> &[u8] {
    let is_content = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = value.iter().position(is_content).unwrap_or(value.len());
    let end = value.iter().rposition(is_content).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

/// Printable, whitespace or obs-text (RFC 9110, 5.5).
pub(super) const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

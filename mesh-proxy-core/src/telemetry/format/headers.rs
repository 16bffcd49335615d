//! Headers of requests and answers, and what stands beside them under a name with a colon.

use http::HeaderMap;
use http::header::HeaderName;

use super::value::text;
use super::values::number;
use crate::telemetry::record::{Record, RequestRecord};

/// Headers whose lines Envoy joins as they arrive; of all others a log tells the first line.
// Facts: measured with Envoy 1.40, each header sent twice; those of answers: envoy/http/header_map.h (inline headers).
const JOINED: [&str; 30] = [
    "accept",
    "accept-encoding",
    "access-control-allow-origin",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-type",
    "date",
    "etag",
    "expect",
    "grpc-message",
    "grpc-status",
    "grpc-timeout",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "origin",
    "pragma",
    "referer",
    "server",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "x-client-trace-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-request-id",
];

/// What `%REQ(..)%` may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequestField {
    Method,
    Path,
    Authority,
    Scheme,
    Header(Told),
}

/// What `%RESP(..)%` may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ResponseField {
    Status,
    Header(Told),
}

/// A header that logs tell of: its first line, or all of them where Envoy joins them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    name: HeaderName,
    is_joined: bool,
}

impl Told {
    pub(super) fn of(name: HeaderName) -> Self {
        let is_joined = JOINED.binary_search(&name.as_str()).is_ok() || name.as_str().starts_with("x-envoy-");
        Self { name, is_joined }
    }

    /// Writes it; whether there is one.
    pub(super) fn write(&self, headers: &HeaderMap, out: &mut String) -> bool {
        if self.is_joined {
            return write_all(headers, &self.name, out);
        }
        let Some(first) = headers.get(&self.name) else { return false };
        push_lossy(first.as_bytes(), out);
        true
    }
}

impl RequestField {
    /// `None`: no request has it.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            ":method" => Self::Method,
            ":path" => Self::Path,
            ":authority" | "host" => Self::Authority,
            ":scheme" => Self::Scheme,
            name => Self::Header(Told::of(HeaderName::try_from(name).ok()?)),
        })
    }

    /// Writes it as logs have it; whether it is there, be it empty.
    pub(super) fn write(&self, request: &RequestRecord, out: &mut String) -> bool {
        match self {
            Self::Header(told) => told.write(&request.headers, out),
            other => other.write_all(request, out),
        }
    }

    /// Writes it with all its lines.
    pub(super) fn write_all(&self, request: &RequestRecord, out: &mut String) -> bool {
        match self {
            Self::Method => text(request.method.as_str(), out),
            Self::Path => text(&request.path, out),
            Self::Authority => text(&request.authority, out),
            Self::Scheme => text(&request.scheme, out),
            Self::Header(told) => write_all(&request.headers, &told.name, out),
        }
    }
}

impl ResponseField {
    /// `None`: no answer has it.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        if name == ":status" {
            return Some(Self::Status);
        }
        Some(Self::Header(Told::of(HeaderName::try_from(name).ok()?)))
    }

    /// Writes it; whether it is there, be it empty.
    pub(super) fn write(&self, record: &Record, out: &mut String) -> bool {
        match self {
            Self::Status => record.status != 0 && number(u64::from(record.status), out),
            Self::Header(told) => told.write(&record.response_headers, out),
        }
    }
}

/// The lines of a header, joined; whether there are any.
pub(super) fn write_all(headers: &HeaderMap, name: &HeaderName, out: &mut String) -> bool {
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

/// The length of headers, names and values, with what HTTP/2 has among them.
pub(crate) fn request_bytes(record: &Record) -> u64 {
    let Some(request) = &record.request else { return 0 };
    let parts = [
        (":method", request.method.as_str()),
        (":path", &*request.path),
        (":authority", &*request.authority),
        (":scheme", &*request.scheme),
    ];
    let there = parts.iter().filter(|(_, value)| !value.is_empty());
    there.map(|(name, value)| (name.len() + value.len()) as u64).sum::<u64>() + bytes(&request.headers)
}

/// The same of an answer.
pub(crate) fn response_bytes(record: &Record) -> u64 {
    let status = if record.status == 0 { 0 } else { ":status".len() as u64 + 3 };
    status + bytes(&record.response_headers)
}

/// The length of names and values.
pub(super) fn bytes(headers: &HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| (name.as_str().len() + value.len()) as u64).sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_names_are_sorted() {
        assert!(super::JOINED.is_sorted());
    }
}

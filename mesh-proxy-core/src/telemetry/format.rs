//! Format strings with Envoy's command operators: `%REQ(X-REQUEST-ID)%`, `%DURATION%` and so on.
// Facts: Envoy 1.40's docs "Substitution formatter", and what it printed and refused (`tests/told.tsv`, `tests/refused.tsv`).

mod certificates;
mod command;
mod durations;
mod fact;
mod headers;
mod metadata;
mod operator;
mod path;
mod time;
mod value;
mod values;

use http::HeaderMap;
use http::header::HeaderName;

pub(crate) use self::headers::{request_bytes, response_bytes};
pub(crate) use self::metadata::PeerSide;
use self::operator::Operator;
use super::record::{Record, RequestRecord};
use crate::http_syntax::is_printable;

/// A format string, read once. An operator that Envoy would refuse gives the word for a missing value.
/// Spec: Envoy, access log command operators (T-180).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    parts: Vec<Part>,
    problem: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Operator(Operator),
}

impl Format {
    /// Reads a format string. `%%` is a percent sign; a `%` that begins no operator stands for itself.
    pub fn parse(text: &str) -> Self {
        let (mut parts, mut problem) = (Vec::new(), None);
        let mut plain = String::new();
        let (mut rest, mut no_end) = (text, false);
        while let Some((before, after)) = rest.split_once('%') {
            plain.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                plain.push('%');
                rest = after;
                continue;
            }
            match operator::read(after, &mut no_end) {
                Some((read, after)) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    let operator = Operator::of(&read).unwrap_or_else(|refused| {
                        problem.get_or_insert_with(|| refused.into_boxed_str());
                        Operator::missing()
                    });
                    parts.push(Part::Operator(operator));
                    rest = after;
                }
                None => {
                    let place = text.len() - after.len() - 1;
                    problem.get_or_insert_with(|| format!("no operator begins at `%` (byte {place})").into());
                    plain.push('%');
                    rest = after;
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self { parts, problem }
    }

    /// Why Envoy would not take it; `None`: it would.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The text for a record; `missing` stands for values that are not there.
    pub fn text(&self, record: &Record, missing: &str) -> String {
        let mut made = String::with_capacity(16 * self.parts.len());
        // Hardly a line has anything to escape, which one look at the whole of it says.
        self.write(record, missing, &mut made, Operator::write_raw);
        let end = made.strip_suffix('\n').unwrap_or(&made);
        if !is_printable(end.as_bytes()) {
            made.clear();
            self.write(record, missing, &mut made, Operator::write);
        }
        made
    }

    fn write(
        &self,
        record: &Record,
        missing: &str,
        made: &mut String,
        write: impl Fn(&Operator, &Record, &mut String) -> bool,
    ) {
        for part in &self.parts {
            match part {
                Part::Text(text) => made.push_str(text),
                Part::Operator(operator) => {
                    if !write(operator, record, made) {
                        made.push_str(missing);
                    }
                }
            }
        }
    }

    /// The value for a record in JSON: an operator that stands alone keeps its kind, and is null where there is nothing;
    /// all else is text, where `missing` stands for values that are not there.
    pub(super) fn value(&self, record: &Record, missing: &str) -> serde_json::Value {
        match &*self.parts {
            [Part::Operator(operator)] => operator.json(record).unwrap_or(serde_json::Value::Null),
            _ => self.text(record, missing).into(),
        }
    }
}

/// The lines of a header, joined.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut out = String::new();
    headers::write_all(headers, &HeaderName::try_from(name).ok()?, &mut out).then_some(out)
}

/// A header of a request in whole, or what is no header by its name with a colon.
#[cfg_attr(not(feature = "cel"), expect(dead_code, reason = "expressions ask for it"))]
pub(super) fn request_header(request: &RequestRecord, name: &str) -> Option<String> {
    let mut out = String::new();
    headers::RequestField::of(name)?.write_all(request, &mut out).then_some(out)
}

/// The status of gRPC, of trailers or of an answer without a body.
pub(super) fn grpc_status(record: &Record) -> Option<String> {
    header(&record.response_trailers, "grpc-status")
        .or_else(|| header(&record.response_headers, "grpc-status"))
}

#[cfg(test)]
mod tests;

//! Paths and queries of requests. Envoy: `PATH`, `QUERY_PARAM`, `QUERY_PARAMS`.

use http::header::HeaderName;

use super::headers;
use super::value::text;
use crate::telemetry::record::RequestRecord;

const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");

/// Which path, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Path {
    with_query: bool,
    source: PathSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathSource {
    Original,
    Current,
    OriginalOrCurrent,
}

/// All parameters of a query, as they are written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryParams {
    AsWritten,
    Decoded,
}

impl Path {
    /// `X:Y`
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn of(argument: &str) -> Result<Self, String> {
        let mut parts = argument.split(':');
        let with_query = match parts.next().unwrap_or_default() {
            "" | "WQ" => true,
            "NQ" => false,
            other => return Err(format!("PATH takes WQ or NQ, not `{other}`")),
        };
        let source = match parts.next().unwrap_or_default() {
            "" | "ORIG_OR_PATH" => PathSource::OriginalOrCurrent,
            "ORIG" => PathSource::Original,
            "PATH" => PathSource::Current,
            other => return Err(format!("PATH takes ORIG, PATH or ORIG_OR_PATH, not `{other}`")),
        };
        Ok(Self { with_query, source })
    }

    pub(super) fn write(self, request: &RequestRecord, out: &mut String) -> bool {
        let start = out.len();
        let original = |out: &mut String| headers::write_all(&request.headers, &ORIGINAL_PATH, out);
        let current = |out: &mut String| !request.path.is_empty() && text(&request.path, out);
        let is_there = match self.source {
            PathSource::Original => original(out),
            PathSource::Current => current(out),
            PathSource::OriginalOrCurrent => original(out) || current(out),
        };
        if !self.with_query {
            let query = out.get(start..).and_then(|path| path.find('?'));
            out.truncate(query.map_or(out.len(), |query| start + query));
        }
        is_there
    }
}

impl QueryParams {
    /// # Errors
    /// It is something else.
    pub(super) fn of(argument: &str) -> Result<Self, String> {
        match argument {
            "" | "ORIG" => Ok(Self::AsWritten),
            "DECODED" => Ok(Self::Decoded),
            other => Err(format!("QUERY_PARAMS takes ORIG or DECODED, not `{other}`")),
        }
    }

    pub(super) fn write(self, request: &RequestRecord, out: &mut String) -> bool {
        let Some(query) = query(&request.path) else { return false };
        match self {
            Self::AsWritten => text(query, out),
            Self::Decoded => text(&readable(query), out),
        }
    }
}

/// The first value of a parameter; `None`: it is not there.
pub(super) fn query_param(path: &str, name: &str) -> Option<String> {
    query(path)?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key) == name).then(|| decoded(value))
    })
}

fn query(path: &str) -> Option<&str> {
    path.split_once('?').map(|(_, query)| query)
}

/// `%41` as `A` where that can be seen and read, as Envoy has it: of what is no such number the percent sign goes.
// Facts: measured with Envoy 1.40, every byte once.
fn readable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let number = match after.as_bytes() {
            [high, low, ..] => Some(hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low)),
            _ => None,
        };
        (rest, _) = match number {
            Some(Some(byte)) if byte.is_ascii_graphic() && !b"\"<>\\^{|}".contains(&byte) => {
                (after.get(2..).unwrap_or_default(), out.push(char::from(byte)))
            }
            Some(None) => (after, ()),
            _ => (after, out.push('%')),
        };
    }
    out.push_str(rest);
    out
}

/// `%41` as `A`; what is no such number stays as it is, and a plus is a plus.
fn decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Envoy 1.40 told of these queries.
    #[test]
    fn queries_are_read_as_envoy_reads_them() {
        for (query, told) in [
            ("a=%00", "a=%00"),
            ("a=%7f|", "a=%7f|"),
            ("a=%c3%a4x", "a=%c3%a4x"),
            ("a=%2", "a=%2"),
            ("a=%", "a=%"),
            ("a=%%41", "a=A"),
            ("a=%26b%3Dc%3Fx%2F", "a=&b=c?x/"),
            ("a=%21%22%7E%0a%2b%25", "a=!%22~%0a+%"),
            ("a=%4g%g4", "a=4gg4"),
            ("%3b%3c%3d%5b%5c%5d%5e%5f%60%7a%7b%7c%7d%7e%7f%20", ";%3c=[%5c]%5e_`z%7b%7c%7d~%7f%20"),
        ] {
            assert_eq!(readable(query), told, "{query}");
        }
        let path = "/p?a%20b=1&a=1?x=2&c=%%41&d&e=%2&f=%C3%A4";
        let values = ["a b", "a", "c", "d", "e", "f", "g"]
            .map(|name| query_param(path, name).unwrap_or("-".to_owned()));
        assert_eq!(values, ["1", "1?x=2", "%A", "", "%2", "ä", "-"]);
    }
}

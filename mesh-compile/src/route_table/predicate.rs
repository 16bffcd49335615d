//! Whether one route's predicates hold for one request, and if not, which one fails first.

use std::borrow::Cow;
use std::fmt::Write;

use mesh_model::facts::RequestFacts;
use mesh_model::trace::Because;
use serde_json::{Map, Value};

use super::header_value::{HeaderValues, header_values};
use super::matcher::{
    Case, ClaimMatch, HeaderMatch, PathMatch, QueryMatch, RouteMatch, TextMatch, ValueMatch,
};
use super::text_hash::path_length;

/// A request as route predicates see it. Borrowed whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'r> {
    /// The path without query and fragment (T-135).
    pub(super) path: &'r str,
    request: &'r RequestFacts<'r>,
    claims: Option<&'r Map<String, Value>>,
}

/// The first predicate of a route that does not hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failure<'t> {
    /// The path.
    Path(&'t PathMatch),
    /// A header or pseudo-header.
    Header(&'t HeaderMatch),
    /// A query parameter.
    Query(&'t QueryMatch),
    /// A claim.
    Claim(&'t ClaimMatch),
}

impl<'r> Subject<'r> {
    /// Looks for the end of the path.
    pub(super) fn new(request: &'r RequestFacts<'_>, claims: Option<&'r Map<String, Value>>) -> Self {
        Self::of_path(path_length(request.path.as_bytes()), request, claims)
    }

    /// Where the path is known to take the first `length` bytes.
    pub(super) fn of_path(
        length: usize,
        request: &'r RequestFacts<'_>,
        claims: Option<&'r Map<String, Value>>,
    ) -> Self {
        Self { path: request.path.get(..length).unwrap_or(&request.path), request, claims }
    }

    /// All predicates of a route, in the order path, headers, query, claims.
    pub(super) fn check<'t>(&self, matcher: &'t RouteMatch) -> Result<(), Failure<'t>> {
        if path_fits(&matcher.path, self.path) {
            self.check_beyond_path(matcher)
        } else {
            Err(Failure::Path(&matcher.path))
        }
    }

    /// The predicates that look at something else than the path.
    pub(super) fn check_beyond_path<'t>(&self, matcher: &'t RouteMatch) -> Result<(), Failure<'t>> {
        let header = || matcher.headers.iter().find(|header| !self.header_fits(header)).map(Failure::Header);
        let query = || matcher.query.iter().find(|query| !self.query_fits(query)).map(Failure::Query);
        let claim = || matcher.claims.iter().find(|claim| !self.claim_fits(claim)).map(Failure::Claim);
        header().or_else(query).or_else(claim).map_or(Ok(()), Err)
    }

    /// E-001 (value by value), E-002 (inverted), E-003 (presence).
    fn header_fits(&self, matcher: &HeaderMatch) -> bool {
        let values = header_values(self.request, &matcher.name);
        match &matcher.value {
            ValueMatch::Present => values.is_present() != matcher.invert,
            ValueMatch::Absent => values.is_present() == matcher.invert,
            ValueMatch::Text(_) if !values.is_present() && !matcher.missing_is_empty => false,
            ValueMatch::Text(text) if !values.is_present() => text.matches(b"") != matcher.invert,
            ValueMatch::Text(text) => values.any(|value| text.matches(value)) != matcher.invert,
        }
    }

    /// Visits the values that header matchers of this name look at.
    pub(super) fn each_header_value(&self, name: &str, mut visit: impl FnMut(&[u8])) {
        header_values(self.request, name).any(|value| {
            visit(value);
            false
        });
    }

    /// The value that query matchers of this name look at.
    pub(super) fn query_value(&self, name: &str) -> Option<&'r str> {
        // What stands behind the path can only be its query or its fragment.
        if self.path.len() == self.request.path.len() {
            return None;
        }
        let behind = self.request.path.get(self.path.len()..)?;
        // Behind a fragment's sign it may come later.
        let query = behind.strip_prefix('?').or_else(|| behind.split_once('?').map(|(_, query)| query))?;
        query_value(query, name)
    }

    fn query_fits(&self, matcher: &QueryMatch) -> bool {
        let value = self.query_value(&matcher.name);
        match &matcher.value {
            ValueMatch::Present => value.is_some(),
            ValueMatch::Absent => value.is_none(),
            ValueMatch::Text(text) => value.is_some_and(|value| text.matches(value.as_bytes())),
        }
    }

    /// T-145: a string claim by itself, a list claim by any element; no token: no claims (T-146).
    fn claim_fits(&self, matcher: &ClaimMatch) -> bool {
        let claim = self.claim(matcher);
        let holds = match &matcher.value {
            ValueMatch::Present => claim.is_some(),
            ValueMatch::Absent => claim.is_none(),
            ValueMatch::Text(text) => claim.is_some_and(|claim| claim_text_fits(text, claim)),
        };
        holds != matcher.invert
    }

    fn claim(&self, matcher: &ClaimMatch) -> Option<&'r Value> {
        let (first, rest) = matcher.path.split_first()?;
        let outer = self.claims?.get(&**first)?;
        rest.iter().try_fold(outer, |value, name| value.as_object()?.get(&**name))
    }
}

/// Whether a path (without query) fits (T-135 to T-139).
pub(super) fn path_fits(matcher: &PathMatch, path: &str) -> bool {
    match matcher {
        PathMatch::Exact(wanted, Case::Sensitive) => path == &**wanted,
        PathMatch::Exact(wanted, Case::Insensitive) => path.eq_ignore_ascii_case(wanted),
        PathMatch::Prefix(wanted, Case::Sensitive) => path.starts_with(&**wanted),
        PathMatch::Prefix(wanted, Case::Insensitive) => path
            .as_bytes()
            .get(..wanted.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes())),
        PathMatch::SegmentPrefix(wanted) => {
            path.strip_prefix(&**wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        PathMatch::Regex(pattern) => pattern.is_match(path.as_bytes()),
    }
}

/// The first value of a key in a raw query; a key without `=` has the empty value (T-144).
fn query_value<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    if query.is_empty() {
        return None;
    }
    query.split('&').find_map(|pair| match pair.strip_prefix(name)? {
        "" => Some(""),
        // A key has no `=`.
        value => value.strip_prefix('=').filter(|_| !name.contains('=')),
    })
}

fn claim_text_fits(text: &TextMatch, claim: &Value) -> bool {
    match claim {
        Value::String(value) => text.matches(value.as_bytes()),
        Value::Array(items) => {
            items.iter().filter_map(Value::as_str).any(|value| text.matches(value.as_bytes()))
        }
        _ => false,
    }
}

impl<'t> Failure<'t> {
    /// The failure in words: what was looked at, what was wanted, what the request had.
    pub(super) fn because(self, subject: &Subject<'t>) -> Because<'t> {
        match self {
            Self::Path(matcher) => Because::new("path", describe_path(matcher), subject.path),
            Self::Header(matcher) => Because::new(
                header_field(&matcher.name),
                describe_value(&matcher.value, matcher.invert),
                describe_values(&header_values(subject.request, &matcher.name)),
            ),
            Self::Query(matcher) => Because::new(
                format!("query {}", matcher.name),
                describe_value(&matcher.value, false),
                subject.query_value(&matcher.name).unwrap_or("absent"),
            ),
            Self::Claim(matcher) => Because::new(
                format!("claim {}", matcher.path.join(".")),
                describe_value(&matcher.value, matcher.invert),
                subject.claim(matcher).map_or_else(|| "absent".to_owned(), describe_claim),
            ),
        }
    }
}

/// What a path predicate asks for, in words.
pub(super) fn describe_path(matcher: &PathMatch) -> String {
    match matcher {
        PathMatch::Exact(text, Case::Sensitive) => format!("exact {text}"),
        PathMatch::Exact(text, Case::Insensitive) => format!("exact {text} (any case)"),
        PathMatch::Prefix(text, Case::Sensitive) => format!("prefix {text}"),
        PathMatch::Prefix(text, Case::Insensitive) => format!("prefix {text} (any case)"),
        PathMatch::SegmentPrefix(text) => format!("path prefix {text}"),
        PathMatch::Regex(pattern) => format!("regex {}", pattern.text()),
    }
}

fn header_field(name: &str) -> Cow<'_, str> {
    match name.strip_prefix(':') {
        Some(pseudo) => Cow::Borrowed(pseudo),
        None => Cow::Owned(format!("header {name}")),
    }
}

fn describe_value(matcher: &ValueMatch, invert: bool) -> String {
    let not = if invert { "not " } else { "" };
    match matcher {
        ValueMatch::Present => format!("{not}present"),
        ValueMatch::Absent => format!("{not}absent"),
        ValueMatch::Text(TextMatch::Exact(text)) => format!("{not}exact {text}"),
        ValueMatch::Text(TextMatch::Prefix(text)) => format!("{not}prefix {text}"),
        ValueMatch::Text(TextMatch::Suffix(text)) => format!("{not}suffix {text}"),
        ValueMatch::Text(TextMatch::Contains(text)) => format!("{not}contains {text}"),
        ValueMatch::Text(TextMatch::Regex(pattern)) => format!("{not}regex {}", pattern.text()),
    }
}

fn describe_values(values: &HeaderValues<'_>) -> String {
    let mut text = String::new();
    values.any(|value| {
        let separator = if text.is_empty() { "" } else { " | " };
        let _ = write!(text, "{separator}{}", String::from_utf8_lossy(value));
        false
    });
    if values.is_present() { text } else { "absent".to_owned() }
}

fn describe_claim(claim: &Value) -> String {
    claim.as_str().map_or_else(|| claim.to_string(), str::to_owned)
}

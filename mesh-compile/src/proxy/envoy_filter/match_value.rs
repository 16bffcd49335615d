//! Conditions of routes in Envoy's own form.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::value::{field, fields};
use crate::route_table::matcher::{
    Case, HeaderMatch, PathMatch, QueryMatch, RouteMatch, TextMatch, ValueMatch,
};
use crate::route_table::pattern::Pattern;

/// What a route asks; the error names what cannot be read.
pub(super) fn conditions(value: &Map<String, Value>) -> Result<RouteMatch, &'static str> {
    let is_sensitive = field(value, "case_sensitive").map_or(Some(true), Value::as_bool);
    let case = if is_sensitive.ok_or("case_sensitive")? { Case::Sensitive } else { Case::Insensitive };
    let (mut path, mut headers, mut query) = (None, Vec::new(), Vec::new());
    for (name, value) in fields(value) {
        match (name.as_str(), value) {
            ("prefix", Value::String(text)) => path = Some(PathMatch::Prefix(text.as_str().into(), case)),
            ("path", Value::String(text)) => path = Some(PathMatch::Exact(text.as_str().into(), case)),
            ("path_separated_prefix", Value::String(text)) if case == Case::Sensitive => {
                path = Some(PathMatch::SegmentPrefix(text.as_str().into()));
            }
            ("safe_regex", value) => path = Some(PathMatch::Regex(regex(value).ok_or("safe_regex")?)),
            ("headers", Value::Array(list)) => {
                headers = list.iter().map(header).collect::<Option<_>>().ok_or("headers")?;
            }
            ("query_parameters", Value::Array(list)) => {
                query = list.iter().map(parameter).collect::<Option<_>>().ok_or("query_parameters")?;
            }
            ("case_sensitive", _) => {}
            ("grpc", _) => return Err("grpc"),
            ("runtime_fraction", _) => return Err("runtime_fraction"),
            ("connect_matcher", _) => return Err("connect_matcher"),
            ("tls_context", _) => return Err("tls_context"),
            _ => return Err(""),
        }
    }
    Ok(RouteMatch { headers: headers.into(), query: query.into(), ..RouteMatch::path(path.ok_or("")?) })
}

fn regex(value: &Value) -> Option<Pattern> {
    Pattern::full_match(field(value.as_object()?, "regex")?.as_str()?).ok()
}

/// `None`: it asks something that compiled routes do not.
fn header(value: &Value) -> Option<HeaderMatch> {
    let mut found =
        HeaderMatch { name: "".into(), value: ValueMatch::Present, invert: false, missing_is_empty: false };
    for (name, value) in fields(value.as_object()?) {
        match (name.as_str(), value) {
            ("name", Value::String(text)) => found.name = text.to_ascii_lowercase().into(),
            ("invert_match", Value::Bool(invert)) => found.invert = *invert,
            ("treat_missing_header_as_empty", Value::Bool(is_empty)) => found.missing_is_empty = *is_empty,
            ("present_match", Value::Bool(is_present)) => found.value = presence(*is_present),
            ("string_match", Value::Object(map)) => found.value = ValueMatch::Text(text_match(map)?),
            (name, value) => {
                // The older spellings: `exact_match`, `safe_regex_match`, ...
                let kind = name.strip_suffix("_match")?;
                found.value = ValueMatch::Text(one_text_match(kind, value)?);
            }
        }
    }
    (!found.name.is_empty()).then_some(found)
}

fn presence(is_present: bool) -> ValueMatch {
    if is_present { ValueMatch::Present } else { ValueMatch::Absent }
}

fn parameter(value: &Value) -> Option<QueryMatch> {
    let mut found = QueryMatch { name: "".into(), value: ValueMatch::Present };
    for (name, value) in fields(value.as_object()?) {
        match (name.as_str(), value) {
            ("name", Value::String(text)) => found.name = text.as_str().into(),
            ("present_match", Value::Bool(is_present)) => found.value = presence(*is_present),
            ("string_match", Value::Object(map)) => found.value = ValueMatch::Text(text_match(map)?),
            _ => return None,
        }
    }
    (!found.name.is_empty()).then_some(found)
}

/// A `StringMatcher`. One that ignores case has no equivalent.
fn text_match(map: &Map<String, Value>) -> Option<TextMatch> {
    let ignores_case = field(map, "ignore_case").and_then(Value::as_bool) == Some(true);
    let mut asked = fields(map).filter(|(name, _)| name != "ignore_case");
    let (kind, value) = asked.next().filter(|_| !ignores_case)?;
    asked.next().is_none().then(|| one_text_match(&kind, value))?
}

fn one_text_match(kind: &str, value: &Value) -> Option<TextMatch> {
    let text = || value.as_str().map(Arc::from);
    match kind {
        "exact" => text().map(TextMatch::Exact),
        "prefix" => text().map(TextMatch::Prefix),
        "suffix" => text().map(TextMatch::Suffix),
        "contains" => text().map(TextMatch::Contains),
        "safe_regex" => regex(value).map(TextMatch::Regex),
        _ => None,
    }
}

//! The conditions of one `match` as predicates (T-135 to T-148).

use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::networking::virtual_service::spec::HttpMatchRequest;
use mesh_model::origin::Origin;
use mesh_model::part::StringMatch;

use crate::merge::virtual_service::RouteSemantics;
use crate::route_table::matcher::{
    Case, ClaimMatch, HeaderMatch, PathMatch, QueryMatch, RouteMatch, TextMatch, ValueMatch,
};
use crate::route_table::pattern::Pattern;

/// What names a claim among header names (T-145).
const CLAIM_PREFIX: &str = "@request.auth.claims";

/// The predicates of a match; `None` where one of its patterns is not RE2, which is reported.
pub(super) fn route_match(
    condition: &HttpMatchRequest,
    semantics: RouteSemantics,
    origin: &Origin,
    report: &mut Report,
) -> Option<RouteMatch> {
    let mut reader = Reader { origin, report, failed: false };
    let mut matcher = RouteMatch::path(reader.path(condition, semantics));
    for (name, text) in &condition.headers {
        reader.header(name, text, Sense::Must, ".headers", &mut matcher);
    }
    for (name, text) in &condition.without_headers {
        reader.header(name, text, Sense::MustNot, ".withoutHeaders", &mut matcher);
    }
    matcher.headers.sort_by(|a, b| a.name.cmp(&b.name));
    let pseudo_headers = [
        (":method", &condition.method, ".method"),
        (":authority", &condition.authority, ".authority"),
        (":scheme", &condition.scheme, ".scheme"),
    ];
    for (name, text, field) in pseudo_headers {
        if let Some(text) = text {
            let value = reader.value(text, field);
            matcher.headers.push(HeaderMatch {
                name: name.into(),
                value,
                invert: false,
                missing_is_empty: false,
            });
        }
    }
    for (name, text) in &condition.query_params {
        let value = reader.value(text, ".queryParams");
        matcher.query.push(QueryMatch { name: name.as_str().into(), value });
    }
    (!reader.failed).then_some(matcher)
}

/// Text as it is compared; `None` where nothing was written or the pattern is not RE2 (an error).
pub(super) fn text_match(text: &StringMatch) -> Result<Option<TextMatch>, String> {
    Ok(Some(match text {
        StringMatch::Unset => return Ok(None),
        StringMatch::Exact(exact) => TextMatch::Exact(exact.as_str().into()),
        StringMatch::Prefix(prefix) => TextMatch::Prefix(prefix.as_str().into()),
        StringMatch::Regex(regex) => {
            TextMatch::Regex(Pattern::full_match(regex).map_err(|error| error.to_string())?)
        }
    }))
}

/// Reports a pattern that is not RE2.
pub(super) fn report_pattern(origin: &Origin, pattern: &str, problem: &str, report: &mut Report) {
    report.push(
        Diagnostic::new(
            Code::InvalidRegex,
            origin,
            format!("`{pattern}` is not a regular expression of RE2: {problem}"),
        )
        .help("RE2 has no look-around and no back references; the rule is left out"),
    );
}

/// Whether a header must match or must not (`withoutHeaders`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    Must,
    MustNot,
}

struct Reader<'r> {
    origin: &'r Origin,
    report: &'r mut Report,
    failed: bool,
}

impl Reader<'_> {
    fn path(&mut self, condition: &HttpMatchRequest, semantics: RouteSemantics) -> PathMatch {
        let case = if condition.ignore_uri_case { Case::Insensitive } else { Case::Sensitive };
        match condition.uri.as_ref().unwrap_or(&StringMatch::Unset) {
            StringMatch::Unset => PathMatch::Prefix("/".into(), case),
            StringMatch::Exact(path) => PathMatch::Exact(path.as_str().into(), case),
            StringMatch::Prefix(prefix) if semantics != RouteSemantics::Istio && prefix != "/" => {
                PathMatch::SegmentPrefix(prefix.strip_suffix('/').unwrap_or(prefix).into())
            }
            StringMatch::Prefix(prefix) => PathMatch::Prefix(prefix.as_str().into(), case),
            StringMatch::Regex(regex) => match Pattern::full_match(regex) {
                Ok(pattern) => PathMatch::Regex(pattern),
                Err(problem) => {
                    self.fail(regex, &problem.to_string(), ".uri.regex");
                    PathMatch::Prefix("/".into(), case)
                }
            },
        }
    }

    fn header(
        &mut self,
        name: &str,
        text: &StringMatch,
        sense: Sense,
        field: &str,
        matcher: &mut RouteMatch,
    ) {
        let invert = sense == Sense::MustNot;
        if let Some(path) = claim_path(name) {
            let value = match text {
                // Presence has no form of its own here: an asterisk alone is not RE2.
                StringMatch::Unset => ValueMatch::Present,
                text => self.text(text, field),
            };
            matcher.claims.push(ClaimMatch { path, value, invert });
            return;
        }
        let value = self.value(text, field);
        // A missing header counts as empty where a text must not match, not where presence is denied (T-143).
        let missing_is_empty = invert && !matches!(value, ValueMatch::Present);
        matcher.headers.push(HeaderMatch {
            name: name.to_ascii_lowercase().into(),
            value,
            invert,
            missing_is_empty,
        });
    }

    /// Presence, or a text (T-142).
    fn value(&mut self, text: &StringMatch, field: &str) -> ValueMatch {
        match text {
            StringMatch::Unset => ValueMatch::Present,
            StringMatch::Regex(regex) if regex == "*" => ValueMatch::Present,
            text => self.text(text, field),
        }
    }

    fn text(&mut self, text: &StringMatch, field: &str) -> ValueMatch {
        match text_match(text) {
            Ok(Some(text)) => ValueMatch::Text(text),
            Ok(None) => ValueMatch::Present,
            Err(problem) => {
                self.fail(text.text().unwrap_or_default(), &problem, field);
                ValueMatch::Absent
            }
        }
    }

    fn fail(&mut self, pattern: &str, problem: &str, field: &str) {
        self.failed = true;
        report_pattern(&self.origin.child(field), pattern, problem, self.report);
    }
}

/// The claim that a header name stands for: `@request.auth.claims.a.b` or `@request.auth.claims[a][b]` (T-145).
fn claim_path(name: &str) -> Option<Vec<Arc<str>>> {
    let (prefix, rest) = name.split_at_checked(CLAIM_PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(CLAIM_PREFIX) {
        return None;
    }
    if let Some(dotted) = rest.strip_prefix('.').filter(|dotted| !dotted.is_empty()) {
        return Some(dotted.split('.').map(Arc::from).collect());
    }
    let bracketed = rest.strip_prefix('[')?.strip_suffix(']').filter(|inner| !inner.is_empty())?;
    Some(bracketed.split("][").map(Arc::from).collect())
}

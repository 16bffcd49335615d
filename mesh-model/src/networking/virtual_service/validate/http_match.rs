//! Conditions of an HTTP route (T-140..T-147).

use super::{Checker, Hearing, Path, Problem, Scope, gateways, header, port, value};
use crate::check::{host, label};
use crate::networking::virtual_service::spec::HttpMatchRequest;
use crate::part::StringMatch;

/// Checks one entry of `match`.
pub(super) fn http_match(found: &mut Checker<'_>, at: &Path<'_>, one: &HttpMatchRequest, scope: Scope<'_>) {
    if let Some(uri) = &one.uri {
        // An empty prefix is every path.
        value::regex_of(found, &at.field("uri"), uri);
        doubt(found, &at.field("uri"), uri, value::no_slash);
    }
    if let Some(method) = &one.method {
        doubt(found, &at.field("method"), method, value::lower_case);
    }
    for (name, text) in [("scheme", &one.scheme), ("method", &one.method), ("authority", &one.authority)] {
        if let Some(text) = text {
            value::string_match(found, &at.field(name), text);
        }
    }
    for (list, headers, is_positive) in
        [("headers", &one.headers, true), ("withoutHeaders", &one.without_headers, false)]
    {
        let list = at.field(list);
        for (name, text) in headers {
            let at = list.field(name);
            found.check(&at, header::match_name(name));
            if header::is_claim(name) {
                found.require(scope.is_for_gateways_only, &at, || {
                    Problem::invalid("claims can be matched on gateways only")
                        .help("name the gateways in `spec.gateways`, without `mesh`")
                });
            }
            // `*` is taken for "is present" where the header must be missing (T-142).
            if is_positive || !matches!(text, StringMatch::Regex(regex) if regex == "*") {
                value::string_match(found, &at, text);
            }
        }
    }
    for (name, text) in &one.query_params {
        value::string_match(found, &at.field("queryParams").field(name), text);
    }
    if one.port != 0 {
        found.check(&at.field("port"), port::number(one.port));
    }
    label::labels(found, &at.field("sourceLabels"), &one.source_labels);
    // Here Istio makes one error of what it finds, and its warnings are lost.
    found.hearing(Hearing::Errors, |found| gateways(found, &at.field("gateways"), &one.gateways));
    if !one.source_namespace.is_empty() {
        found.check(&at.field("sourceNamespace"), host::namespace(&one.source_namespace));
    }
}

/// A doubt about an exact text or a prefix.
fn doubt(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    text: &StringMatch,
    doubted: impl FnOnce(&str) -> Option<Problem>,
) {
    let (form, text) = match text {
        StringMatch::Exact(text) => ("exact", text),
        StringMatch::Prefix(text) => ("prefix", text),
        _ => return,
    };
    if let Some(problem) = doubted(text) {
        found.find(&at.field(form), problem);
    }
}

//! Rules of filters: each holds what its `type` says, and some come once.

use std::collections::BTreeSet;

use super::goes_with;
use crate::check::{Checker, Path, Problem};
use crate::gateway_api::crd::walk::Message;

/// The field of each type of filter.
const TYPES: [(&str, &str); 8] = [
    ("RequestHeaderModifier", "requestHeaderModifier"),
    ("ResponseHeaderModifier", "responseHeaderModifier"),
    ("RequestMirror", "requestMirror"),
    ("RequestRedirect", "requestRedirect"),
    ("URLRewrite", "urlRewrite"),
    ("CORS", "cors"),
    ("ExternalAuth", "externalAuth"),
    ("ExtensionRef", "extensionRef"),
];
/// Types of which a list may have several.
const REPEATED: [&str; 3] = ["RequestMirror", "ExternalAuth", "ExtensionRef"];

/// The filters of a rule or backend together.
pub(super) fn filters(check: &mut Checker<'_>, of: Message<'_>, at: &Path<'_>) {
    let at = at.field("filters");
    let mut seen = BTreeSet::new();
    for (index, filter) in of.messages("filters").enumerate() {
        let name = filter.text("type");
        let at = at.index(index);
        if !seen.insert(name) && !REPEATED.contains(&name) && TYPES.iter().any(|(known, _)| *known == name) {
            let problem = Problem::conflict(format!("a filter before this one is a `{name}` too"));
            check.find(&at.field("type"), problem.help("put both into one filter"));
        }
        if matches!(name, "URLRewrite" | "RequestRedirect")
            && seen.contains("URLRewrite")
            && seen.contains("RequestRedirect")
        {
            let problem = Problem::conflict("a rule redirects or rewrites, not both");
            check.find(
                &at.field("type"),
                problem.help("remove the rewrite: a redirect has a `path` of its own"),
            );
        }
    }
}

pub(super) fn filter(check: &mut Checker<'_>, filter: Message<'_>, at: &Path<'_>) {
    for (name, field) in TYPES {
        goes_with(check, filter, at, ("type", name), field, filter.has(field));
    }
}

pub(super) fn mirror(check: &mut Checker<'_>, mirror: Message<'_>, at: &Path<'_>) {
    check.at_most_one(at, &[("percent", mirror.has("percent")), ("fraction", mirror.has("fraction"))]);
}

pub(super) fn fraction(check: &mut Checker<'_>, fraction: Message<'_>, at: &Path<'_>) {
    let whole = fraction.number("denominator").unwrap_or(100);
    check.require(
        fraction.number("numerator").is_none_or(|part| part <= whole),
        &at.field("numerator"),
        || Problem::invalid(format!("more than all of {whole}")).help("write at most the `denominator`"),
    );
}

pub(super) fn cors(check: &mut Checker<'_>, cors: Message<'_>, at: &Path<'_>) {
    for field in ["allowOrigins", "allowMethods", "allowHeaders"] {
        let is_any = cors.texts(field).any(|text| text == "*");
        check.require(!is_any || cors.texts(field).count() <= 1, &at.field(field), || {
            Problem::conflict("`*` stands beside others").help("write `*` alone, or each of them")
        });
    }
}

pub(super) fn external_auth(check: &mut Checker<'_>, auth: Message<'_>, at: &Path<'_>) {
    for (protocol, field) in [("GRPC", "grpc"), ("HTTP", "http")] {
        goes_with(check, auth, at, ("protocol", protocol), field, auth.has(field));
    }
}

pub(super) fn path_modifier(check: &mut Checker<'_>, path: Message<'_>, at: &Path<'_>) {
    let words = [("ReplaceFullPath", "replaceFullPath"), ("ReplacePrefixMatch", "replacePrefixMatch")];
    for (word, field) in words {
        goes_with(check, path, at, ("type", word), field, path.has(field));
    }
}

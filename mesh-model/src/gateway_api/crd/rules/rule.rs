//! Rules of a route's rules: backends, matches, time limits, sessions.

use crate::check::{Checker, Path, Problem, short};
use crate::gateway_api::crd::pattern;
use crate::gateway_api::crd::walk::Message;
use crate::value::Duration;

pub(super) fn backend(check: &mut Checker<'_>, backend: Message<'_>, at: &Path<'_>) {
    let is_service = backend.text("group").is_empty() && backend.text("kind") == "Service";
    check.require(!is_service || backend.has("port"), &at.field("port"), || {
        Problem::missing("a Service needs a `port`").help("write the port of the Service")
    });
}

pub(super) fn http_rule(check: &mut Checker<'_>, rule: Message<'_>, at: &Path<'_>) {
    let has_backends = rule.get("backendRefs").is_some_and(|backends| !backends.items().is_empty());
    let redirects = || rule.messages("filters").any(|filter| filter.has("requestRedirect"));
    if has_backends && redirects() {
        let problem = Problem::conflict("a rule that redirects sends nothing to backends");
        check.find(&at.field("backendRefs"), problem.help("remove `backendRefs`, or the redirect"));
    }
    let all_prefixes = one_prefix(rule);
    for kind in ["requestRedirect", "urlRewrite"] {
        let own = rule.messages("filters").filter(|filter| replaces_prefix(*filter, kind)).count() == 1;
        let with_one = |backend: &Message<'_>| {
            backend.messages("filters").filter(|filter| replaces_prefix(*filter, kind)).count() == 1
        };
        let of_a_backend = rule.messages("backendRefs").filter(with_one).count() == 1;
        if (own || of_a_backend) && !all_prefixes {
            let problem =
                Problem::conflict("`replacePrefixMatch` needs exactly one match, and a `PathPrefix` in it");
            let field = if own { "filters" } else { "backendRefs" };
            let help = "match one `PathPrefix` in this rule, or write `ReplaceFullPath`";
            check.find(&at.field(field), problem.help(help));
        }
    }
}

/// Whether a rule matches one prefix and nothing else; what is not written is a match of `/`.
fn one_prefix(rule: Message<'_>) -> bool {
    if !rule.has("matches") {
        return true;
    }
    let mut matches = rule.messages("matches");
    match (matches.next(), matches.next()) {
        (Some(only), None) => {
            !only.has("path") || only.message("path").is_some_and(|path| path.text("type") == "PathPrefix")
        }
        _ => false,
    }
}

fn replaces_prefix(filter: Message<'_>, kind: &str) -> bool {
    let path = filter.message(kind).and_then(|change| change.message("path"));
    path.is_some_and(|path| path.text("type") == "ReplacePrefixMatch" && path.has("replacePrefixMatch"))
}

pub(super) fn path(check: &mut Checker<'_>, path: Message<'_>, at: &Path<'_>) {
    let value = path.text("value");
    if !matches!(path.text("type"), "Exact" | "PathPrefix") {
        return;
    }
    let at = at.field("value");
    let refused = ["//", "/./", "/../", "%2f", "%2F", "#"].into_iter().find(|part| value.contains(part));
    let refused = refused.or_else(|| ["/..", "/."].into_iter().find(|end| value.ends_with(end)));
    let problem = if !value.starts_with('/') {
        Problem::invalid(format!("`{}` does not begin with `/`", short(value)))
            .help("write a path from its `/` on")
    } else if let Some(part) = refused {
        Problem::invalid(format!("`{part}` in a path never arrives"))
            .help("write the path as it is after normalisation; `RegularExpression` may hold anything")
    } else if !pattern::path(value) {
        Problem::invalid(format!("`{}` holds letters that a path does not have", short(value)))
            .help("write others than those of RFC 3986 as `%41`")
    } else {
        return;
    };
    check.find(&at, problem);
}

pub(super) fn method(check: &mut Checker<'_>, method: Message<'_>, at: &Path<'_>) {
    // `type` is never missing: the API server puts `Exact` there.
    check.require(method.has("service") || method.has("method"), at, || {
        Problem::missing("neither `service` nor `method` is named")
            .help("write one of them, or leave `method` out")
    });
    if method.text("type") != "Exact" {
        return;
    }
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let service = method.text("service");
    let is_service = service.strip_prefix('.').unwrap_or(service).split('.').all(is_word);
    let name = method.text("method");
    for (field, written, fits) in [("service", service, is_service), ("method", name, is_word(name))] {
        check.require(fits || !method.has(field), &at.field(field), || {
            Problem::invalid(format!("`{}` is not the name of a gRPC {field}", short(written)))
                .help("write letters, digits and `_`; `type: RegularExpression` may hold anything")
        });
    }
}

pub(super) fn timeouts(check: &mut Checker<'_>, timeouts: Message<'_>, at: &Path<'_>) {
    let time = |name| timeouts.text(name).parse::<Duration>().ok();
    if let (Some(whole), Some(each)) = (time("request"), time("backendRequest"))
        && whole.as_nanos() != 0
        && each.as_nanos() > whole.as_nanos()
    {
        let problem = Problem::conflict("`backendRequest` is longer than `request`");
        check.find(&at.field("backendRequest"), problem.help("write at most the time of `request`"));
    }
}

pub(super) fn session(check: &mut Checker<'_>, session: Message<'_>, at: &Path<'_>) {
    let Some(cookie) = session.message("cookieConfig") else { return };
    if cookie.text("lifetimeType") == "Permanent" && !session.has("absoluteTimeout") {
        let problem = Problem::missing("a permanent cookie needs `absoluteTimeout`");
        check.find(&at.field("absoluteTimeout"), problem.help("write `absoluteTimeout`"));
    }
    if session.text("type") != "Cookie" {
        let problem = Problem::conflict("`cookieConfig` is only for `type: Cookie`");
        check.find(&at.field("cookieConfig"), problem.help("remove it, or write `type: Cookie`"));
    }
}

//! Fields that hold one of a few words: what the API server refuses is an error, with the word that was meant.
//!
//! Source: the `+kubebuilder:validation:Enum` marks of the Gateway API's types (`apis/v1`).

use super::{HttpPathModifier, HttpRouteMatch, Listener, NamedValueMatch, RouteFilter};
use crate::check::{Checker, Path, Problem, value::one_of};

/// `protocol` of a listener; others are written with a domain (`example.com/bar`).
const PROTOCOLS: &[&str] = &["HTTP", "HTTPS", "TLS", "TCP", "UDP", "HBONE"];
const MATCHES: &[&str] = &["Exact", "RegularExpression"];
const PATH_MATCHES: &[&str] = &["PathPrefix", "Exact", "RegularExpression"];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// `type` of the filters of an HTTP route.
pub(super) const HTTP_FILTERS: &[&str] = &[
    "RequestHeaderModifier",
    "ResponseHeaderModifier",
    "RequestMirror",
    "RequestRedirect",
    "URLRewrite",
    "CORS",
    "ExtensionRef",
    "ExternalAuth",
];
/// `type` of the filters of a gRPC route.
pub(super) const GRPC_FILTERS: &[&str] =
    &["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"];

/// Listeners of a gateway: their words, and their names, which tell them apart.
pub(super) fn listeners(check: &mut Checker<'_>, listeners: &[Listener], at: &Path<'_>) {
    let mut names = std::collections::BTreeSet::new();
    for (index, listener) in listeners.iter().enumerate() {
        let at = at.index(index);
        if !listener.protocol.contains('/') {
            check.check(&at.field("protocol"), one_of(&listener.protocol, PROTOCOLS));
        }
        if let Some(tls) = &listener.tls {
            optional(
                check,
                &at.field("tls").field("mode"),
                tls.mode.as_deref(),
                &["Terminate", "Passthrough"],
            );
        }
        let namespaces = listener.allowed_routes.as_ref().and_then(|routes| routes.namespaces.as_ref());
        let from = namespaces.and_then(|namespaces| namespaces.from.as_deref());
        let words = ["Same", "All", "Selector", "None"];
        optional(check, &at.field("allowedRoutes").field("namespaces").field("from"), from, &words);
        check.require(names.insert(listener.name.as_str()), &at.field("name"), || {
            Problem::invalid(format!(
                "a listener before this one is called `{}` too",
                crate::check::short(&listener.name)
            ))
            .help("give each listener of the gateway a name of its own")
        });
    }
}

/// Matches of a rule of an HTTP route.
pub(super) fn http_matches(check: &mut Checker<'_>, matches: &[HttpRouteMatch], at: &Path<'_>) {
    for (index, one) in matches.iter().enumerate() {
        let at = at.index(index);
        let path = one.path.as_ref().and_then(|path| path.r#type.as_deref());
        optional(check, &at.field("path").field("type"), path, PATH_MATCHES);
        optional(check, &at.field("method"), one.method.as_deref(), METHODS);
        named_values(check, &one.headers, &at.field("headers"));
        named_values(check, &one.query_params, &at.field("queryParams"));
    }
}

/// How headers, query parameters and methods are compared.
pub(super) fn match_type(check: &mut Checker<'_>, written: Option<&str>, at: &Path<'_>) {
    optional(check, &at.field("type"), written, MATCHES);
}

/// Conditions on headers or query parameters.
pub(super) fn named_values(check: &mut Checker<'_>, values: &[NamedValueMatch], at: &Path<'_>) {
    for (index, value) in values.iter().enumerate() {
        match_type(check, value.r#type.as_deref(), &at.index(index));
    }
}

/// Filters of a rule or a backend; `types`: those that the route may have.
pub(super) fn filters(check: &mut Checker<'_>, filters: &[RouteFilter], types: &[&str], at: &Path<'_>) {
    for (index, filter) in filters.iter().enumerate() {
        let at = at.index(index);
        check.check(&at.field("type"), one_of(&filter.r#type, types));
        if let Some(redirect) = &filter.request_redirect {
            let at = at.field("requestRedirect");
            optional(check, &at.field("scheme"), redirect.scheme.as_deref(), &["http", "https"]);
            path_modifier(check, redirect.path.as_ref(), &at.field("path"));
        }
        if let Some(rewrite) = &filter.url_rewrite {
            path_modifier(check, rewrite.path.as_ref(), &at.field("urlRewrite").field("path"));
        }
    }
}

fn path_modifier(check: &mut Checker<'_>, modifier: Option<&HttpPathModifier>, at: &Path<'_>) {
    let written = modifier.map(|modifier| modifier.r#type.as_str());
    optional(check, &at.field("type"), written, &["ReplaceFullPath", "ReplacePrefixMatch"]);
}

fn optional(check: &mut Checker<'_>, at: &Path<'_>, written: Option<&str>, words: &[&str]) {
    if let Some(written) = written {
        check.check(at, one_of(written, words));
    }
}

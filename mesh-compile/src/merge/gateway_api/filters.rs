//! Filters of rules and backends.

use std::collections::BTreeMap;

use mesh_model::diagnostic::Report;
use mesh_model::gateway_api::{
    HeaderFilter, HeaderValue, HttpPathModifier, HttpRequestMirrorFilter, HttpRequestRedirectFilter,
    HttpUrlRewriteFilter, RouteFilter,
};
use mesh_model::name::StringMap;
use mesh_model::networking::virtual_service::spec::{
    HttpMirrorPolicy, HttpRedirect, HttpRewrite, HttpRoute, RedirectPortSelection, RegexRewrite,
};
use mesh_model::part::{HeaderOperations, Headers, Percent};

use super::backends::{Refusal, Translation};
use super::{cors, report_at};

/// What kinds of filters a route may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Grpc,
}

impl Translation<'_> {
    /// Applies the filters of a rule, in order: of one kind the last counts, mirrors add up.
    pub(super) fn filters(
        &self,
        filters: &[RouteFilter],
        field: &str,
        protocol: Protocol,
        route: &mut HttpRoute,
        report: &mut Report,
    ) -> Result<(), Refusal> {
        for (index, filter) in filters.iter().enumerate() {
            let field = format!("{field}[{index}]");
            if header_filter(filter, &field, &mut route.headers)? {
                continue;
            }
            match (filter.r#type.as_str(), protocol) {
                ("RequestMirror", _) => {
                    if let Some(mirror) = &filter.request_mirror {
                        let field = format!("{field}.requestMirror.backendRef");
                        route.mirrors.extend(self.mirror(mirror, &field, protocol, report)?);
                    }
                }
                ("RequestRedirect", Protocol::Http) => {
                    route.redirect = filter.request_redirect.as_ref().map(redirect).map(Box::new);
                }
                ("URLRewrite", Protocol::Http) => {
                    route.rewrite = filter.url_rewrite.as_ref().and_then(rewrite).map(Box::new);
                }
                ("CORS", Protocol::Http) => {
                    route.cors_policy = filter.cors.as_ref().map(cors::policy).map(Box::new);
                }
                (other, _) => {
                    return Err(Refusal::new(
                        format!("{field}.type"),
                        format!("filters of type `{other}` are not supported"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// A mirror to a backend that may not be used is left out of HTTP routes, and spoils gRPC routes.
    fn mirror(
        &self,
        mirror: &HttpRequestMirrorFilter,
        field: &str,
        protocol: Protocol,
        report: &mut Report,
    ) -> Result<Option<HttpMirrorPolicy>, Refusal> {
        let destination = match self.usable(&mirror.backend_ref, field, report) {
            Ok(destination) => destination,
            Err(refusal) if protocol == Protocol::Http => {
                let Refusal { field, message } = refusal;
                let code = mesh_model::diagnostic::Code::RouteRefused;
                report_at(self.head.provenance, &field, code, message, report);
                None
            }
            Err(refusal) => return Err(refusal),
        };
        if destination.is_none() && protocol == Protocol::Grpc {
            return Err(Refusal::new(field, "the backend of the mirror cannot be used"));
        }
        let percentage = match (&mirror.fraction, mirror.percent) {
            (Some(fraction), _) => {
                let denominator = fraction.denominator.filter(|whole| *whole > 0).map_or(100.0, f64::from);
                Some(Percent { value: 100.0 * f64::from(fraction.numerator) / denominator })
            }
            (None, percent) => percent.map(|percent| Percent { value: f64::from(percent) }),
        };
        Ok(destination.map(|destination| HttpMirrorPolicy { destination: Some(destination), percentage }))
    }
}

/// Header operations of a backend; it can have no other filters.
pub(super) fn headers(filters: &[RouteFilter], field: &str) -> Result<Option<Box<Headers>>, Refusal> {
    let mut headers = None;
    for (index, filter) in filters.iter().enumerate() {
        let field = format!("{field}[{index}]");
        if !header_filter(filter, &field, &mut headers)? {
            let message = format!("backends cannot have filters of type `{}`", filter.r#type);
            return Err(Refusal::new(format!("{field}.type"), message));
        }
    }
    Ok(headers)
}

/// Takes a filter that changes headers; says whether it was one.
fn header_filter(
    filter: &RouteFilter,
    field: &str,
    headers: &mut Option<Box<Headers>>,
) -> Result<bool, Refusal> {
    match filter.r#type.as_str() {
        "RequestHeaderModifier" => {
            if let Some(written) = &filter.request_header_modifier {
                let operations = operations(written, &format!("{field}.requestHeaderModifier"))?;
                headers.get_or_insert_default().request = Some(Box::new(operations));
            }
        }
        "ResponseHeaderModifier" => {
            if let Some(written) = &filter.response_header_modifier {
                let operations = operations(written, &format!("{field}.responseHeaderModifier"))?;
                headers.get_or_insert_default().response = Some(Box::new(operations));
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn operations(written: &HeaderFilter, field: &str) -> Result<HeaderOperations, Refusal> {
    let HeaderFilter { set, add, remove } = written;
    for header in set.iter().chain(add) {
        if !is_header_value(&header.value) {
            let message = format!("the value of header `{}` holds control characters", header.name);
            return Err(Refusal::new(field, message));
        }
    }
    Ok(HeaderOperations { set: by_name(set), add: by_name(add), remove: remove.clone() })
}

/// Names in lower case; the first value of a name counts.
fn by_name(headers: &[HeaderValue]) -> StringMap {
    let mut found = BTreeMap::new();
    for header in headers {
        found.entry(header.name.to_ascii_lowercase()).or_insert(header.value.as_str());
    }
    found.into_iter().collect()
}

fn is_header_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

fn redirect(written: &HttpRequestRedirectFilter) -> HttpRedirect {
    let HttpRequestRedirectFilter { scheme, hostname, path, port, status_code } = written;
    let derived = match scheme {
        Some(_) => RedirectPortSelection::FromProtocolDefault,
        None => RedirectPortSelection::FromRequestPort,
    };
    let (uri, prefix_rewrite) = match path.as_ref().map(modifier) {
        Some(Modifier::Full(path)) => (path.to_owned(), String::new()),
        Some(Modifier::Prefix(prefix)) => (String::new(), prefix.to_owned()),
        _ => (String::new(), String::new()),
    };
    HttpRedirect {
        uri,
        prefix_rewrite,
        authority: hostname.clone().unwrap_or_default(),
        port: port.map(u32::from),
        derive_port: port.is_none().then_some(derived),
        scheme: scheme.clone().unwrap_or_default(),
        redirect_code: status_code.unwrap_or(DEFAULT_REDIRECT),
    }
}

/// What the API fills in where no status is written.
const DEFAULT_REDIRECT: u32 = 302;

fn rewrite(written: &HttpUrlRewriteFilter) -> Option<HttpRewrite> {
    let mut rewrite =
        HttpRewrite { authority: written.hostname.clone().unwrap_or_default(), ..HttpRewrite::default() };
    match written.path.as_ref().map(modifier) {
        Some(Modifier::Prefix(prefix)) => {
            let trimmed = prefix.strip_suffix('/').unwrap_or(prefix);
            // `/` and nothing mean that the prefix goes (T-121).
            trimmed_or_root(trimmed).clone_into(&mut rewrite.uri);
        }
        Some(Modifier::Full(path)) => {
            rewrite.uri_regex_rewrite =
                Some(RegexRewrite { r#match: "/.*".to_owned(), rewrite: path.to_owned() });
        }
        Some(Modifier::None) | None => {}
    }
    (rewrite != HttpRewrite::default()).then_some(rewrite)
}

fn trimmed_or_root(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

enum Modifier<'m> {
    Full(&'m str),
    Prefix(&'m str),
    None,
}

fn modifier(path: &HttpPathModifier) -> Modifier<'_> {
    match path.r#type.as_str() {
        "ReplaceFullPath" => Modifier::Full(path.replace_full_path.as_deref().unwrap_or_default()),
        "ReplacePrefixMatch" => Modifier::Prefix(path.replace_prefix_match.as_deref().unwrap_or_default()),
        _ => Modifier::None,
    }
}

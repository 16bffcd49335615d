//! Names and matches as a picture shows them.

use mesh_model::name::StringMap;
use mesh_model::networking::virtual_service::spec::{
    HttpMatchRequest, HttpRoute, L4MatchAttributes, TlsMatchAttributes,
};
use mesh_model::part::StringMatch;

/// Characters of a label.
const LABEL_MAX: usize = 60;

/// A text cut to the length of a label.
pub(super) fn short(text: &str) -> String {
    let mut short: String = text.chars().take(LABEL_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// What an HTTP route takes; empty: everything.
pub(super) fn http(route: &HttpRoute) -> String {
    let mut matches: Vec<_> = route.r#match.iter().take(2).map(http_match).collect();
    if route.r#match.len() > 2 {
        matches.push(format!("{} more", route.r#match.len() - 2));
    }
    short(&matches.join(" or "))
}

fn http_match(one: &HttpMatchRequest) -> String {
    let mut parts = Vec::new();
    parts.extend(one.method.as_ref().map(text));
    parts.extend(one.authority.as_ref().map(text));
    parts.extend(one.uri.as_ref().map(text));
    parts.extend(one.headers.iter().map(|(name, value)| format!("{name}={}", text(value))));
    parts.extend(one.without_headers.keys().map(|name| format!("no {name}")));
    parts.extend(one.query_params.iter().map(|(name, value)| format!("?{name}={}", text(value))));
    parts.extend((one.port > 0).then(|| format!(":{}", one.port)));
    parts.extend(from(&one.source_labels, &one.source_namespace));
    parts.join(" ")
}

fn text(value: &StringMatch) -> String {
    match value {
        StringMatch::Exact(text) => text.clone(),
        StringMatch::Prefix(text) => format!("{text}*"),
        StringMatch::Regex(text) => format!("~{text}"),
        _ => "*".to_owned(),
    }
}

/// What an HTTP route does with requests besides sending them on, each with its most telling number.
pub(super) fn acts(route: &HttpRoute) -> Vec<String> {
    let mut acts = Vec::new();
    acts.extend(route.timeout.as_ref().map(|timeout| format!("timeout {timeout}")));
    acts.extend(route.retries.as_ref().map(|retries| format!("retries {}", retries.attempts)));
    if let Some(fault) = &route.fault {
        acts.extend(fault.delay.as_ref().map(|_| "delays".to_owned()));
        acts.extend(fault.abort.as_ref().map(|_| "aborts".to_owned()));
    }
    acts.extend(route.rewrite.as_ref().map(|_| "rewrite".to_owned()));
    acts.extend(route.cors_policy.as_ref().map(|_| "CORS".to_owned()));
    let headers = route.headers.is_some() || route.route.iter().any(|one| one.headers.is_some());
    acts.extend(headers.then(|| "headers".to_owned()));
    acts
}

/// What a TLS route takes.
pub(super) fn tls(matches: &[TlsMatchAttributes]) -> String {
    let each = matches.iter().take(2).map(|one| {
        let mut names: Vec<_> = one.sni_hosts.iter().take(2).cloned().collect();
        names.extend((one.sni_hosts.len() > 2).then(|| format!("{} more", one.sni_hosts.len() - 2)));
        let mut parts: Vec<_> = Some(names.join(",")).filter(|names| !names.is_empty()).into_iter().collect();
        parts.extend((one.port > 0).then(|| format!(":{}", one.port)));
        parts.extend(from(&one.source_labels, &one.source_namespace));
        parts.join(" ")
    });
    short(&any_of(each.collect(), matches.len()))
}

/// Matches of which one suffices, the first two in words.
fn any_of(mut told: Vec<String>, all: usize) -> String {
    if all > told.len() {
        told.push(format!("{} more", all - told.len()));
    }
    told.retain(|one| !one.is_empty());
    told.join(" or ")
}

/// What a TCP route takes.
pub(super) fn tcp(matches: &[L4MatchAttributes]) -> String {
    let each = matches.iter().take(2).map(|one| {
        let mut parts = Vec::new();
        parts.extend((one.port > 0).then(|| format!(":{}", one.port)));
        parts.extend(from(&one.source_labels, &one.source_namespace));
        parts.join(" ")
    });
    short(&any_of(each.collect(), matches.len()))
}

fn from(labels: &StringMap, namespace: &str) -> Option<String> {
    let mut parts: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if !namespace.is_empty() {
        parts.push(namespace.to_owned());
    }
    (!parts.is_empty()).then(|| format!("from {}", parts.join(",")))
}

//! Route tables as data.

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::route_table::action::{Forward, Redirect, RedirectPath, RouteAction};
use mesh_compile::route_table::matcher::{Case, PathMatch, RouteMatch, TextMatch, ValueMatch};
use mesh_compile::route_table::{Route, RouteTable, VirtualHost};
use serde_json::{Map, Value, json};

use crate::decision_format::rate_limit;

/// Every route table by name.
pub fn route_tables(config: &ProxyConfig) -> Value {
    config
        .route_tables
        .iter()
        .map(|(name, table)| (name.to_string(), route_table(table)))
        .collect::<Map<_, _>>()
        .into()
}

fn route_table(table: &RouteTable) -> Value {
    table.virtual_hosts.iter().map(|host| virtual_host(host)).collect()
}

fn virtual_host(host: &VirtualHost) -> Value {
    json!({
        "name": &*host.name,
        "domains": host.domains,
        "require_tls": host.require_tls,
        "routes": host.routes.iter().map(route).collect::<Vec<_>>(),
        "origin": host.origin,
    })
}

fn route(route: &Route) -> Value {
    let (kind, action) = match &route.action {
        RouteAction::Forward(forward) => ("forward", forwarding(forward)),
        RouteAction::Redirect(redirect) => ("redirect", redirection(redirect)),
        RouteAction::Respond(response) => ("respond", json!({"status": response.status})),
    };
    json!({"name": &*route.name, "match": conditions(&route.matcher), kind: action, "origin": route.origin})
}

fn conditions(matcher: &RouteMatch) -> Value {
    let mut out = Map::new();
    let (key, text) = match &matcher.path {
        PathMatch::Exact(text, Case::Sensitive) => ("path", &**text),
        PathMatch::Exact(text, Case::Insensitive) => ("path (any case)", &**text),
        PathMatch::Prefix(text, Case::Sensitive) => ("prefix", &**text),
        PathMatch::Prefix(text, Case::Insensitive) => ("prefix (any case)", &**text),
        PathMatch::SegmentPrefix(text) => ("segment prefix", &**text),
        PathMatch::Regex(pattern) => ("regex", pattern.text()),
    };
    out.insert(key.to_owned(), text.into());
    for header in &matcher.headers {
        out.insert(format!("{}header {}", not(header.invert), header.name), value(&header.value));
    }
    for query in &matcher.query {
        out.insert(format!("query {}", query.name), value(&query.value));
    }
    for claim in &matcher.claims {
        let path = claim.path.iter().map(|name| &**name).collect::<Vec<_>>().join(".");
        out.insert(format!("{}claim {path}", not(claim.invert)), value(&claim.value));
    }
    out.into()
}

fn not(invert: bool) -> &'static str {
    if invert { "not " } else { "" }
}

fn value(value: &ValueMatch) -> Value {
    match value {
        ValueMatch::Present => "present".into(),
        ValueMatch::Absent => "absent".into(),
        ValueMatch::Text(TextMatch::Exact(text)) => json!({"exact": &**text}),
        ValueMatch::Text(TextMatch::Prefix(text)) => json!({"prefix": &**text}),
        ValueMatch::Text(TextMatch::Suffix(text)) => json!({"suffix": &**text}),
        ValueMatch::Text(TextMatch::Contains(text)) => json!({"contains": &**text}),
        ValueMatch::Text(TextMatch::Regex(pattern)) => json!({"regex": pattern.text()}),
    }
}

fn forwarding(forward: &Forward) -> Value {
    json!({
        "clusters": forward
            .destinations
            .iter()
            .map(|destination| json!({"cluster": &*destination.cluster, "weight": destination.weight}))
            .collect::<Vec<_>>(),
        "timeout_ms": forward.timeout_ms,
        "retries": forward.retries.as_ref().map(|retries| json!({
            "attempts": retries.attempts,
            "on": &*retries.on,
            "origin": retries.origin,
        })),
        "local_rate_limit": forward.rate_limit.as_deref().map(rate_limit),
        "mirrors": forward.mirrors.iter().map(|mirror| &*mirror.cluster).collect::<Vec<_>>(),
    })
}

fn redirection(redirect: &Redirect) -> Value {
    json!({
        "status": redirect.status,
        "scheme": redirect.scheme,
        "host": redirect.host,
        "port": redirect.port,
        "path": match &redirect.path {
            RedirectPath::Keep => Value::Null,
            RedirectPath::Whole(path) => json!({"whole": &**path}),
            RedirectPath::Prefix(path) => json!({"prefix": &**path}),
        },
    })
}

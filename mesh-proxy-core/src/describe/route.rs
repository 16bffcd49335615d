//! Route tables as data. Ours: what is compiled can be read without knowing the types.

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::route_table::action::{
    AuthorityRewrite, CorsPolicy, Destination, Forward, HeaderOps, PathRewrite, Redirect, RedirectPath,
    RetryPolicy, RouteAction,
};
use mesh_compile::route_table::matcher::{Case, PathMatch, RouteMatch, TextMatch, ValueMatch};
use mesh_compile::route_table::{Route, RouteTable, VirtualHost};
use serde_json::{Map, Value, json};

use crate::decision_format::{fault, hash_policy, header_ops, mirror, rate_limit};

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
        RouteAction::Respond(response) => {
            ("respond", json!({"status": response.status, "body": response.body.as_deref()}))
        }
    };
    let mut out = Map::new();
    out.insert("name".into(), (&*route.name).into());
    out.insert("match".into(), conditions(&route.matcher));
    out.insert(kind.into(), action);
    put_headers(&mut out, &route.request_headers, &route.response_headers);
    out.insert("origin".into(), json!(route.origin));
    out.into()
}

/// What is done to headers, where anything is.
fn put_headers(out: &mut Map<String, Value>, request: &HeaderOps, response: &HeaderOps) {
    for (key, ops) in [("request_headers", request), ("response_headers", response)] {
        if !ops.ops.is_empty() {
            out.insert(key.into(), header_ops(&ops.ops));
        }
    }
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
        put_condition(
            &mut out,
            &format!("{}header {}", not(header.invert), header.name),
            value(&header.value),
        );
    }
    for query in &matcher.query {
        put_condition(&mut out, &format!("query {}", query.name), value(&query.value));
    }
    for claim in &matcher.claims {
        let path = claim.path.iter().map(|name| &**name).collect::<Vec<_>>().join(".");
        put_condition(&mut out, &format!("{}claim {path}", not(claim.invert)), value(&claim.value));
    }
    out.into()
}

fn not(invert: bool) -> &'static str {
    if invert { "not " } else { "" }
}

/// Several conditions may ask for one name: the second and later ones stand under the name with a number.
fn put_condition(out: &mut Map<String, Value>, name: &str, wanted: Value) {
    let key = (2..).map(|turn| format!("{name} ({turn})"));
    let free = std::iter::once(name.to_owned()).chain(key).find(|key| !out.contains_key(key));
    out.extend(free.map(|key| (key, wanted)));
}

fn value(value: &ValueMatch) -> Value {
    match value {
        ValueMatch::Present => "present".into(),
        ValueMatch::Absent => "absent".into(),
        ValueMatch::Text(wanted) => text(wanted),
    }
}

fn text(wanted: &TextMatch) -> Value {
    match wanted {
        TextMatch::Exact(text) => json!({"exact": &**text}),
        TextMatch::Prefix(text) => json!({"prefix": &**text}),
        TextMatch::Suffix(text) => json!({"suffix": &**text}),
        TextMatch::Contains(text) => json!({"contains": &**text}),
        TextMatch::Regex(pattern) => json!({"regex": pattern.text()}),
    }
}

fn forwarding(forward: &Forward) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        out.extend(value.map(|value| (key.to_owned(), value)));
    };
    put("clusters", Some(forward.destinations.iter().map(destination).collect()));
    put("timeout_ms", Some(forward.timeout_ms.into()));
    put("retries", Some(forward.retries.as_deref().map(retries).into()));
    put("local_rate_limit", Some(forward.rate_limit.as_deref().map(rate_limit).into()));
    put("mirrors", Some(forward.mirrors.iter().map(mirror).collect()));
    put("timeout_origin", forward.timeout_origin.as_ref().map(|origin| json!(origin)));
    put("path_rewrite", forward.path_rewrite.as_ref().map(path_rewrite));
    put("tells_authority", forward.tells_authority.then_some(Value::Bool(true)));
    put("authority_rewrite", forward.authority_rewrite.as_ref().map(authority_rewrite));
    let hashes = forward.hash_policy.iter().map(hash_policy);
    put("hash_policy", (!forward.hash_policy.is_empty()).then(|| hashes.collect()));
    put("fault", forward.fault.as_deref().map(fault));
    put("cors", forward.cors.as_deref().map(cors));
    put("no_cluster_status", (forward.no_cluster_status != 503).then(|| forward.no_cluster_status.into()));
    out.into()
}

fn destination(destination: &Destination) -> Value {
    let mut out = Map::new();
    out.insert("cluster".into(), (&*destination.cluster).into());
    out.insert("weight".into(), destination.weight.into());
    put_headers(&mut out, &destination.request_headers, &destination.response_headers);
    if let Some(authority) = &destination.authority {
        out.insert("authority".into(), (&**authority).into());
    }
    out.into()
}

fn retries(retries: &RetryPolicy) -> Value {
    let mut out = Map::new();
    out.insert("attempts".into(), retries.attempts.into());
    out.insert("on".into(), (&*retries.on).into());
    if !retries.codes.is_empty() {
        out.insert("codes".into(), json!(retries.codes));
    }
    for (key, ms) in [("per_try_timeout_ms", retries.per_try_timeout_ms), ("backoff_ms", retries.backoff_ms)]
    {
        out.extend(ms.map(|ms| (key.to_owned(), ms.into())));
    }
    for (key, is_set) in [
        ("avoid_previous_hosts", retries.avoid_previous_hosts),
        ("remote_localities", retries.remote_localities),
    ] {
        out.extend(is_set.then(|| (key.to_owned(), true.into())));
    }
    out.insert("origin".into(), json!(retries.origin));
    out.into()
}

fn path_rewrite(rewrite: &PathRewrite) -> Value {
    match rewrite {
        PathRewrite::Matched(text) => json!({"matched": &**text}),
        PathRewrite::Whole(text) => json!({"whole": &**text}),
        PathRewrite::Regex { pattern, substitution } => {
            json!({"regex": pattern.text(), "substitution": &**substitution})
        }
    }
}

fn authority_rewrite(rewrite: &AuthorityRewrite) -> Value {
    match rewrite {
        AuthorityRewrite::Literal(text) => (&**text).into(),
        AuthorityRewrite::UpstreamHost => "<upstream host>".into(),
    }
}

fn cors(policy: &CorsPolicy) -> Value {
    json!({
        "allow_origins": policy.allow_origins.iter().map(text).collect::<Vec<_>>(),
        "allow_methods": &*policy.allow_methods,
        "allow_headers": &*policy.allow_headers,
        "expose_headers": &*policy.expose_headers,
        "max_age": &*policy.max_age,
        "allow_credentials": policy.allow_credentials,
        "forward_unmatched_preflights": policy.forward_unmatched_preflights,
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
        "strip_query": redirect.strip_query,
    })
}

//! Routes and virtual hosts in Envoy's own form, as far as compiled tables have what they say.
//!
//! A condition or an action that cannot be read leaves the whole route out: it would match, or do, something else.
//! Everything else that is not known is left out alone, and told of.
// Spec: envoyproxy/envoy api/envoy/config/route/v3/route_components.proto.

use std::sync::Arc;

use mesh_model::origin::Origin;
use serde_json::{Map, Value};

use super::filter_value::local_rate_limit;
use super::match_value::conditions;
use super::route::{Headers, UNKNOWN, UNREADABLE, merge_retries};
use super::value::{count, duration_ms, field, fields};
use crate::route_table::action::{
    AuthorityRewrite, Destination, Destinations, DirectResponse, Forward, HeaderOps, PathRewrite, Redirect,
    RedirectPath, RetryPolicy, RouteAction,
};
use crate::route_table::pattern::Pattern;
use crate::route_table::{Route, VirtualHost};

/// What of a value is left out: field and reason.
pub(super) type LeftOut = Vec<(String, &'static str)>;

/// Envoy's timeout where a route says none.
const TIMEOUT_MS: u64 = 15_000;

/// A field whose value is no more than a name for people or statistics.
fn is_without_effect(name: &str) -> bool {
    matches!(name, "metadata" | "decorator" | "stat_prefix")
}

/// A virtual host; `None`: nothing of it can be used, and why is in `left_out`.
pub(super) fn virtual_host(
    value: &Map<String, Value>,
    origin: &Origin,
    left_out: &mut LeftOut,
) -> Option<VirtualHost> {
    let (mut name, mut domains, mut routes, mut require_tls) = ("", Vec::new(), Vec::new(), false);
    let mut headers = Vec::new();
    for (field_name, value) in fields(value) {
        if let Some(operations) = Headers::of(&field_name, value) {
            headers.push(operations);
            continue;
        }
        match (field_name.as_str(), value) {
            ("name", Value::String(text)) => name = text,
            ("domains", Value::Array(list)) => domains = domains_of(list),
            ("routes", Value::Array(list)) => {
                routes = routes_of(list, origin, left_out);
            }
            ("require_tls", Value::String(text)) if text == "ALL" || text == "NONE" => {
                require_tls = text == "ALL";
            }
            (name, _) if is_without_effect(name) => {}
            _ => left_out.push((field_name, "compiled virtual hosts have no such field")),
        }
    }
    if name.is_empty() || domains.is_empty() {
        left_out.push((String::new(), "a virtual host needs a name and domains"));
        return None;
    }
    super::route::add_host_headers(&mut routes, headers);
    Some(VirtualHost::new(name, domains, require_tls, routes, origin.clone()))
}

/// Domains as compiled tables have them: in lower case.
pub(super) fn domains_of(list: &[Value]) -> Vec<Arc<str>> {
    list.iter().filter_map(Value::as_str).map(|it| it.to_ascii_lowercase().into()).collect()
}

/// Those routes of a list that can be read.
pub(super) fn routes_of(list: &[Value], origin: &Origin, left_out: &mut LeftOut) -> Vec<Route> {
    let mut routes = Vec::new();
    for (index, value) in list.iter().enumerate() {
        let at = format!("routes[{index}]");
        let mut own = Vec::new();
        let found = value.as_object().and_then(|it| route(it, &origin.child(&format!(".{at}")), &mut own));
        if found.is_none() && own.is_empty() {
            own.push((String::new(), UNREADABLE));
        }
        left_out.extend(own.into_iter().map(|(field, why)| {
            let whole = if field.is_empty() { at.clone() } else { format!("{at}.{field}") };
            (whole, why)
        }));
        routes.extend(found);
    }
    routes
}

/// A route; `None`: what it asks or does cannot be read, and why is in `left_out`.
pub(super) fn route(value: &Map<String, Value>, origin: &Origin, left_out: &mut LeftOut) -> Option<Route> {
    let matcher = match field(value, "match").and_then(Value::as_object).ok_or("").and_then(conditions) {
        Ok(matcher) => matcher,
        Err(at) => {
            let field = if at.is_empty() { "match".to_owned() } else { format!("match.{at}") };
            left_out.push((field, "no condition that compiled routes have, so the whole route is left out"));
            return None;
        }
    };
    let action = action(value, origin, left_out);
    let Some(action) = action else {
        left_out.push((
            String::new(),
            "it does nothing that compiled routes do: forward to clusters, redirect or answer",
        ));
        return None;
    };
    let mut route = Route {
        name: field(value, "name").and_then(Value::as_str).unwrap_or_default().into(),
        matcher,
        action,
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        origin: origin.clone(),
    };
    for (name, value) in fields(value) {
        match name.as_str() {
            "name" | "match" | "route" | "redirect" | "direct_response" => {}
            "typed_per_filter_config" => route_filters(&mut route, value, origin, left_out),
            name if is_without_effect(name) => {}
            _ => match Headers::of(&name, value) {
                Some(operations) => operations.merge_into(&mut route),
                None => left_out.push((name, UNKNOWN)),
            },
        }
    }
    Some(route)
}

/// `typed_per_filter_config`: what a route wants of filters. Says of each whether it is known.
pub(super) fn route_filters(route: &mut Route, value: &Value, origin: &Origin, left_out: &mut LeftOut) {
    for (filter, config) in value.as_object().into_iter().flatten() {
        let path = format!("typed_per_filter_config[\"{filter}\"]");
        let origin = origin.child(&format!(".{path}"));
        let limit = config.as_object().and_then(|it| local_rate_limit(it, &origin, &path, left_out));
        match (&mut route.action, limit) {
            (RouteAction::Forward(forward), Some(limit)) => forward.rate_limit = Some(Arc::new(limit)),
            (_, Some(_)) => left_out.push((path, "the route does not forward")),
            (_, None) => left_out.push((path, "compiled routes ask such a filter for nothing")),
        }
    }
}

/// What a route does; `None`: nothing that compiled routes do.
pub(super) fn action(
    value: &Map<String, Value>,
    origin: &Origin,
    left_out: &mut LeftOut,
) -> Option<RouteAction> {
    let part = |name: &str| field(value, name).and_then(Value::as_object);
    if let Some(written) = part("direct_response") {
        return respond(written, left_out).map(RouteAction::Respond);
    }
    if let Some(written) = part("redirect") {
        return redirect(written, left_out).map(|it| RouteAction::Redirect(Box::new(it)));
    }
    let written = part("route")?;
    let origin = origin.child(".route");
    let mut forward = Forward::to_all(destinations(written, &origin, left_out)?);
    forward.timeout_ms = TIMEOUT_MS;
    let mut own = Vec::new();
    merge_forward(&mut forward, written, &origin, false, &mut own);
    left_out.extend(own.into_iter().map(|(field, why)| (format!("route.{field}"), why)));
    Some(RouteAction::Forward(Box::new(forward)))
}

/// The clusters of a forwarding action; `None`: it names none that is known before a request comes.
pub(super) fn destinations(
    map: &Map<String, Value>,
    origin: &Origin,
    left_out: &mut LeftOut,
) -> Option<Destinations> {
    let to = |cluster: &str, weight: u32, origin: Origin| Destination {
        cluster: cluster.into(),
        weight,
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        authority: None,
        origin,
    };
    if let Some(cluster) = field(map, "cluster").and_then(Value::as_str) {
        return Some(Destinations::Single(Box::new(to(cluster, 100, origin.child(".cluster")))));
    }
    let weighted = field(map, "weighted_clusters").and_then(Value::as_object)?;
    let clusters = field(weighted, "clusters").and_then(Value::as_array)?;
    let mut all = Vec::new();
    for (index, cluster) in clusters.iter().enumerate() {
        let cluster = cluster.as_object()?;
        let at = format!("weighted_clusters.clusters[{index}]");
        let weight = field(cluster, "weight").map_or(Some(0), count)?;
        let name = field(cluster, "name").and_then(Value::as_str)?;
        let mut destination = to(name, weight, origin.child(&format!(".{at}")));
        for (name, value) in fields(cluster) {
            match (name.as_str(), value) {
                ("name" | "weight", _) => {}
                ("host_rewrite_literal", Value::String(host)) => {
                    destination.authority = Some(host.as_str().into());
                }
                _ => match Headers::of(&name, value) {
                    Some(operations) => {
                        operations.put(&mut destination.request_headers, &mut destination.response_headers);
                    }
                    None => left_out.push((format!("route.{at}.{name}"), UNKNOWN)),
                },
            }
        }
        if weight > 0 {
            all.push(destination);
        }
    }
    (!all.is_empty()).then_some(Destinations::Weighted(all))
}

/// Merges a forwarding action into another. Says whether anything changed.
pub(super) fn merge_forward(
    forward: &mut Forward,
    map: &Map<String, Value>,
    origin: &Origin,
    replaces_lists: bool,
    left_out: &mut LeftOut,
) -> bool {
    let mut is_changed = false;
    for (name, value) in fields(map) {
        let done = match name.as_str() {
            // Those are looked at where the destinations are made.
            "cluster" | "weighted_clusters" => continue,
            "timeout" => duration_ms(value).and_then(|it| u64::try_from(it).ok()).map(|timeout| {
                forward.timeout_ms = timeout;
                forward.timeout_origin = Some(origin.child(".timeout"));
            }),
            "prefix_rewrite" => value.as_str().map(|it| {
                forward.path_rewrite = Some(PathRewrite::Matched(it.into()));
            }),
            "regex_rewrite" => regex_rewrite(value).map(|it| forward.path_rewrite = Some(it)),
            "host_rewrite_literal" => value.as_str().map(|it| {
                forward.authority_rewrite = Some(AuthorityRewrite::Literal(it.into()));
            }),
            "auto_host_rewrite" => value.as_bool().map(|is_on| {
                forward.authority_rewrite = is_on.then_some(AuthorityRewrite::UpstreamHost);
            }),
            "cluster_not_found_response_code" => match value.as_str() {
                Some("SERVICE_UNAVAILABLE") => Some(503),
                Some("NOT_FOUND") => Some(404),
                Some("INTERNAL_SERVER_ERROR") => Some(500),
                _ => None,
            }
            .map(|status| forward.no_cluster_status = status),
            "retry_policy" => value.as_object().map(|map| {
                let new = || RetryPolicy {
                    attempts: 1,
                    on: "".into(),
                    codes: Vec::new(),
                    per_try_timeout_ms: None,
                    backoff_ms: None,
                    avoid_previous_hosts: false,
                    remote_localities: false,
                    origin: origin.child(".retry_policy"),
                };
                let retries = Arc::make_mut(forward.retries.get_or_insert_with(|| Arc::new(new())));
                merge_retries(retries, map, replaces_lists, left_out);
                retries.origin = origin.child(".retry_policy");
            }),
            name if is_without_effect(name) => continue,
            _ => {
                left_out.push((name, UNKNOWN));
                continue;
            }
        };
        match done {
            Some(()) => is_changed = true,
            None => left_out.push((name, UNREADABLE)),
        }
    }
    is_changed
}

fn regex_rewrite(value: &Value) -> Option<PathRewrite> {
    let map = value.as_object()?;
    let pattern = field(field(map, "pattern")?.as_object()?, "regex")?.as_str()?;
    let substitution = field(map, "substitution").map_or(Some(""), Value::as_str)?;
    Some(PathRewrite::Regex { pattern: Pattern::search(pattern).ok()?, substitution: substitution.into() })
}

fn redirect(map: &Map<String, Value>, left_out: &mut LeftOut) -> Option<Redirect> {
    let mut redirect = Redirect {
        status: 301,
        scheme: None,
        host: None,
        port: None,
        path: RedirectPath::Keep,
        strip_query: false,
    };
    for (name, value) in fields(map) {
        match (name.as_str(), value) {
            ("https_redirect", Value::Bool(true)) => redirect.scheme = Some("https".into()),
            ("https_redirect", Value::Bool(false)) => {}
            ("scheme_redirect", Value::String(scheme)) => redirect.scheme = Some(scheme.as_str().into()),
            ("host_redirect", Value::String(host)) => redirect.host = Some(host.as_str().into()),
            ("port_redirect", port) => redirect.port = Some(u16::try_from(count(port)?).ok()?),
            ("path_redirect", Value::String(path)) => {
                redirect.path = RedirectPath::Whole(path.as_str().into());
            }
            ("prefix_rewrite", Value::String(prefix)) => {
                redirect.path = RedirectPath::Prefix(prefix.as_str().into());
            }
            ("response_code", code) => {
                redirect.status = match code.as_str()? {
                    "MOVED_PERMANENTLY" => 301,
                    "FOUND" => 302,
                    "SEE_OTHER" => 303,
                    "TEMPORARY_REDIRECT" => 307,
                    "PERMANENT_REDIRECT" => 308,
                    _ => return None,
                };
            }
            ("strip_query", Value::Bool(strips)) => redirect.strip_query = *strips,
            _ => {
                left_out.push((format!("redirect.{name}"), "compiled redirects have no such field"));
                return None;
            }
        }
    }
    Some(redirect)
}

fn respond(map: &Map<String, Value>, left_out: &mut LeftOut) -> Option<DirectResponse> {
    let status = u16::try_from(count(field(map, "status")?)?).ok().filter(|it| (200..600).contains(it))?;
    let body = field(map, "body").and_then(Value::as_object);
    let text = body.and_then(|it| field(it, "inline_string")).and_then(Value::as_str);
    if body.is_some() && text.is_none() {
        left_out.push(("direct_response.body".into(), "only an inline string is read"));
    }
    Some(DirectResponse { status, body: text.map(Into::into) })
}

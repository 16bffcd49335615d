//! Patches of route tables, virtual hosts and routes.

use std::sync::Arc;

use mesh_model::networking::envoy_filter::spec::{ApplyTo, PatchOperation};
use serde_json::{Map, Value};

use super::applicable::{Patch, Patches};
use super::value::{count, duration_ms, field, fields};
use super::{Notes, Once};
use crate::route_table::action::{HeaderOp, HeaderOps, PathRewrite, RetryPolicy, RouteAction};
use crate::route_table::{Route, RouteTable, VirtualHost};

const UNKNOWN: &str = "compiled routes have no such field";
const UNREADABLE: &str = "the value cannot be read";
const NOT_FORWARDED: &str = "the route does not forward";

/// Applies the patches that mean a table, or something in it; `None`: none does.
pub(super) fn patch(patches: &Patches, before: &Arc<RouteTable>) -> Option<Once<RouteTable>> {
    let means = |(_, patch): &(usize, &Patch)| patches.means_table(patch, &before.name);
    let of_tables: Vec<_> = patches.of(ApplyTo::RouteConfiguration).filter(means).collect();
    let of_hosts: Vec<_> = patches.of(ApplyTo::VirtualHost).filter(means).collect();
    let of_routes: Vec<_> = patches.of(ApplyTo::HttpRoute).filter(means).collect();
    if of_tables.is_empty() && of_hosts.is_empty() && of_routes.is_empty() {
        return None;
    }
    let mut notes = Notes::default();
    let mut hosts = Vec::with_capacity(before.virtual_hosts.len());
    for host in &before.virtual_hosts {
        if let Some(host) = patch_host(&before.name, host, &of_hosts, &of_routes, &mut notes) {
            hosts.push(host);
        }
    }
    for (place, patch) in of_tables {
        let mut is_changed = false;
        for host in &mut hosts {
            is_changed |= merge_into_host(host, patch, place, &mut notes);
        }
        if is_changed {
            notes.changed.push((place, Arc::clone(&before.name)));
        }
    }
    let is_same = hosts.len() == before.virtual_hosts.len()
        && hosts.iter().zip(&before.virtual_hosts).all(|(new, old)| Arc::ptr_eq(new, old));
    let after = if is_same {
        Arc::clone(before)
    } else {
        Arc::new(RouteTable::of_shared(Arc::clone(&before.name), hosts))
    };
    Some(Once { before: Arc::clone(before), after: Some(after), notes })
}

type Placed<'p> = (usize, &'p Patch);

/// A virtual host after its patches and those of its routes; `None`: it is removed.
fn patch_host(
    table: &str,
    before: &Arc<VirtualHost>,
    of_hosts: &[Placed<'_>],
    of_routes: &[Placed<'_>],
    notes: &mut Notes,
) -> Option<Arc<VirtualHost>> {
    let mut host = Arc::clone(before);
    let name: Arc<str> = format!("{table}/{}", host.name).into();
    for (place, patch) in of_hosts.iter().filter(|(_, patch)| patch.means_host(before)) {
        if patch.operation == PatchOperation::Remove {
            notes.changed.push((*place, name));
            return None;
        }
        if merge_into_host(&mut host, patch, *place, notes) {
            notes.changed.push((*place, Arc::clone(&name)));
        }
    }
    let mut routes: Vec<Route> = Vec::new();
    let mut is_changed = false;
    let of_routes: Vec<_> = of_routes.iter().filter(|(_, patch)| patch.means_host(before)).collect();
    if of_routes.is_empty() {
        return Some(host);
    }
    'routes: for route in host.routes.iter() {
        let mut route = route.clone();
        let path: Arc<str> = format!("{name}/{}", route.name).into();
        for (place, patch) in &of_routes {
            if !patch.means_route(&route) {
                continue;
            }
            if patch.operation == PatchOperation::Remove {
                notes.changed.push((*place, path));
                is_changed = true;
                continue 'routes;
            }
            if merge_into_route(&mut route, patch, *place, notes) {
                notes.changed.push((*place, Arc::clone(&path)));
                is_changed = true;
            }
        }
        routes.push(route);
    }
    if is_changed {
        host = with_routes(&host, routes);
    }
    Some(host)
}

fn with_routes(host: &VirtualHost, routes: Vec<Route>) -> Arc<VirtualHost> {
    let VirtualHost { name, domains, require_tls, routes: _, origin } = host;
    Arc::new(VirtualHost::new(Arc::clone(name), domains.clone(), *require_tls, routes, origin.clone()))
}

/// Merges what a virtual host or a whole table can say for every route: operations on headers, which Envoy does after those
/// of the route, so they stand behind them here. Says whether anything changed.
fn merge_into_host(host: &mut Arc<VirtualHost>, patch: &Patch, place: usize, notes: &mut Notes) -> bool {
    let Some(value) = patch.value() else { return false };
    let mut routes: Vec<Route> = host.routes.to_vec();
    let mut is_changed = false;
    let mut all = Vec::new();
    for (name, value) in fields(value) {
        match Headers::of(&name, value) {
            Some(operations) => all.push(operations),
            None => notes.left_out.push((place, name, "compiled virtual hosts have no such field")),
        }
    }
    // One level removes before it adds.
    all.sort_by_key(|it| !it.are_removals);
    for operations in &all {
        for route in &mut routes {
            operations.list(route).extend(operations.ops.iter().cloned());
        }
        is_changed = true;
    }
    if is_changed {
        *host = with_routes(host, routes);
    }
    is_changed
}

/// Merges a value into a route. Says whether anything changed.
fn merge_into_route(route: &mut Route, patch: &Patch, place: usize, notes: &mut Notes) -> bool {
    let Some(value) = patch.value() else { return false };
    let mut is_changed = false;
    for (name, value) in fields(value) {
        if let Some(operations) = Headers::of(&name, value) {
            operations.merge_into(route);
            is_changed = true;
        } else if let ("route", Some(map)) = (name.as_str(), value.as_object()) {
            is_changed |= merge_action(route, map, patch, &mut |field, why| {
                notes.left_out.push((place, format!("route.{field}"), why));
            });
        } else {
            notes.left_out.push((place, name, UNKNOWN));
        }
    }
    is_changed
}

fn merge_action(
    route: &mut Route,
    map: &Map<String, Value>,
    patch: &Patch,
    leave_out: &mut dyn FnMut(&str, &'static str),
) -> bool {
    let origin = patch.origin().child(".patch.value.route");
    let mut is_changed = false;
    for (name, value) in fields(map) {
        let RouteAction::Forward(forward) = &mut route.action else {
            leave_out(&name, NOT_FORWARDED);
            continue;
        };
        let done = match name.as_str() {
            "timeout" => duration_ms(value).and_then(|it| u64::try_from(it).ok()).map(|timeout| {
                forward.timeout_ms = timeout;
                forward.timeout_origin = Some(origin.child(".timeout"));
            }),
            "prefix_rewrite" => value.as_str().map(|it| {
                forward.path_rewrite = Some(PathRewrite::Matched(it.into()));
            }),
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
                merge_retries(retries, map, patch.replaces_lists(), leave_out);
                retries.origin = origin.child(".retry_policy");
            }),
            _ => {
                leave_out(&name, UNKNOWN);
                continue;
            }
        };
        match done {
            Some(()) => is_changed = true,
            None => leave_out(&name, UNREADABLE),
        }
    }
    is_changed
}

fn merge_retries(
    retries: &mut RetryPolicy,
    map: &Map<String, Value>,
    replaces: bool,
    leave_out: &mut dyn FnMut(&str, &'static str),
) {
    for (name, value) in fields(map) {
        let done = match name.as_str() {
            "num_retries" => count(value).map(|it| retries.attempts = it),
            "retry_on" => value.as_str().map(|it| retries.on = it.into()),
            "per_try_timeout" => duration_ms(value)
                .and_then(|it| u64::try_from(it).ok())
                .map(|it| retries.per_try_timeout_ms = Some(it)),
            "retriable_status_codes" => value.as_array().map(|codes| {
                if replaces {
                    retries.codes.clear();
                }
                let codes = codes.iter().filter_map(count).filter_map(|it| u16::try_from(it).ok());
                retries.codes.extend(codes);
            }),
            "retry_back_off" => value
                .as_object()
                .and_then(|it| field(it, "base_interval"))
                .and_then(duration_ms)
                .and_then(|it| u64::try_from(it).ok())
                .map(|it| retries.backoff_ms = Some(it)),
            _ => {
                leave_out(&format!("retry_policy.{name}"), UNKNOWN);
                continue;
            }
        };
        if done.is_none() {
            leave_out(&format!("retry_policy.{name}"), UNREADABLE);
        }
    }
}

/// Operations on the headers of requests or of responses.
struct Headers {
    is_request: bool,
    ops: Vec<HeaderOp>,
    /// Removals come before what is added at the same level.
    are_removals: bool,
}

impl Headers {
    /// `None`: the field is another one, or cannot be read.
    fn of(field_name: &str, value: &Value) -> Option<Self> {
        let list = value.as_array()?;
        let (is_request, are_removals) = match field_name {
            "request_headers_to_add" => (true, false),
            "response_headers_to_add" => (false, false),
            "request_headers_to_remove" => (true, true),
            "response_headers_to_remove" => (false, true),
            _ => return None,
        };
        let ops = list.iter().map(|it| if are_removals { removal(it) } else { addition(it) });
        Some(Self { is_request, ops: ops.collect::<Option<_>>()?, are_removals })
    }

    fn list<'r>(&self, route: &'r mut Route) -> &'r mut Vec<HeaderOp> {
        let HeaderOps { ops } =
            if self.is_request { &mut route.request_headers } else { &mut route.response_headers };
        ops.as_vec_mut()
    }

    /// At the level of the route itself.
    fn merge_into(&self, route: &mut Route) {
        let ops = self.list(route);
        if self.are_removals {
            let at = ops.iter().position(|it| !matches!(it, HeaderOp::Remove(_))).unwrap_or(ops.len());
            ops.splice(at..at, self.ops.iter().cloned());
        } else {
            ops.extend(self.ops.iter().cloned());
        }
    }
}

fn removal(value: &Value) -> Option<HeaderOp> {
    Some(HeaderOp::Remove(value.as_str()?.to_ascii_lowercase().into()))
}

/// `{header: {key, value}, append_action | append}`; appended where nothing says otherwise.
fn addition(value: &Value) -> Option<HeaderOp> {
    let map = value.as_object()?;
    let header = field(map, "header")?.as_object()?;
    let name: Arc<str> = field(header, "key")?.as_str()?.to_ascii_lowercase().into();
    let text: Arc<str> = field(header, "value").map_or(Some(""), Value::as_str)?.into();
    let action = field(map, "append_action").and_then(Value::as_str);
    let appends = field(map, "append").is_none_or(|it| it.as_bool() != Some(false));
    match action {
        None if appends => Some(HeaderOp::Add(name, text)),
        Some("APPEND_IF_EXISTS_OR_ADD") => Some(HeaderOp::Add(name, text)),
        None | Some("OVERWRITE_IF_EXISTS_OR_ADD") => Some(HeaderOp::Set(name, text)),
        Some(_) => None,
    }
}

//! Patches of route tables, virtual hosts and routes.

use std::sync::Arc;

use mesh_model::networking::envoy_filter::spec::{ApplyTo, PatchOperation};
use mesh_model::origin::Origin;
use serde_json::{Map, Value};

use super::applicable::{Patch, Patches};
use super::listener::place_in;
use super::route_value::{self, LeftOut, virtual_host};
use super::value::{count, duration_ms, field, fields};
use super::{Notes, Once};
use crate::route_table::action::{Forward, HeaderOp, HeaderOps, RetryPolicy, RouteAction};
use crate::route_table::{Route, RouteTable, VirtualHost};

pub(super) const UNKNOWN: &str = "compiled routes have no such field";
pub(super) const UNREADABLE: &str = "the value cannot be read";
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
    for (place, patch) in of_hosts.iter().filter(|(_, patch)| patch.operation == PatchOperation::Add) {
        add_host(&before.name, &mut hosts, patch, *place, &mut notes);
    }
    for (place, patch) in of_tables {
        let mut is_changed = false;
        for host in &mut hosts {
            is_changed |= merge_headers(host, patch, place, &mut notes);
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

/// Adds a virtual host at the end, as long as its domains are its own.
fn add_host(table: &str, hosts: &mut Vec<Arc<VirtualHost>>, patch: &Patch, place: usize, notes: &mut Notes) {
    let mut left_out = Vec::new();
    let origin = patch.origin().child(".patch.value");
    let new = patch.value().and_then(|value| virtual_host(value, &origin, &mut left_out));
    notes.leave_out(place, left_out);
    let Some(new) = new else { return };
    if let Some(taken) = new.domains.iter().find(|it| hosts.iter().any(|host| host.domains.contains(it))) {
        let why =
            format!("table `{table}` has `{taken}` already, and Envoy refuses a table that has it twice");
        notes.left_out.push((place, "domains".into(), why.into()));
        return;
    }
    notes.changed.push((place, format!("{table}/{}", new.name).into()));
    hosts.push(Arc::new(new));
}

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
    let mut merges = Vec::new();
    for (place, patch) in of_hosts.iter().filter(|(_, patch)| patch.means_host(before)) {
        match patch.operation {
            PatchOperation::Add => {}
            PatchOperation::Remove => {
                notes.changed.push((*place, name));
                return None;
            }
            PatchOperation::Replace => {
                let mut left_out = Vec::new();
                let origin = patch.origin().child(".patch.value");
                let new = patch.value().and_then(|value| virtual_host(value, &origin, &mut left_out));
                notes.leave_out(*place, left_out);
                if let Some(new) = new {
                    host = Arc::new(new);
                    merges.clear();
                    notes.changed.push((*place, Arc::clone(&name)));
                }
            }
            _ => {
                if merge_parts(&mut host, patch) {
                    notes.changed.push((*place, Arc::clone(&name)));
                }
                merges.push((*place, *patch));
            }
        }
    }
    let of_routes: Vec<_> = of_routes.iter().filter(|(_, patch)| patch.means_host(before)).copied().collect();
    if !of_routes.is_empty() {
        host = patch_routes(&host, &name, &of_routes, notes);
    }
    for (place, patch) in merges {
        if merge_headers(&mut host, patch, place, notes) {
            notes.changed.push((place, Arc::clone(&name)));
        }
    }
    Some(host)
}

/// Patches the routes of a virtual host: what is there first, then what comes in.
fn patch_routes(
    host: &Arc<VirtualHost>,
    name: &Arc<str>,
    of_routes: &[Placed<'_>],
    notes: &mut Notes,
) -> Arc<VirtualHost> {
    let mut routes: Vec<Route> = Vec::new();
    let mut is_changed = false;
    'routes: for route in host.routes.iter() {
        let mut route = route.clone();
        let path: Arc<str> = format!("{name}/{}", route.name).into();
        for (place, patch) in of_routes {
            if inserts(patch.operation) || !patch.means_route(&route) {
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
    for (place, patch) in of_routes.iter().filter(|(_, patch)| inserts(patch.operation)) {
        let mut left_out = Vec::new();
        let origin = patch.origin().child(".patch.value");
        let new = patch.value().and_then(|value| route_value::route(value, &origin, &mut left_out));
        notes.leave_out(*place, left_out);
        let Some(new) = new else { continue };
        let means = |route: &Route| patch.means_route(route);
        let is_named = patch.names_a_route();
        // A route to go by that is not there keeps even the one for the beginning out.
        if patch.operation == PatchOperation::InsertFirst && is_named && !routes.iter().any(means) {
            continue;
        }
        let path: Arc<str> = format!("{name}/{}", new.name).into();
        if place_in(&mut routes, patch.operation, is_named, new, means) {
            notes.changed.push((*place, path));
            is_changed = true;
        }
    }
    if is_changed { with_routes(host, routes) } else { Arc::clone(host) }
}

fn inserts(operation: PatchOperation) -> bool {
    use PatchOperation::{Add, InsertAfter, InsertBefore, InsertFirst};
    matches!(operation, Add | InsertAfter | InsertBefore | InsertFirst)
}

/// Merges the domains, the routes and the want of TLS that a patch has for a virtual host. Says whether anything changed.
fn merge_parts(host: &mut Arc<VirtualHost>, patch: &Patch) -> bool {
    let Some(value) = patch.value() else { return false };
    let origin = patch.origin().child(".patch.value");
    let VirtualHost { name, domains, require_tls, routes, origin: own } = &**host;
    let (mut domains, mut require_tls, mut routes) = (domains.clone(), *require_tls, routes.to_vec());
    let mut is_changed = false;
    for (field_name, value) in fields(value) {
        match (field_name.as_str(), value) {
            ("domains", Value::Array(list)) => domains.extend(route_value::domains_of(list)),
            // What cannot be read of them is told of where headers are merged, which looks at every field.
            ("routes", Value::Array(list)) => {
                routes.extend(route_value::routes_of(list, &origin, &mut Vec::new()));
            }
            ("require_tls", Value::String(text)) if text == "ALL" || text == "NONE" => {
                require_tls = text == "ALL";
            }
            _ => continue,
        }
        is_changed = true;
    }
    if is_changed {
        let new = VirtualHost::new(Arc::clone(name), domains, require_tls, routes, own.clone());
        *host = Arc::new(new);
    }
    is_changed
}

fn with_routes(host: &VirtualHost, routes: Vec<Route>) -> Arc<VirtualHost> {
    let VirtualHost { name, domains, require_tls, routes: _, origin } = host;
    Arc::new(VirtualHost::new(Arc::clone(name), domains.clone(), *require_tls, routes, origin.clone()))
}

/// Merges what a virtual host or a whole table can say for every route: operations on headers, which Envoy does after those
/// of the route, so they stand behind them here. Says whether anything changed.
fn merge_headers(host: &mut Arc<VirtualHost>, patch: &Patch, place: usize, notes: &mut Notes) -> bool {
    let Some(value) = patch.value() else { return false };
    let mut routes: Vec<Route> = host.routes.to_vec();
    let mut is_changed = false;
    let mut all = Vec::new();
    for (name, value) in fields(value) {
        match Headers::of(&name, value) {
            Some(operations) => all.push(operations),
            None if patch.apply_to == ApplyTo::VirtualHost && is_part(&name, value) => {
                if let (Some(list), "routes") = (value.as_array(), name.as_str()) {
                    let mut left_out = Vec::new();
                    route_value::routes_of(list, &patch.origin(), &mut left_out);
                    notes.leave_out(place, left_out);
                }
            }
            None => {
                notes.left_out.push((place, name, "compiled virtual hosts have no such field".into()));
            }
        }
    }
    is_changed |= !all.is_empty();
    add_host_headers(&mut routes, all);
    if is_changed {
        *host = with_routes(host, routes);
    }
    is_changed
}

/// Whether [`merge_parts`] has merged it.
fn is_part(name: &str, value: &Value) -> bool {
    match name {
        "domains" | "routes" => value.is_array(),
        "require_tls" => matches!(value.as_str(), Some("ALL" | "NONE")),
        name => name == "name",
    }
}

/// Puts operations that a virtual host has for all of its routes behind their own.
pub(super) fn add_host_headers(routes: &mut [Route], mut all: Vec<Headers>) {
    // One level removes before it adds.
    all.sort_by_key(|it| !it.are_removals);
    for operations in &all {
        for route in &mut *routes {
            operations.list(route).extend(operations.ops.iter().cloned());
        }
    }
}

/// Merges a value into a route. Says whether anything changed.
fn merge_into_route(route: &mut Route, patch: &Patch, place: usize, notes: &mut Notes) -> bool {
    let Some(value) = patch.value() else { return false };
    let mut is_changed = false;
    let mut left_out = Vec::new();
    let origin = patch.origin().child(".patch.value");
    for (name, value) in fields(value) {
        if let Some(operations) = Headers::of(&name, value) {
            operations.merge_into(route);
            is_changed = true;
            continue;
        }
        match (name.as_str(), value.as_object()) {
            ("route", Some(map)) => {
                let mut own = Vec::new();
                is_changed |= merge_action(route, map, patch, &origin.child(".route"), &mut own);
                left_out.extend(own.into_iter().map(|(field, why)| (format!("route.{field}"), why)));
            }
            ("redirect" | "direct_response", Some(map)) => {
                // One kind of action takes the place of another.
                let whole = Map::from_iter([(name.clone(), Value::Object(map.clone()))]);
                match route_value::action(&whole, &origin, &mut left_out) {
                    Some(action) => {
                        route.action = action;
                        is_changed = true;
                    }
                    None => left_out.push((name, UNREADABLE)),
                }
            }
            ("typed_per_filter_config", Some(_)) => {
                let before = left_out.len();
                route_value::route_filters(route, value, &origin, &mut left_out);
                is_changed |= left_out.len() == before;
            }
            _ => left_out.push((name, UNKNOWN)),
        }
    }
    notes.leave_out(place, left_out);
    is_changed
}

/// Merges a forwarding action: into the one that is there, or in place of another kind.
fn merge_action(
    route: &mut Route,
    map: &Map<String, Value>,
    patch: &Patch,
    origin: &Origin,
    left_out: &mut LeftOut,
) -> bool {
    let destinations = route_value::destinations(map, origin, left_out);
    if let (Some(destinations), false) = (&destinations, matches!(route.action, RouteAction::Forward(_))) {
        route.action = RouteAction::Forward(Box::new(Forward::to_all(destinations.clone())));
    }
    let RouteAction::Forward(forward) = &mut route.action else {
        left_out.extend(fields(map).map(|(name, _)| (name, NOT_FORWARDED)));
        return false;
    };
    let mut is_changed = false;
    if let Some(destinations) = destinations {
        forward.destinations = destinations;
        is_changed = true;
    }
    is_changed | route_value::merge_forward(forward, map, origin, patch.replaces_lists(), left_out)
}

pub(super) fn merge_retries(
    retries: &mut RetryPolicy,
    map: &Map<String, Value>,
    replaces: bool,
    left_out: &mut LeftOut,
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
                left_out.push((format!("retry_policy.{name}"), UNKNOWN));
                continue;
            }
        };
        if done.is_none() {
            left_out.push((format!("retry_policy.{name}"), UNREADABLE));
        }
    }
}

/// Operations on the headers of requests or of responses.
pub(super) struct Headers {
    is_request: bool,
    ops: Vec<HeaderOp>,
    /// Removals come before what is added at the same level.
    are_removals: bool,
}

impl Headers {
    /// `None`: the field is another one, or cannot be read.
    pub(super) fn of(field_name: &str, value: &Value) -> Option<Self> {
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

    /// Behind those that are there.
    pub(super) fn put(&self, request: &mut HeaderOps, response: &mut HeaderOps) {
        let HeaderOps { ops } = if self.is_request { request } else { response };
        ops.as_vec_mut().extend(self.ops.iter().cloned());
    }

    /// A mutation of a header by a filter: `append` or `remove`.
    pub(super) fn mutation(value: &Value) -> Option<HeaderOp> {
        let map = value.as_object()?;
        match (field(map, "append"), field(map, "remove")) {
            (Some(written), None) => addition(written),
            (None, Some(name)) => removal(name),
            _ => None,
        }
    }

    /// At the level of the route itself.
    pub(super) fn merge_into(&self, route: &mut Route) {
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

//! HTTP routes from the `http` entries of a VirtualService, for sidecars and gateways alike (T-115 to T-185).

mod cors;
mod destination;
mod fault;
mod forward;
mod hash;
mod headers;
mod matches;
mod memo;
mod redirect;
mod respond;
pub(super) mod retries;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::networking::virtual_service::spec::{HttpMatchRequest, HttpRoute};
use mesh_model::origin::Origin;

use super::places;
use crate::merge::virtual_service::{HttpOrigin, MergedVirtualService, RouteSemantics};
use crate::registry::service::{Service, ServicePort};
use crate::route_table::Route;
use crate::route_table::action::{Destination, Destinations, Forward, HeaderOps, RouteAction};
use crate::route_table::few::Few;
use crate::route_table::matcher::{Case, PathMatch, RouteMatch};
use crate::view::View;
use memo::Memo;

pub(crate) use super::clusters::names::outbound as cluster_name;
pub(crate) use destination::destination_cluster;
pub(crate) use hash::rule_for;

/// Where routes are compiled for (T-116, T-151).
pub struct RouteContext<'c, 's> {
    /// What the proxy may see.
    pub view: &'c View<'s>,
    /// Listener port, or `server.port.number` at gateways (T-116).
    pub port: u16,
    /// `mesh`, or the gateway as `ns/name`.
    pub gateway: &'c str,
    /// The server terminates TLS (T-171).
    pub tls: bool,
    /// Services known here, for ports that a destination leaves out (T-150, T-151).
    pub known: &'c dyn Fn(&str) -> Option<&'c Service>,
}

impl std::fmt::Debug for RouteContext<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RouteContext")
            .field("port", &self.port)
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

/// The routes of a VirtualService in this context, in order; empty: it contributes nothing (T-104).
pub fn http_routes(
    service: &MergedVirtualService,
    context: &RouteContext<'_, '_>,
    report: &mut Report,
) -> Vec<Route> {
    let mut routes = Vec::new();
    let memo = Memo::default();
    for (http, origin) in service.spec.http.iter().zip(&service.http_origins) {
        let entry = Entry { semantics: service.semantics, http, origin, context, memo: &memo };
        if http.r#match.is_empty() {
            routes.extend(entry.route(None, entry.origin_of(""), report));
            // An entry without match ends the list, whatever became of it (T-119).
            break;
        }
        for (condition, (object, path)) in http.r#match.iter().zip(&origin.matches) {
            let place = Origin::written(object, Arc::clone(path));
            let Some(route) = entry.route(Some(condition), place, report) else { continue };
            let ends = is_catch_all(&route);
            routes.push(route);
            if ends {
                return routes;
            }
        }
    }
    routes
}

/// The route to a service that no VirtualService covers (T-111).
pub fn default_route(service: &Service, port: &ServicePort, view: &View<'_>) -> Route {
    let origin = port_origin(service, port);
    let destination = Destination {
        cluster: cluster_name(port.number, "", &service.hostname),
        weight: 100,
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        authority: None,
        origin: origin.clone(),
    };
    let mut forward = Forward::to(destination);
    forward.retries = retries::resolve(None, view.mesh(), Hashed::No);
    forward.hash_policy = hash::of_service(view, service, port).into_iter().collect();
    Route::to_everything("default", RouteAction::Forward(Box::new(forward)), origin)
}

/// Moves the catch-all routes to the end and keeps the order otherwise (T-105).
pub fn sort_catch_all(routes: Vec<Route>) -> Vec<Route> {
    let (catch_all, mut sorted): (Vec<_>, Vec<_>) = routes.into_iter().partition(is_catch_all);
    sorted.extend(catch_all);
    sorted
}

/// Whether a route takes every request that reaches it, as far as its form tells (T-119).
pub fn is_catch_all(route: &Route) -> bool {
    let any_path = match &route.matcher.path {
        PathMatch::Prefix(prefix, _) | PathMatch::SegmentPrefix(prefix) => &**prefix == "/",
        PathMatch::Regex(pattern) => pattern.text() == ".*",
        PathMatch::Exact(..) => false,
    };
    any_path && !route.matcher.looks_beyond_path()
}

/// Where a service port was written.
pub(crate) fn port_origin(service: &Service, port: &ServicePort) -> Origin {
    Origin::written(&service.provenance, places::port(port.index))
}

/// Whether the single destination of a route is chosen by consistent hash (T-161).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hashed {
    Yes,
    No,
}

/// An `http` entry in its context.
struct Entry<'e, 'm, 'c, 's> {
    memo: &'m Memo<'e>,
    semantics: RouteSemantics,
    http: &'e HttpRoute,
    origin: &'e HttpOrigin,
    context: &'m RouteContext<'c, 's>,
}

impl Entry<'_, '_, '_, '_> {
    /// The route of one match (`None`: the entry has none), where it is for this proxy and can be expressed.
    fn route(
        &self,
        condition: Option<&HttpMatchRequest>,
        origin: Origin,
        report: &mut Report,
    ) -> Option<Route> {
        if !condition.is_none_or(|condition| self.is_for_this_proxy(condition)) {
            return None;
        }
        let matcher = match condition {
            Some(condition) => matches::route_match(condition, self.semantics, &origin, report)?,
            None => RouteMatch::path(PathMatch::Prefix("/".into(), Case::Sensitive)),
        };
        let levels = headers::Levels::of(self.http.headers.as_deref());
        let mut route = Route {
            name: self.name(condition),
            matcher,
            action: RouteAction::Respond(respond::empty(500)),
            request_headers: HeaderOps::default(),
            response_headers: HeaderOps::default(),
            origin,
        };
        // Redirects win over direct responses, those over destinations, where more than one is written (T-157).
        let levels = if let Some(redirect) = &self.http.redirect {
            let action = redirect::action(redirect, self.context, &self.origin_of(".redirect"), report)?;
            route.action = RouteAction::Redirect(Box::new(action));
            levels
        } else if let Some(response) = &self.http.direct_response {
            route.action = RouteAction::Respond(respond::action(response));
            levels
        } else {
            let (action, levels) = forward::action(self, levels, &route.matcher, report)?;
            route.action = action;
            levels
        };
        route.request_headers = levels.request.into_ops();
        route.response_headers = levels.response.into_ops();
        Some(route)
    }

    /// T-116, T-117: where gateways are named, labels and namespace do not count.
    fn is_for_this_proxy(&self, condition: &HttpMatchRequest) -> bool {
        if condition.port != 0 && condition.port != u32::from(self.context.port) {
            return false;
        }
        if !condition.gateways.is_empty() {
            return condition.gateways.iter().any(|gateway| gateway == self.context.gateway);
        }
        self.context.view.is_from(&condition.source_namespace, &condition.source_labels)
    }

    /// T-122.
    fn name(&self, condition: Option<&HttpMatchRequest>) -> Arc<str> {
        match condition {
            Some(condition) if !condition.name.is_empty() => {
                format!("{}.{}", self.http.name, condition.name).into()
            }
            // Without a text of its own: names are mostly not written.
            _ if self.http.name.is_empty() => Arc::default(),
            _ => self.http.name.as_str().into(),
        }
    }

    /// A field of the entry.
    fn origin_of(&self, suffix: &str) -> Origin {
        self.origin.field(suffix)
    }

    /// A destination of the entry.
    fn destination_origin(&self, index: usize) -> Origin {
        let position = self.origin.backends.get(index).copied().unwrap_or(index);
        match self.semantics {
            RouteSemantics::GatewayApi => {
                Origin::written(&self.origin.object, format!("{}.backendRefs[{position}]", self.origin.path))
            }
            RouteSemantics::Istio | RouteSemantics::Ingress => match index {
                // By far the most, so that nothing is formatted.
                0 => self.origin_of(".route[0]"),
                1 => self.origin_of(".route[1]"),
                _ => self.origin_of(&format!(".route[{index}]")),
            },
        }
    }
}

impl Route {
    /// A route that takes every request.
    pub(crate) fn to_everything(name: &str, action: RouteAction, origin: Origin) -> Self {
        Self {
            name: name.into(),
            matcher: RouteMatch::path(PathMatch::Prefix("/".into(), Case::Sensitive)),
            action,
            request_headers: HeaderOps::default(),
            response_headers: HeaderOps::default(),
            origin,
        }
    }
}

impl Forward {
    /// To one cluster: no timeout, no retries, nothing changed.
    pub(crate) fn to(destination: Destination) -> Self {
        Self::to_all(Destinations::Single(Box::new(destination)))
    }

    /// To some clusters, nothing else.
    pub(crate) fn to_all(destinations: Destinations) -> Self {
        Self {
            destinations,
            timeout_ms: 0,
            timeout_origin: None,
            retries: None,
            path_rewrite: None,
            authority_rewrite: None,
            tells_authority: false,
            mirrors: Few::default(),
            hash_policy: Few::default(),
            fault: None,
            cors: None,
            rate_limit: None,
            no_cluster_status: 503,
        }
    }
}

//! What Istio refuses or warns about in an EnvoyFilter (pkg/config/validation/envoyfilter; CEL-12 to CEL-15).

mod filter_name;
mod patch_value;

use super::spec::{
    ApplyTo, EnvoyConfigObjectMatch, EnvoyConfigObjectPatch, EnvoyFilter, FilterMatch, ObjectMatch,
    PatchContext, PatchOperation,
};
use crate::check::{Checker, Path, Problem, port, target_reference, value};
use crate::diagnostic::{Code, Report};
use crate::object::Object;
use crate::value::PATTERN_BYTES_MAX;

const SPEC: Path<'static> = Path::Root("spec");

/// Checks an object.
pub(super) fn validate(object: &Object<EnvoyFilter>, report: &mut Report) {
    let EnvoyFilter { workload_selector, target_refs, config_patches, priority: _ } = &object.spec;
    let found = &mut Checker::new(object, report);
    let problem = Problem::suspicious("an EnvoyFilter depends on internals that any version may change");
    found.find(&Path::Root("kind"), problem.help("prefer another API, and test it before every upgrade"));
    target_reference::of_any_kind(found, &SPEC, workload_selector.as_ref(), target_refs);
    for (index, one) in config_patches.iter().enumerate() {
        config_patch(found, &SPEC.field("configPatches").index(index), one);
    }
}

fn config_patch(found: &mut Checker<'_>, at: &Path<'_>, written: &EnvoyConfigObjectPatch) {
    let EnvoyConfigObjectPatch { apply_to, matches, patch } = written;
    if let Some(matches) = matches {
        waypoint(found, &at.field("match"), matches);
        // Istio's webhook does not look at patches of waypoints any further.
        if matches.context == PatchContext::Waypoint {
            return;
        }
    }
    if *apply_to == ApplyTo::Invalid {
        found.find(
            at,
            Problem::missing("`applyTo` is required")
                .help("say what is patched, for example `applyTo: HTTP_FILTER`"),
        );
        return;
    }
    let Some(patch) = patch else {
        found.find(
            at,
            Problem::missing("`patch` is required").help("add `patch` with `operation` and `value`"),
        );
        return;
    };
    let at_patch = at.field("patch");
    found.require(patch.operation != PatchOperation::Invalid, &at_patch, || {
        Problem::missing("`operation` is required").help("add `operation`, for example `MERGE`")
    });
    if let Some(matches) = matches {
        let at = at.field("match");
        proxy_version(found, &at, matches);
        object(found, &at, *apply_to, &matches.object);
    }
    match &patch.value {
        Some(object) => patch_value::check(found, &at_patch.field("value"), *apply_to, object),
        None => found.require(
            matches!(patch.operation, PatchOperation::Remove | PatchOperation::Invalid),
            &at_patch,
            || {
                Problem::missing("`value` is required for all operations but `REMOVE`")
                    .help("add the part of Envoy's configuration as `value`")
            },
        ),
    }
}

/// CEL-13 and CEL-14.
fn waypoint(found: &mut Checker<'_>, at: &Path<'_>, matches: &EnvoyConfigObjectMatch) {
    let is_waypoint = matches!(matches.object, ObjectMatch::Waypoint(_));
    found.require(is_waypoint == (matches.context == PatchContext::Waypoint), at, || {
        Problem::conflict("`waypoint` and `context: WAYPOINT` go together")
            .help("write both of them or neither")
    });
    if let ObjectMatch::Waypoint(matches) = &matches.object {
        let way = at.field("waypoint");
        let at = way.field("portNumber");
        if matches.port_number != 0 || found.written(&at).is_some_and(is_number) {
            found.check(&at, port::number(matches.port_number));
        }
    }
}

fn is_number(node: crate::document::Node<'_>) -> bool {
    node.value().kind() == "a number"
}

fn proxy_version(found: &mut Checker<'_>, at: &Path<'_>, matches: &EnvoyConfigObjectMatch) {
    let Some(proxy) = matches.proxy.as_ref().filter(|proxy| !proxy.proxy_version.is_empty()) else { return };
    let way = at.field("proxy");
    let at = way.field("proxyVersion");
    if proxy.proxy_version.len() > PATTERN_BYTES_MAX {
        let message = format!("a pattern longer than {PATTERN_BYTES_MAX} bytes is ignored");
        found.find(&at, Problem::new(Code::NoEffect, message).help("remove it"));
    } else {
        found.check(&at, value::regex(&proxy.proxy_version));
    }
}

/// The kind of object and the way to name it belong together.
fn object(found: &mut Checker<'_>, at: &Path<'_>, apply_to: ApplyTo, object: &ObjectMatch) {
    let expected = match apply_to {
        ApplyTo::Listener | ApplyTo::FilterChain | ApplyTo::NetworkFilter | ApplyTo::HttpFilter => "listener",
        ApplyTo::RouteConfiguration | ApplyTo::VirtualHost | ApplyTo::HttpRoute => "routeConfiguration",
        ApplyTo::Cluster => "cluster",
        ApplyTo::Invalid | ApplyTo::ExtensionConfig | ApplyTo::Bootstrap | ApplyTo::ListenerFilter => return,
    };
    let written = match object {
        ObjectMatch::Unset => return,
        ObjectMatch::Listener(_) => "listener",
        ObjectMatch::RouteConfiguration(_) => "routeConfiguration",
        ObjectMatch::Cluster(_) => "cluster",
        ObjectMatch::Waypoint(_) => "waypoint",
    };
    found.require(written == expected, &at.field(written), || {
        Problem::conflict(format!("`applyTo: {apply_to}` is matched by `{expected}`, not by `{written}`"))
            .help(format!("write the conditions under `{expected}`"))
    });
    let ObjectMatch::Listener(listener) = object else { return };
    let filter = listener.filter_chain.as_ref().and_then(|chain| chain.filter.as_ref());
    if let Some(filter) = filter.filter(|_| expected == "listener") {
        let listener = at.field("listener");
        let chain = listener.field("filterChain");
        filter_of_chain(found, &chain.field("filter"), apply_to, filter);
    }
}

fn filter_of_chain(found: &mut Checker<'_>, at: &Path<'_>, apply_to: ApplyTo, filter: &FilterMatch) {
    if matches!(apply_to, ApplyTo::Listener | ApplyTo::FilterChain) {
        let message = format!("a filter is not looked at with `applyTo: {apply_to}`");
        found.find(at, Problem::new(Code::NoEffect, message).help("remove `filter`"));
    }
    if filter.name.is_empty() {
        found.find(
            at,
            Problem::missing("a filter is matched by its `name`")
                .help("add `name`, as in `envoy.filters.network.http_connection_manager`"),
        );
        return;
    }
    filter_name::check(found, &at.field("name"), &filter.name);
    let Some(inner) = &filter.sub_filter else { return };
    let at_inner = at.field("subFilter");
    if apply_to != ApplyTo::HttpFilter {
        let problem = Problem::conflict("`subFilter` goes with `applyTo: HTTP_FILTER` only");
        found.find(&at_inner, problem.help("remove `subFilter`"));
    } else if !filter_name::is_http_connection_manager(&filter.name) {
        let problem = Problem::conflict("only the HTTP connection manager has filters of its own");
        found.find(
            &at.field("name"),
            problem.help(format!("write `{}`", filter_name::HTTP_CONNECTION_MANAGER)),
        );
    } else if inner.name.is_empty() {
        found.find(
            &at_inner,
            Problem::missing("a filter is matched by its `name`")
                .help("add `name`, as in `envoy.filters.http.router`"),
        );
    } else {
        filter_name::check(found, &at_inner.field("name"), &inner.name);
    }
}

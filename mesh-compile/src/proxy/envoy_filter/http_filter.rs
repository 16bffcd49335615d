//! Patches of the HTTP filters of a chain: put in, moved, taken out, replaced.

use std::sync::Arc;

use mesh_model::networking::envoy_filter::spec::PatchOperation;
use mesh_model::origin::Origin;
use serde_json::Value;

use super::Notes;
use super::applicable::{Patch, Patches};
use super::filter_value;
use super::listener::place_in;
use super::value::field;
use crate::proxy::http_filters::{FilterEffect, HttpFilter, HttpFilters};
use crate::proxy::listener::{Direction, HttpManager};

/// Applies those patches that mean filters of an HTTP chain, each with its place in the list. `what` is the chain.
pub(super) fn patch(
    patches: &Patches,
    meant: &[(usize, &Patch)],
    manager: &mut HttpManager,
    direction: Direction,
    what: &Arc<str>,
    notes: &mut Notes,
) {
    if meant.is_empty() {
        return;
    }
    let mut order = own(manager, direction);
    let mut is_changed = false;
    for &(place, patch) in meant {
        let wanted = patch.http_filter();
        let means = |filter: &HttpFilter| wanted.is_none_or(|wanted| *wanted == *filter.name);
        if matches!(patch.operation, PatchOperation::Merge | PatchOperation::MergeAndReplaceList) {
            if order.iter().any(means) && patch.value().is_some_and(|it| field(it, "typed_config").is_some())
            {
                let why = "settings of filters that are there are not merged";
                notes.left_out.push((place, "typed_config".into(), why.into()));
            }
            continue;
        }
        let mut left_out = Vec::new();
        let Some(new) = filter(patch, patches, &mut left_out) else { continue };
        let mut changed = order.clone();
        if !place_in(&mut changed, patch.operation, wanted.is_some(), new.clone(), means) {
            continue;
        }
        if changed.last().is_none_or(|it| *it.name != *HttpFilters::ROUTER) {
            let why = "the router ends the chain, and Envoy refuses one that does not end so";
            notes.left_out.push((place, String::new(), why.into()));
            continue;
        }
        order = changed;
        is_changed = true;
        let how = match patch.operation {
            PatchOperation::Remove => format!("{} removed", wanted.unwrap_or_default()),
            _ => position(&order, &new),
        };
        notes.changed.push((place, format!("{what}/{how}").into()));
        if patch.operation != PatchOperation::Remove {
            if matches!(new.does, FilterEffect::Unknown) {
                let why = format!("`{}` has its place, and nothing here does what it does", new.name);
                notes.left_out.push((place, String::new(), why.into()));
            }
            notes.leave_out(place, left_out);
        }
    }
    if !is_changed {
        return;
    }
    let filters = HttpFilters { order };
    if !filters.has(HttpFilters::JWT) {
        manager.authn = None;
    }
    if !filters.has(HttpFilters::RBAC) {
        manager.authz = None;
    }
    manager.filters = Some(Arc::new(filters));
}

/// Where a filter stands: behind which one.
fn position(order: &[HttpFilter], new: &HttpFilter) -> String {
    let names: Vec<&str> = order.iter().map(|it| &*it.name).collect();
    match names.iter().position(|name| **name == *new.name) {
        Some(at) => {
            let before = at.checked_sub(1).and_then(|it| names.get(it));
            let after = names.get(at + 1);
            match (before, after) {
                (Some(before), Some(after)) => format!("{} between {before} and {after}", new.name),
                (None, Some(after)) => format!("{} before {after}", new.name),
                (Some(before), None) => format!("{} after {before}", new.name),
                (None, None) => new.name.to_string(),
            }
        }
        None => new.name.to_string(),
    }
}

/// The filter that a patch brings, or for `REMOVE` one that stands for nothing.
fn filter(
    patch: &Patch,
    patches: &Patches,
    left_out: &mut super::route_value::LeftOut,
) -> Option<HttpFilter> {
    let origin = patch.origin().child(".patch.value");
    if patch.operation == PatchOperation::Remove {
        return Some(HttpFilter { name: "".into(), does: FilterEffect::Unknown, origin });
    }
    let value = patch.value()?;
    let name = field(value, "name").and_then(Value::as_str)?;
    // A filter whose settings are another resource's: those that an EnvoyFilter adds are known.
    let referred = field(value, "config_discovery").and_then(|_| patches.extension_config(name));
    let does = filter_value::http_filter(referred.unwrap_or(value), &origin, left_out);
    Some(HttpFilter { name: name.into(), does, origin })
}

/// The filters that Istio puts on a chain, in its order.
// Facts: Istio's pilot/pkg/networking/core/listener_builder.go (buildHTTPConnectionManager).
fn own(manager: &HttpManager, direction: Direction) -> Vec<HttpFilter> {
    if let Some(filters) = &manager.filters {
        return filters.order.clone();
    }
    let names = [
        ("istio.metadata_exchange", true),
        (HttpFilters::JWT, manager.authn.is_some()),
        (HttpFilters::RBAC, manager.authz.is_some()),
        ("envoy.filters.http.grpc_stats", true),
        ("istio.alpn", direction != Direction::Inbound),
        (HttpFilters::FAULT, true),
        (HttpFilters::CORS, true),
        ("istio.stats", true),
        (HttpFilters::ROUTER, true),
    ];
    let origin = || Origin::built_in("HTTP filters of every chain");
    let there = names.into_iter().filter(|(_, is_there)| *is_there);
    there
        .map(|(name, _)| HttpFilter { name: name.into(), does: FilterEffect::Own, origin: origin() })
        .collect()
}

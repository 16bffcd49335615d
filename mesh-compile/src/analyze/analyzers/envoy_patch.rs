//! EnvoyFilters whose patches do nothing, or what depends on the order of others.

use std::collections::BTreeSet;

use mesh_model::diagnostic::Code;
use mesh_model::networking::envoy_filter::spec::{
    ApplyTo, EnvoyConfigObjectPatch, EnvoyFilter, ObjectMatch, PatchOperation,
};
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    // Filters that earlier patches set for some proxy versions only.
    let mut versioned = BTreeSet::new();
    for filter in context.objects(&context.config.envoy_filters) {
        for (index, patch) in filter.spec.config_patches.iter().enumerate() {
            if patch.patch.is_none() {
                break;
            }
            check(filter, index, patch, &versioned, found);
            let proxy = patch.matches.as_ref().and_then(|matches| matches.proxy.as_ref());
            if proxy.is_some_and(|proxy| !proxy.proxy_version.is_empty()) {
                versioned.insert(name(patch).to_owned());
            }
        }
    }
}

fn check(
    filter: &Object<EnvoyFilter>,
    index: usize,
    patch: &EnvoyConfigObjectPatch,
    versioned: &BTreeSet<String>,
    found: &mut Findings,
) {
    let Some(operation) = patch.patch.as_ref().map(|patch| patch.operation) else { return };
    let is_route = matches!(patch.apply_to, ApplyTo::RouteConfiguration | ApplyTo::HttpRoute);
    let is_replaceable =
        matches!(patch.apply_to, ApplyTo::NetworkFilter | ApplyTo::HttpFilter | ApplyTo::VirtualHost);
    let path = format!("spec.configPatches[{index}].patch.operation");
    match operation {
        PatchOperation::Add if is_route => {
            let message = "`ADD` has no effect on routes and route configurations";
            let help = "use `INSERT_FIRST`, `INSERT_BEFORE` or `INSERT_AFTER` for routes";
            found.add(filter, &path, Code::PatchAdd, message, help);
        }
        PatchOperation::Remove if is_route => {
            let message = "`REMOVE` has no effect on routes and route configurations";
            found.add(
                filter,
                &path,
                Code::PatchRemove,
                message,
                "remove the VirtualService that makes the route",
            );
        }
        PatchOperation::Replace if !is_replaceable => {
            let message = "`REPLACE` has an effect on network filters, HTTP filters and virtual hosts only";
            found.add(filter, &path, Code::PatchReplace, message, "use `MERGE`");
        }
        PatchOperation::Remove
        | PatchOperation::Replace
        | PatchOperation::InsertBefore
        | PatchOperation::InsertAfter
            if filter.spec.priority == 0 =>
        {
            relative(filter, &path, name(patch), versioned, found);
        }
        _ => {}
    }
}

fn relative(
    filter: &Object<EnvoyFilter>,
    path: &str,
    name: &str,
    versioned: &BTreeSet<String>,
    found: &mut Findings,
) {
    let help = "set `priority`, or use `INSERT_FIRST` or `ADD`, so that the order is fixed";
    if versioned.contains(name) {
        let message = format!(
            "the patch depends on `{}`, which another patch sets for some proxy versions only",
            short(name)
        );
        found.add(filter, path, Code::PatchRelativeVersion, message, help);
    } else {
        let message =
            "the patch needs another filter to be there first, and filters have no order without `priority`";
        found.add(filter, path, Code::PatchRelative, message, help);
    }
}

/// The filter that a patch sets, or the one that it looks for.
fn name(patch: &EnvoyConfigObjectPatch) -> &str {
    let Some(value) = patch.patch.as_ref().and_then(|patch| patch.value.as_ref()) else { return "" };
    if let Some(name) = value.get("name") {
        return name.as_str().unwrap_or_default();
    }
    match patch.matches.as_ref().map(|matches| &matches.object) {
        Some(ObjectMatch::Listener(listener)) => listener
            .filter_chain
            .as_ref()
            .and_then(|chain| chain.filter.as_ref())
            .map(|filter| filter.name.as_str())
            .unwrap_or_default(),
        _ => "",
    }
}

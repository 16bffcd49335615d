//! EnvoyFilters whose patches do nothing, or what depends on the order of others.

use std::collections::BTreeSet;

use mesh_model::diagnostic::Code;
use mesh_model::networking::envoy_filter::spec::{
    ApplyTo, EnvoyConfigObjectPatch, ObjectMatch, PatchOperation,
};

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};

/// A code, what to say, and what to do about it.
type Problem = (Code, String, &'static str);

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    // Filters that earlier patches set for some proxy versions only.
    let mut versioned = BTreeSet::new();
    for filter in context.objects(&context.config.envoy_filters) {
        // Istio's findings name no patch: it says the same thing of one EnvoyFilter once.
        let mut said = BTreeSet::new();
        for (index, patch) in filter.spec.config_patches.iter().enumerate() {
            let Some(change) = &patch.patch else { break };
            let problem = problem(filter.spec.priority, patch, change.operation, &versioned);
            if let Some((code, message, help)) = problem
                && said.insert(code)
            {
                let path = format!("spec.configPatches[{index}].patch.operation");
                found.add(filter, &path, code, message, help);
            }
            let proxy = patch.matches.as_ref().and_then(|matches| matches.proxy.as_ref());
            if proxy.is_some_and(|proxy| !proxy.proxy_version.is_empty()) {
                versioned.insert(name(patch).to_owned());
            }
        }
    }
}

fn problem(
    priority: i32,
    patch: &EnvoyConfigObjectPatch,
    operation: PatchOperation,
    versioned: &BTreeSet<String>,
) -> Option<Problem> {
    let is_route = matches!(patch.apply_to, ApplyTo::RouteConfiguration | ApplyTo::HttpRoute);
    let is_replaceable =
        matches!(patch.apply_to, ApplyTo::NetworkFilter | ApplyTo::HttpFilter | ApplyTo::VirtualHost);
    let (code, message, help) = match operation {
        PatchOperation::Add if is_route => (
            Code::PatchAdd,
            "`ADD` has no effect on routes and route configurations",
            "use `INSERT_FIRST`, `INSERT_BEFORE` or `INSERT_AFTER` for routes",
        ),
        PatchOperation::Remove if is_route => (
            Code::PatchRemove,
            "`REMOVE` has no effect on routes and route configurations",
            "remove the VirtualService that makes the route",
        ),
        PatchOperation::Replace if !is_replaceable => (
            Code::PatchReplace,
            "`REPLACE` has an effect on network filters, HTTP filters and virtual hosts only",
            "use `MERGE`",
        ),
        PatchOperation::Remove
        | PatchOperation::Replace
        | PatchOperation::InsertBefore
        | PatchOperation::InsertAfter
            if priority == 0 =>
        {
            return Some(relative(name(patch), versioned));
        }
        _ => return None,
    };
    Some((code, message.to_owned(), help))
}

/// What to say of an operation that needs another filter to be there.
fn relative(name: &str, versioned: &BTreeSet<String>) -> Problem {
    let help = "set `priority`, or use `INSERT_FIRST` or `ADD`, so that the order is fixed";
    if versioned.contains(name) {
        let message = format!(
            "the patch depends on `{}`, which another patch sets for some proxy versions only",
            short(name)
        );
        return (Code::PatchRelativeVersion, message, help);
    }
    let message =
        "the patch needs another filter to be there first, and filters have no order without `priority`";
    (Code::PatchRelative, message.to_owned(), help)
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

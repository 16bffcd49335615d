//! Routes by JWT claims at gateways that check no tokens.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::Code;
use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::networking::gateway::spec::Gateway;
use mesh_model::networking::virtual_service::spec::VirtualService;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};

/// What stands for a claim among the headers of a match.
const CLAIM: &str = "@request.auth.claims";

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut by_namespace: BTreeMap<&str, Vec<StringMap>> = BTreeMap::new();
    for rule in context.objects(&context.config.request_authentications) {
        let selector = rule.spec.selector.as_ref().map(|selector| selector.match_labels.clone());
        by_namespace.entry(&rule.meta.namespace).or_default().push(selector.unwrap_or_default());
    }
    let gateways: BTreeMap<(&str, &str), &Gateway> = context
        .objects(&context.config.gateways)
        .map(|gateway| ((&*gateway.meta.namespace, &*gateway.meta.name), &gateway.spec))
        .collect();
    for service in context.objects(&context.config.virtual_services) {
        let Some((path, header)) = claim(&service.spec) else { continue };
        let mut told = BTreeSet::new();
        for written in service.spec.gateways.iter().filter(|name| *name != "mesh") {
            let name = written.split_once('/').unwrap_or((&service.meta.namespace, written));
            let Some(gateway) = gateways.get(&name) else { continue };
            let unchecked = context.pods.matching(&gateway.selector).filter(|pod| {
                let namespaces = [context.mesh.root_namespace(), &pod.meta.namespace];
                let mut rules = namespaces.iter().filter_map(|of| by_namespace.get(of)).flatten();
                !rules.any(|selector| labels_subset_of(selector, &pod.meta.labels))
            });
            // One finding for each name of a Pod, as in Istio.
            for pod in unchecked {
                if !told.insert((name, &*pod.meta.name)) {
                    continue;
                }
                let message = format!(
                    "`{}` never matches at Pod `{}/{}` of gateway `{}`, which checks no tokens",
                    short(header),
                    pod.meta.namespace,
                    pod.meta.name,
                    short(written)
                );
                let help = "add a RequestAuthentication that selects the gateway's Pods";
                found.add(service, &path, Code::ClaimWithoutToken, message, help);
            }
        }
    }
}

/// The first match on a claim.
fn claim(spec: &VirtualService) -> Option<(String, &str)> {
    spec.http.iter().enumerate().find_map(|(route, http)| {
        http.r#match.iter().enumerate().find_map(|(index, one)| {
            let headers = one.headers.keys().map(|key| ("headers", key));
            let without = one.without_headers.keys().map(|key| ("withoutHeaders", key));
            let (field, key) = headers.chain(without).find(|(_, key)| is_claim(key))?;
            Some((format!("spec.http[{route}].match[{index}].{field}"), key.as_str()))
        })
    })
}

/// `@request.auth.claims.group` or `@request.auth.claims[group]`.
fn is_claim(header: &str) -> bool {
    let Some((start, name)) = header.split_at_checked(CLAIM.len()) else { return false };
    let is_named = name.strip_prefix('.').is_some_and(|name| !name.is_empty())
        || name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .is_some_and(|name| !name.is_empty());
    start.eq_ignore_ascii_case(CLAIM) && is_named
}

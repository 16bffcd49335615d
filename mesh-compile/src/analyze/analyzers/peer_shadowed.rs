//! PeerAuthentications that never count: of one level the oldest does (S-006, S-007), and a selector in the root
//! namespace selects nothing (S-004).

use std::collections::BTreeMap;

use mesh_model::diagnostic::Code;
use mesh_model::object::Object;
use mesh_model::security::peer_authentication::PeerAuthentication;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, short};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut policies: Vec<_> = context.objects(&context.config.peer_authentications).collect();
    policies.sort_by(|left, right| left.precedence().cmp(&right.precedence()));
    let mut whole: BTreeMap<&str, &Object<PeerAuthentication>> = BTreeMap::new();
    let mut of_pod: BTreeMap<(&str, &str), &Object<PeerAuthentication>> = BTreeMap::new();
    for policy in policies {
        let namespace = &*policy.meta.namespace;
        let selector = policy.spec.selector.as_ref().map(|selector| &selector.match_labels);
        let Some(labels) = selector.filter(|labels| !labels.is_empty()) else {
            if let Some(older) = whole.get(namespace) {
                let message = format!(
                    "the older PeerAuthentication `{}` holds for all of the namespace: this one is not used",
                    full_name(older)
                );
                found.add(
                    policy,
                    "",
                    Code::PolicyIgnored,
                    message,
                    "keep one of them, or give this one a selector",
                );
            } else {
                whole.insert(namespace, policy);
            }
            continue;
        };
        if namespace == context.mesh.root_namespace() {
            let message = "a PeerAuthentication of the root namespace with a selector holds for nothing";
            let help = "move it to the namespace of the workloads, or remove the selector to make it hold for the mesh";
            found.add(policy, "spec.selector", Code::PolicyIgnored, message, help);
            continue;
        }
        let mut shadowed = None;
        for pod in context.pods.matching_in(namespace, labels) {
            match of_pod.get(&(namespace, &*pod.meta.name)) {
                Some(older) => shadowed = shadowed.or(Some((*older, &pod.meta.name))),
                None => {
                    of_pod.insert((namespace, &pod.meta.name), policy);
                }
            }
        }
        if let Some((older, pod)) = shadowed {
            let message = format!(
                "the older PeerAuthentication `{}` has Pod `{}` already: this one is not used there, its ports neither",
                full_name(older),
                short(pod)
            );
            found.add(
                policy,
                "spec.selector",
                Code::PolicyIgnored,
                message,
                "let one PeerAuthentication select a Pod",
            );
        }
    }
}

//! Which workloads a policy is for (S-067 to S-073); the same for AuthorizationPolicy and RequestAuthentication.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::object::Object;
use mesh_model::part::{PolicyTargetReference, WorkloadSelector};

/// Names the Gateway of the Gateway API that a workload is an instance of.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// The controller that manages a workload; tells waypoints apart.
const MANAGED_BY: &str = "gateway.istio.io/managed";
const WAYPOINT_CONTROLLER: &str = "istio.io-mesh-controller";

/// What both kinds say about their workloads.
pub(crate) trait Attached {
    fn selector(&self) -> Option<&WorkloadSelector>;
    fn target_ref(&self) -> Option<&PolicyTargetReference>;
    fn target_refs(&self) -> &[PolicyTargetReference];
}

/// Every label of the selector is on the workload (S-068); no selector, and an empty one, select all.
pub(crate) fn selects(selector: Option<&WorkloadSelector>, labels: &BTreeMap<String, String>) -> bool {
    selector.is_none_or(|selector| {
        selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    })
}

/// The policies of a workload: those of its namespace, then those of the root namespace, each oldest first (S-259).
pub(crate) fn applicable<'a, S: Attached + 'a>(
    policies: impl IntoIterator<Item = &'a Arc<Object<S>>>,
    root_namespace: &str,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Vec<&'a Arc<Object<S>>> {
    let mut found: Vec<_> = policies
        .into_iter()
        .filter(|policy| &*policy.meta.namespace == namespace || &*policy.meta.namespace == root_namespace)
        .filter(|policy| applies(policy, namespace, labels))
        .collect();
    found.sort_by(|a, b| {
        let key = |p: &Arc<Object<S>>| &*p.meta.namespace != namespace;
        key(a).cmp(&key(b)).then_with(|| a.precedence().cmp(&b.precedence()))
    });
    found
}

fn applies<S: Attached>(policy: &Object<S>, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
    let spec = &policy.spec;
    let references = match (spec.target_refs(), spec.target_ref()) {
        ([], Some(single)) => std::slice::from_ref(single), // S-072
        (several, _) => several,
    };
    let Some(gateway) = labels.get(GATEWAY_NAME) else {
        // S-068: references mean nothing to sidecars and to classic gateways.
        return references.is_empty() && selects(spec.selector(), labels);
    };
    if references.is_empty() {
        // S-069, S-071.
        let is_waypoint = labels.get(MANAGED_BY).is_some_and(|by| by == WAYPOINT_CONTROLLER);
        return !is_waypoint && selects(spec.selector(), labels);
    }
    &*policy.meta.namespace == namespace
        && references.iter().any(|reference| {
            reference.kind == "Gateway"
                && reference.group == "gateway.networking.k8s.io"
                && reference.name == *gateway
                && (reference.namespace.is_empty() || reference.namespace == namespace)
        })
}

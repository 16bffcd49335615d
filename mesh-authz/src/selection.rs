//! Which workloads a policy is for (S-067 to S-073); the same for every kind that has `selector` and `targetRefs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::extensions::{traffic_extension::TrafficExtension, wasm_plugin::WasmPlugin};
use mesh_model::object::Object;
use mesh_model::part::{PolicyTargetReference, WorkloadSelector};
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::request_authentication::RequestAuthentication;
use mesh_model::telemetry::Telemetry;

const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";
/// Names the Gateway of the Gateway API that a workload is an instance of.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// The controller that manages a workload; tells waypoints apart.
const MANAGED_BY: &str = "gateway.istio.io/managed";
const WAYPOINT_CONTROLLER: &str = "istio.io-mesh-controller";

/// The controller's own class of waypoints (S-073).
const WAYPOINT_CLASS: &str = "istio-waypoint";

/// What a kind of policy says about its workloads.
pub trait Attached {
    /// `selector`
    fn selector(&self) -> Option<&WorkloadSelector>;
    /// `targetRef`
    fn target_ref(&self) -> Option<&PolicyTargetReference>;
    /// `targetRefs`
    fn target_refs(&self) -> &[PolicyTargetReference];
}

macro_rules! attached {
    ($($kind:ty),*) => {$(
        impl Attached for $kind {
            fn selector(&self) -> Option<&WorkloadSelector> {
                self.selector.as_ref()
            }
            fn target_ref(&self) -> Option<&PolicyTargetReference> {
                self.target_ref.as_ref()
            }
            fn target_refs(&self) -> &[PolicyTargetReference] {
                &self.target_refs
            }
        }
    )*};
}

attached!(AuthorizationPolicy, RequestAuthentication, Telemetry, WasmPlugin);

impl Attached for TrafficExtension {
    fn selector(&self) -> Option<&WorkloadSelector> {
        self.selector.as_ref()
    }
    fn target_ref(&self) -> Option<&PolicyTargetReference> {
        None
    }
    fn target_refs(&self) -> &[PolicyTargetReference] {
        &self.target_refs
    }
}

/// Every label of the selector is on the workload (S-068); no selector, and an empty one, select all.
pub(crate) fn selects(selector: Option<&WorkloadSelector>, labels: &BTreeMap<String, String>) -> bool {
    selector.is_none_or(|selector| {
        selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    })
}

/// The policies of a workload, or its token rules: those of its namespace, then those of the root namespace, each oldest
/// first, where its labels are selected or its Gateway is referred to (S-067 to S-073, S-258, S-259).
///
/// Gateways of the Gateway API are told by their `gateway.networking.k8s.io/gateway-name` label, waypoints by their
/// `gateway.istio.io/managed` label. References to a Service or ServiceEntry are for waypoints that serve it, which a
/// workload's labels do not tell: they apply to nobody here.
pub fn applicable<'a, S: Attached + 'a>(
    policies: impl IntoIterator<Item = &'a Arc<Object<S>>>,
    root_namespace: &str,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Vec<&'a Arc<Object<S>>> {
    let mut found: Vec<_> = policies
        .into_iter()
        .filter(|policy| &*policy.meta.namespace == namespace || &*policy.meta.namespace == root_namespace)
        .filter(|policy| applies(policy, root_namespace, namespace, labels))
        .collect();
    found.sort_by(|a, b| {
        let key = |p: &Arc<Object<S>>| &*p.meta.namespace != namespace;
        key(a).cmp(&key(b)).then_with(|| a.precedence().cmp(&b.precedence()))
    });
    found
}

/// What a policy is attached to: `targetRefs`, or the older `targetRef` (S-072).
pub fn references<S: Attached>(spec: &S) -> &[PolicyTargetReference] {
    match (spec.target_refs(), spec.target_ref()) {
        ([], Some(single)) => std::slice::from_ref(single),
        (several, _) => several,
    }
}

/// Whether a policy is for a workload of `namespace` with these labels (S-068 to S-073); that the policy is in this
/// namespace, or in the root namespace, is not asked.
pub fn applies<S: Attached>(
    policy: &Object<S>,
    root_namespace: &str,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> bool {
    let selector = policy.spec.selector().map(|selector| &selector.match_labels);
    let home = Home { policy: &policy.meta.namespace, root_namespace, namespace };
    attaches(references(&policy.spec), selector, &home, labels)
}

/// Namespaces that count when a policy meets a workload.
#[derive(Debug, Clone, Copy)]
pub struct Home<'n> {
    /// The policy's.
    pub policy: &'n str,
    /// The mesh's root namespace.
    pub root_namespace: &'n str,
    /// The workload's.
    pub namespace: &'n str,
}

/// The same for any object that is attached by references or selects by labels.
pub fn attaches(
    references: &[PolicyTargetReference],
    selector: Option<&BTreeMap<String, String>>,
    home: &Home<'_>,
    labels: &BTreeMap<String, String>,
) -> bool {
    let Home { policy, root_namespace, namespace } = *home;
    let is_selected =
        || selector.is_none_or(|wanted| wanted.iter().all(|(key, value)| labels.get(key) == Some(value)));
    let Some(gateway) = labels.get(GATEWAY_NAME) else {
        // S-068: references mean nothing to sidecars and to classic gateways.
        return references.is_empty() && is_selected();
    };
    let is_waypoint = labels.get(MANAGED_BY).is_some_and(|by| by == WAYPOINT_CONTROLLER);
    if references.is_empty() {
        // S-069, S-071.
        return !is_waypoint && is_selected();
    }
    let of_class = |reference: &PolicyTargetReference| {
        is_waypoint
            && reference.kind == "GatewayClass"
            && reference.name == WAYPOINT_CLASS
            && policy == root_namespace
    };
    let of_gateway = |reference: &PolicyTargetReference| {
        policy == namespace
            && reference.kind == "Gateway"
            && reference.name == *gateway
            && (reference.namespace.is_empty() || reference.namespace == namespace)
    };
    references
        .iter()
        .any(|reference| reference.group == GATEWAY_GROUP && (of_gateway(reference) || of_class(reference)))
}

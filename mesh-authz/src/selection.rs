//! Which workloads a policy is for (S-067 to S-073); the same for every kind that has `selector` and `targetRefs`.

use std::sync::Arc;

use mesh_model::extensions::{traffic_extension::TrafficExtension, wasm_plugin::WasmPlugin};
use mesh_model::name::StringMap;
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

const SERVICE_ENTRY_GROUP: &str = "networking.istio.io";

/// The controller's own class of waypoints (S-073).
const WAYPOINT_CLASS: &str = "istio-waypoint";

/// What a kind of policy says about its workloads (S-067..S-073).
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
pub(crate) fn selects(selector: Option<&WorkloadSelector>, labels: &StringMap) -> bool {
    selector.is_none_or(|selector| {
        selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    })
}

/// The policies of a workload, or its token rules: those of its namespace, then those of the root namespace, each oldest
/// first, where its labels are selected or its Gateway is referred to (S-067 to S-073, S-258, S-259).
///
/// [`Workload::applicable`] for a workload that serves no services for others.
pub fn applicable<'a, S: Attached + 'a>(
    policies: impl IntoIterator<Item = &'a Arc<Object<S>>>,
    root_namespace: &str,
    namespace: &str,
    labels: &StringMap,
) -> Vec<&'a Arc<Object<S>>> {
    Workload { root_namespace, namespace, labels, services: &[] }.applicable(policies)
}

/// Whom policies are looked up for.
///
/// Which way a policy is attached depends on what the workload is, told by its labels:
///
/// | workload | `gateway.networking.k8s.io/gateway-name` | `gateway.istio.io/managed: istio.io-mesh-controller` | `selector` | `targetRefs` |
/// |---|---|---|---|---|
/// | sidecar, classic gateway | no | | yes | such policies never apply (S-068) |
/// | gateway of the Gateway API | yes | no | yes, without references (S-069) | its Gateway |
/// | waypoint | yes | yes | never (S-071) | its Gateway, the class `istio-waypoint`, services that it serves |
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// `MeshConfig.rootNamespace`.
    pub root_namespace: &'a str,
    /// Its own namespace.
    pub namespace: &'a str,
    /// Its labels.
    pub labels: &'a StringMap,
    /// What a waypoint is asked about: the service that a request is for, or all that it serves.
    pub services: &'a [ServedService<'a>],
}

/// A service that a waypoint serves, by the object that it comes from (S-073).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedService<'a> {
    /// Of the object.
    pub namespace: &'a str,
    /// `metadata.name` of the object: a ServiceEntry's own, not its host.
    pub name: &'a str,
    /// The kind of the object.
    pub kind: ServiceKind,
}

/// Where a service comes from; references name the kind (S-073).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKind {
    /// A Kubernetes Service.
    Service,
    /// A ServiceEntry.
    ServiceEntry,
}

impl ServiceKind {
    /// Group and kind as a reference writes them; the core group is empty, or `core`.
    fn is_named_by(self, reference: &PolicyTargetReference) -> bool {
        let group = reference.group.as_str();
        match self {
            Self::Service => reference.kind == "Service" && matches!(group, "" | "core"),
            Self::ServiceEntry => reference.kind == "ServiceEntry" && group == SERVICE_ENTRY_GROUP,
        }
    }
}

impl Workload<'_> {
    /// The policies that apply, or the token rules: those of the workload's namespace, then those of its services'
    /// namespaces, then those of the root namespace, each oldest first.
    pub fn applicable<'a, S: Attached + 'a>(
        &self,
        policies: impl IntoIterator<Item = &'a Arc<Object<S>>>,
    ) -> Vec<&'a Arc<Object<S>>> {
        let mut found: Vec<_> = policies.into_iter().filter(|policy| self.has(policy)).collect();
        let rank = |policy: &Arc<Object<S>>| match &*policy.meta.namespace {
            namespace if namespace == self.namespace => 0,
            namespace if namespace == self.root_namespace => 2,
            _ => 1,
        };
        found.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.precedence().cmp(&b.precedence())));
        found
    }

    /// Whether a policy applies.
    fn has<S: Attached>(&self, policy: &Object<S>) -> bool {
        let own = &*policy.meta.namespace;
        let at_home = own == self.namespace || own == self.root_namespace;
        at_home && applies(policy, self.root_namespace, self.namespace, self.labels)
            || is_waypoint(self.labels)
                && references(&policy.spec).iter().any(|reference| self.is_service(reference, own))
    }

    /// A service that the waypoint serves, in the policy's namespace.
    fn is_service(&self, reference: &PolicyTargetReference, own: &str) -> bool {
        self.services.iter().any(|service| {
            service.kind.is_named_by(reference) && service.name == reference.name && service.namespace == own
        })
    }
}

/// A Gateway's workload that the mesh's own controller manages.
fn is_waypoint(labels: &StringMap) -> bool {
    labels.contains_key(GATEWAY_NAME) && labels.get(MANAGED_BY).is_some_and(|by| by == WAYPOINT_CONTROLLER)
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
    labels: &StringMap,
) -> bool {
    let selector = policy.spec.selector().map(|selector| &selector.match_labels);
    let home = Home { policy: &policy.meta.namespace, root_namespace, namespace };
    attaches(references(&policy.spec), selector, &home, labels)
}

/// Namespaces that count when a policy meets a workload (S-067).
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
    selector: Option<&StringMap>,
    home: &Home<'_>,
    labels: &StringMap,
) -> bool {
    let Home { policy, root_namespace, namespace } = *home;
    let is_selected =
        || selector.is_none_or(|wanted| wanted.iter().all(|(key, value)| labels.get(key) == Some(value)));
    let Some(gateway) = labels.get(GATEWAY_NAME) else {
        // S-068: references mean nothing to sidecars and to classic gateways.
        return references.is_empty() && is_selected();
    };
    let is_waypoint = is_waypoint(labels);
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

#[cfg(test)]
mod tests;

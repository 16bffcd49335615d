//! Policies: what guards a workload, and whom they let call it.

use std::sync::Arc;

use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::object::Object;
use mesh_model::part::{PolicyTargetReference, WorkloadSelector};
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::Action;

use super::build::{Draft, gateway_id};
use super::{EdgeKind, Fact, NodeKind, Way};

/// Names of policies that a node lists.
const LISTED_MAX: usize = 32;

/// Edges that policies may add: principals times workloads would have no end.
const EDGES_MAX: usize = 5_000;

type Labels = Arc<StringMap>;

/// What a policy says of where it applies.
struct Scope<'a> {
    namespace: &'a str,
    selector: Option<&'a WorkloadSelector>,
    targets: Vec<&'a PolicyTargetReference>,
}

pub(super) fn draw(draft: &mut Draft<'_>) {
    let workloads = workloads(draft);
    let snapshot = draft.snapshot;
    let mut left = EDGES_MAX;
    for policy in &snapshot.authorization_policies {
        let spec = &policy.spec;
        let scope = Scope {
            namespace: &policy.meta.namespace,
            selector: spec.selector.as_ref(),
            targets: spec.target_ref.iter().chain(&spec.target_refs).collect(),
        };
        let guarded = guarded(draft, &workloads, &scope);
        let value = format!("{} {}/{}", spec.action, policy.meta.namespace, policy.meta.name);
        note(draft, &guarded, "policy", &value, policy);
        if spec.action == Action::Allow {
            allow(draft, policy, &guarded, &mut left);
        }
    }
    for policy in &snapshot.request_authentications {
        let spec = &policy.spec;
        let scope = Scope {
            namespace: &policy.meta.namespace,
            selector: spec.selector.as_ref(),
            targets: spec.target_ref.iter().chain(&spec.target_refs).collect(),
        };
        let guarded = guarded(draft, &workloads, &scope);
        let value = format!("{}/{}", policy.meta.namespace, policy.meta.name);
        note(draft, &guarded, "token rule", &value, policy);
    }
}

/// Nodes of workloads: namespace and labels of each.
fn workloads(draft: &Draft<'_>) -> Vec<(String, String, Labels)> {
    let nodes = draft.nodes.values().filter(|node| node.kind == NodeKind::Workload);
    nodes
        .map(|node| {
            let labels = draft.labels.get(&node.id).map(Arc::clone).unwrap_or_default();
            (node.id.clone(), node.namespace.clone(), labels)
        })
        .collect()
}

/// Nodes that a policy is for.
fn guarded(draft: &Draft<'_>, workloads: &[(String, String, Labels)], scope: &Scope<'_>) -> Vec<String> {
    if !scope.targets.is_empty() {
        let nodes = draft.nodes.values().filter(|node| {
            scope.targets.iter().any(|target| {
                let is_named = match target.kind.as_str() {
                    "Service" | "ServiceEntry" => {
                        matches!(node.kind, NodeKind::Service | NodeKind::External)
                            && node.name == target.name
                    }
                    // A Gateway of the Gateway API has a node for each listener, with a name made of both.
                    "Gateway" => {
                        let id = gateway_id(scope.namespace, &target.name);
                        node.id.strip_prefix(&id).is_some_and(|rest| rest.is_empty() || rest.starts_with('~'))
                    }
                    _ => false,
                };
                is_named && node.namespace == scope.namespace
            })
        });
        return nodes.map(|node| node.id.clone()).collect();
    }
    let is_root = scope.namespace == draft.snapshot.mesh.root_namespace();
    let selected = workloads.iter().filter(|(_, namespace, labels)| {
        (is_root || namespace == scope.namespace)
            && scope.selector.is_none_or(|selector| labels_subset_of(&selector.match_labels, labels))
    });
    selected.map(|(id, ..)| id.clone()).collect()
}

/// Lists a policy at what it guards, and at the services of that.
fn note<S>(draft: &mut Draft<'_>, guarded: &[String], label: &'static str, value: &str, policy: &Object<S>) {
    let mut nodes: Vec<&String> = guarded.iter().collect();
    let services: std::collections::BTreeSet<String> =
        guarded.iter().filter_map(|id| draft.services_of.get(id)).flatten().cloned().collect();
    nodes.extend(&services);
    for id in nodes {
        let Some(node) = draft.nodes.get_mut(id) else { continue };
        node.policies += 1;
        if node.policies <= LISTED_MAX {
            let origin = Some(policy.origin("metadata.name"));
            node.facts.push(Fact { label, value: value.to_owned(), origin });
        }
    }
}

/// Callers that the rules of a policy name.
fn allow(draft: &mut Draft<'_>, policy: &Object<AuthorizationPolicy>, guarded: &[String], left: &mut usize) {
    for (rule_index, rule) in policy.spec.rules.iter().enumerate() {
        for (from_index, from) in rule.from.iter().enumerate() {
            let principals = from.source.iter().flat_map(|source| &source.principals).enumerate();
            for (index, principal) in principals {
                let identity: Arc<str> = format!("spiffe://{principal}").into();
                let Some(callers) = draft.by_identity.get(&identity).cloned() else { continue };
                let path = format!("spec.rules[{rule_index}].from[{from_index}].source.principals[{index}]");
                for (caller, callee) in
                    callers.iter().flat_map(|caller| guarded.iter().map(move |to| (caller, to)))
                {
                    if caller == callee || *left == 0 {
                        continue;
                    }
                    *left -= 1;
                    let label = policy.meta.name.to_string();
                    let origin = policy.origin(path.clone());
                    let way = Way { label, weight: None, acts: Vec::new(), origin };
                    draft.edge(caller, callee, EdgeKind::Allow, Some(way));
                }
            }
        }
    }
}

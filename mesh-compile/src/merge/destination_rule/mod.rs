//! DestinationRules of one host folded into one (T-226, T-227), in the pools that are searched for them (T-220).

mod fold;
mod pools;
#[cfg(test)]
mod tests;

pub use pools::{DestinationRuleIndex, Rules};

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::name::resolve_short_name;
use mesh_model::networking::destination_rule::spec::DestinationRule;
use mesh_model::object::Object;
use mesh_model::origin::{Origin, Provenance};

use crate::export_to::OWN_NAMESPACE;
use crate::registry::DOMAIN;

/// A consolidated rule (T-226, T-227).
#[derive(Debug, Clone, PartialEq)]
pub struct MergedDestinationRule {
    /// Namespace of the first rule.
    pub namespace: Arc<str>,
    /// Name of the first rule.
    pub name: Arc<str>,
    /// Host as FQDN; subsets of all folded rules; the traffic policy of the first that has one.
    pub spec: DestinationRule,
    /// Namespaces it is exported to, as written; `.` alone where it has a workload selector.
    pub export_to: BTreeSet<String>,
    /// Where each subset was written (`spec.subsets[i]`); same length as `spec.subsets`.
    pub subset_origins: Vec<Origin>,
    /// Where the traffic policy was written (`spec.trafficPolicy`).
    pub policy_origin: Option<Origin>,
    /// Every rule that was folded in, the first one first.
    pub from: Vec<Arc<Provenance>>,
    /// What of the folded rules counts for nothing: policies after the first, subsets whose name was taken (T-226).
    pub lost: Vec<Origin>,
    /// What the first rule was.
    pub source: RuleSource,
}

/// What a rule was made from (T-226, point 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RuleSource {
    /// A DestinationRule that someone wrote.
    #[default]
    Written,
    /// A policy of the Gateway API: what is written wins over it, block by block.
    BackendPolicy,
}

/// The host of a rule, completed with its namespace (T-223).
pub fn host_of(object: &Object<DestinationRule>) -> String {
    resolve_short_name(&object.spec.host, &object.meta.namespace, DOMAIN).into_owned()
}

impl MergedDestinationRule {
    /// A rule on its own, its host completed with its namespace (T-223).
    fn single(object: &Object<DestinationRule>) -> Self {
        let mut spec = object.spec.clone();
        spec.host = host_of(object);
        let subset_origin = |index: usize| object.origin(format!("spec.subsets[{index}]"));
        Self {
            namespace: Arc::clone(&object.meta.namespace),
            name: Arc::clone(&object.meta.name),
            export_to: export_to(&spec),
            subset_origins: (0..spec.subsets.len()).map(subset_origin).collect(),
            policy_origin: spec.traffic_policy.as_ref().map(|_| object.origin("spec.trafficPolicy")),
            from: vec![Arc::clone(&object.provenance)],
            lost: Vec::new(),
            source: RuleSource::Written,
            spec,
        }
    }

    /// Whether a load balancer of it, of whatever level, hashes.
    pub fn hashes(&self) -> bool {
        let policies = self.spec.subsets.iter().map(|subset| &subset.traffic_policy);
        policies.chain([&self.spec.traffic_policy]).flatten().any(|policy| {
            let ports = policy.port_level_settings.iter().map(|port| &port.load_balancer);
            ports.chain([&policy.load_balancer]).flatten().any(|block| block.consistent_hash.is_some())
        })
    }

    /// Whether both are the same rule, or begin with it, perhaps in two pools.
    pub fn is_of_same_object(&self, other: &Self) -> bool {
        matches!((self.from.first(), other.from.first()), (Some(own), Some(other)) if Arc::ptr_eq(own, other))
    }

    /// Whether it is for some workloads only (T-224).
    pub fn has_selector(&self) -> bool {
        self.spec.workload_selector.is_some()
    }
}

/// `exportTo` as written; rules with a workload selector are private (T-222).
fn export_to(spec: &DestinationRule) -> BTreeSet<String> {
    if spec.workload_selector.is_some() {
        return [OWN_NAMESPACE.to_owned()].into();
    }
    spec.export_to.iter().cloned().collect()
}

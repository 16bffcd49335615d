//! DestinationRules of one host folded into one (T-226, T-227).

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::networking::destination_rule::spec::DestinationRule;
use mesh_model::origin::{Origin, Provenance};

/// A consolidated rule.
#[derive(Debug, Clone, PartialEq)]
pub struct MergedDestinationRule {
    /// Namespace of the first rule.
    pub namespace: Arc<str>,
    /// Name of the first rule.
    pub name: Arc<str>,
    /// Host as FQDN; subsets of all folded rules; the traffic policy of the first that has one.
    pub spec: DestinationRule,
    /// Namespaces it is exported to, as written.
    pub export_to: BTreeSet<String>,
    /// Where each subset was written (`spec.subsets[i]`); same length as `spec.subsets`.
    pub subset_origins: Vec<Origin>,
    /// Where the traffic policy was written (`spec.trafficPolicy`).
    pub policy_origin: Option<Origin>,
    /// Every rule that was folded in, the first one first.
    pub from: Vec<Arc<Provenance>>,
}

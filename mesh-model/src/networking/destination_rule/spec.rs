//! DestinationRule as it is written.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::name::StringMap;
use crate::object::{Kind, Object};
use crate::part::{TrafficPolicy, WorkloadSelector, is_default};

/// How clients treat a service, and which parts it has.
/// API: networking.istio.io/v1 `DestinationRule`; which one counts is T-220 to T-228.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct DestinationRule {
    /// The service; a short name is completed with the rule's namespace (T-020).
    #[serde(skip_serializing_if = "is_default")]
    pub host: String,
    /// The policy of the whole service (T-232..T-236).
    #[serde(skip_serializing_if = "is_default")]
    pub traffic_policy: Option<Box<TrafficPolicy>>,
    /// Named parts of the service (T-237).
    #[serde(skip_serializing_if = "is_default")]
    pub subsets: Vec<Subset>,
    /// Namespaces whose clients see it; empty: the mesh's default (T-025, T-026).
    #[serde(skip_serializing_if = "is_default")]
    pub export_to: Vec<String>,
    /// The clients that it is for, in its own namespace; unset: all (T-224).
    #[serde(skip_serializing_if = "is_default")]
    pub workload_selector: Option<Box<WorkloadSelector>>,
}

impl Kind for DestinationRule {
    const KIND: &'static str = "DestinationRule";
    const GROUP: &'static str = "networking.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1", "v1alpha3"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

/// A part of a service. API: networking.istio.io/v1 `Subset`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Subset {
    /// The name that destinations use (T-229).
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Labels that its endpoints carry; empty: every endpoint (T-237).
    #[serde(skip_serializing_if = "is_default")]
    pub labels: StringMap,
    /// Laid over the rule's policy, block by block (T-233).
    #[serde(skip_serializing_if = "is_default")]
    pub traffic_policy: Option<Box<TrafficPolicy>>,
}

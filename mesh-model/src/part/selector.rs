//! Which workloads a resource is for.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::name::StringMap;

/// `istio.type.v1beta1.WorkloadSelector`: security, telemetry and extension kinds, and DestinationRule.
/// API: type/v1beta1 `WorkloadSelector`; compared as T-008 says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadSelector {
    /// Labels that a workload must carry; empty: every workload.
    #[serde(skip_serializing_if = "is_default")]
    pub match_labels: StringMap,
}

/// `istio.networking.v1alpha3.WorkloadSelector`: ServiceEntry, Sidecar and EnvoyFilter.
/// API: networking.istio.io/v1 `WorkloadSelector`; compared as T-008 says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkingWorkloadSelector {
    /// Labels that a workload must carry; empty: every workload.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: StringMap,
}

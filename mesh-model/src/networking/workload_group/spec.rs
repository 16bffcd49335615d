//! WorkloadGroup as it is written.
// Spec: istio/api networking/v1alpha3/workload_group.proto.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::name::StringMap;
use crate::networking::workload_entry::spec::WorkloadEntry;
use crate::object::{Kind, Object};
use crate::part::{ReadinessProbe, is_default};

/// A template of WorkloadEntries; alone it creates no endpoints (T-336). API: networking.istio.io/v1 `WorkloadGroup`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadGroup {
    /// Metadata that every entry gets.
    #[serde(skip_serializing_if = "is_default")]
    pub metadata: Option<EntryMetadata>,
    /// What every entry says, but for its address; required.
    #[serde(skip_serializing_if = "is_default")]
    pub template: Option<WorkloadEntry>,
    /// How the agent finds out whether the workload is healthy; unset: it always is (T-335, T-337).
    #[serde(skip_serializing_if = "is_default")]
    pub probe: Option<ReadinessProbe>,
}

impl Kind for WorkloadGroup {
    const KIND: &'static str = "WorkloadGroup";
    const GROUP: &'static str = "networking.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1", "v1alpha3"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

/// Labels and annotations of entries. API: networking.istio.io/v1 `WorkloadGroup.ObjectMeta`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EntryMetadata {
    /// Labels; they go before those of the template (T-336).
    #[serde(skip_serializing_if = "is_default")]
    pub labels: StringMap,
    /// Annotations.
    #[serde(skip_serializing_if = "is_default")]
    pub annotations: StringMap,
}

//! WorkloadEntry as it is written; ServiceEntry endpoints and WorkloadGroup templates have the same form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::name::StringMap;
use crate::object::{Kind, Object};
use crate::part::is_default;

/// An endpoint outside of Kubernetes. API: networking.istio.io/v1 `WorkloadEntry` (T-332..T-335).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadEntry {
    /// IP address, host name, or `unix://` path; empty only where `network` is written.
    #[serde(skip_serializing_if = "is_default")]
    pub address: String,
    /// Its port, by the name of the service's port (T-323).
    #[serde(skip_serializing_if = "is_default")]
    pub ports: BTreeMap<String, u32>,
    /// Its labels (T-332).
    #[serde(skip_serializing_if = "is_default")]
    pub labels: StringMap,
    /// The network it is in; empty: the mesh's default (T-314).
    #[serde(skip_serializing_if = "is_default")]
    pub network: String,
    /// `region/zone/subzone`; goes before the label (T-334).
    #[serde(skip_serializing_if = "is_default")]
    pub locality: String,
    /// Its share of the load; 0: 1 (T-334).
    #[serde(skip_serializing_if = "is_default")]
    pub weight: u32,
    /// The service account it runs as, which makes its identity (T-334).
    #[serde(skip_serializing_if = "is_default")]
    pub service_account: String,
}

impl Kind for WorkloadEntry {
    const KIND: &'static str = "WorkloadEntry";
    const GROUP: &'static str = "networking.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1", "v1alpha3"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

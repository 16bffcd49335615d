//! ServiceEntry as it is written.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::networking::workload_entry::spec::WorkloadEntry;
use crate::object::{Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{NetworkingWorkloadSelector, is_default};

/// A service that the platform does not know; at most one of `endpoints`, `workloadSelector`.
/// API: networking.istio.io/v1 `ServiceEntry`; what it makes is T-320.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceEntry {
    /// Names of the service, never completed (T-022).
    #[serde(skip_serializing_if = "is_default")]
    pub hosts: Vec<String>,
    /// Its virtual addresses and address blocks (T-326).
    #[serde(skip_serializing_if = "is_default")]
    pub addresses: Vec<String>,
    /// Its ports (T-327).
    #[serde(skip_serializing_if = "is_default")]
    pub ports: Vec<ServicePort>,
    /// Whether it belongs to the mesh (T-324).
    #[serde(skip_serializing_if = "is_default")]
    pub location: Location,
    /// How its endpoints are found (T-321).
    #[serde(skip_serializing_if = "is_default")]
    pub resolution: Resolution,
    /// Its endpoints (T-322, T-327).
    #[serde(skip_serializing_if = "is_default")]
    pub endpoints: Vec<WorkloadEntry>,
    /// Pods and WorkloadEntries that are its endpoints (T-332).
    #[serde(skip_serializing_if = "is_default")]
    pub workload_selector: Option<NetworkingWorkloadSelector>,
    /// Namespaces that see it; empty: the mesh's default (T-025, T-026).
    #[serde(skip_serializing_if = "is_default")]
    pub export_to: Vec<String>,
    /// Names that its servers' certificates bear (T-325).
    #[serde(skip_serializing_if = "is_default")]
    pub subject_alt_names: Vec<String>,
}

impl Kind for ServiceEntry {
    const KIND: &'static str = "ServiceEntry";
    const GROUP: &'static str = "networking.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1", "v1alpha3"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

/// A port of the service. API: networking.istio.io/v1 `ServicePort`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServicePort {
    /// Its number (T-327).
    #[serde(skip_serializing_if = "is_default")]
    pub number: u32,
    /// Its protocol (T-196); empty: sniffed.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: String,
    /// Its name; joins it with the endpoints' `ports` (T-329).
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// The endpoints' port; 0: `number` (T-323).
    #[serde(skip_serializing_if = "is_default")]
    pub target_port: u32,
}

proto_enum! {
    /// Whether a service belongs to the mesh (T-324). API: networking.istio.io/v1 `ServiceEntry.Location`.
    pub enum Location {
        /// Outside: no mesh mTLS.
        MeshExternal = "MESH_EXTERNAL" = 0,
        /// Inside: as a service of the platform.
        MeshInternal = "MESH_INTERNAL" = 1,
    }
}

proto_enum! {
    /// How endpoints are found (T-321). API: networking.istio.io/v1 `ServiceEntry.Resolution`.
    pub enum Resolution {
        /// The address that the client asked for.
        None = "NONE" = 0,
        /// `endpoints`, or the selected workloads.
        Static = "STATIC" = 1,
        /// Every address that DNS names.
        Dns = "DNS" = 2,
        /// The address that DNS names first, for each new connection.
        DnsRoundRobin = "DNS_ROUND_ROBIN" = 3,
        /// The address of the name in the request itself.
        DynamicDns = "DYNAMIC_DNS" = 4,
    }
}

//! `MeshNetworks`: which endpoints live in which network, and how networks reach each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::object::{Body, Kind, Object};
use crate::part::is_default;

/// The networks of a mesh, one document without `apiVersion` and `kind`.
/// API: mesh/v1alpha1 `MeshNetworks`; how an endpoint gets its network is T-314.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MeshNetworks {
    /// Networks by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<String, Network>,
}

/// A network: endpoints reach each other directly. API: mesh/v1alpha1 `Network`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Network {
    /// Which endpoints are in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<NetworkEndpoints>,
    /// How it is entered from other networks (T-315).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<NetworkGateway>,
}

/// Some endpoints; one of the two. API: mesh/v1alpha1 `Network.NetworkEndpoints` (T-314).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkEndpoints {
    /// Those with an address in this block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_cidr: Option<String>,
    /// Those of this cluster or registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_registry: Option<String>,
}

/// An entry to a network; one of service name and address. API: mesh/v1alpha1 `Network.IstioNetworkGateway` (T-315).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkGateway {
    /// Host of a service whose external addresses are the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_service_name: Option<String>,
    /// Its IP address or host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Its locality, `REGION/ZONE/SUBZONE`.
    #[serde(skip_serializing_if = "is_default")]
    pub locality: String,
}

impl Kind for MeshNetworks {
    const KIND: &'static str = "MeshNetworks";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1alpha1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::mesh_networks(object, report);
    }
}

//! Kubernetes `Endpoints`: the older form of [`EndpointSlice`](super::EndpointSlice).

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::kubernetes::{ObjectReference, Protocol};
use crate::object::{Body, Kind};

/// Endpoints of the service with the same name. API: core/v1 `Endpoints`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Endpoints {
    /// Groups of addresses that share ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subsets: Vec<EndpointSubset>,
}

/// Addresses with the same ports. API: core/v1 `EndpointSubset`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointSubset {
    /// Ready addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<EndpointAddress>,
    /// Addresses that are not ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_ready_addresses: Vec<EndpointAddress>,
    /// Ports of every address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<EndpointsPort>,
}

/// One address. API: core/v1 `EndpointAddress`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointAddress {
    /// The IP address.
    #[serde(skip_serializing_if = "is_default")]
    pub ip: String,
    /// Host name that a headless service publishes for it.
    #[serde(skip_serializing_if = "is_default")]
    pub hostname: String,
    /// Node it runs on.
    #[serde(skip_serializing_if = "is_default")]
    pub node_name: String,
    /// The pod behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<ObjectReference>,
}

/// One port. API: core/v1 `EndpointPort`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointsPort {
    /// Name of the service port.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Port number.
    #[serde(skip_serializing_if = "is_default")]
    pub port: i32,
    /// Transport; `TCP` where unset.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: Protocol,
    /// Application protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
}

impl Kind for Endpoints {
    const KIND: &'static str = "Endpoints";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const BODY: Body = Body::Document;
}

//! Kubernetes `EndpointSlice`: the addresses behind a service.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::kubernetes::open_enum::open_enum;
use crate::kubernetes::{ObjectReference, Protocol};
use crate::name::StringMap;
use crate::object::{Body, Kind};

/// Label that names the service of a slice. API: discovery.k8s.io/v1 `LabelServiceName`.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// Part of a service's endpoints. API: discovery.k8s.io/v1 `EndpointSlice` (T-311).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointSlice {
    /// What `addresses` hold.
    #[serde(skip_serializing_if = "is_default")]
    pub address_type: AddressType,
    /// The endpoints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// Ports that every endpoint of the slice serves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<EndpointPort>,
}

/// One endpoint. API: discovery.k8s.io/v1 `Endpoint`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Endpoint {
    /// Addresses of one endpoint; all lead to the same place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Whether it may get traffic (T-311).
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: EndpointConditions,
    /// Host name that a headless service publishes for it.
    #[serde(skip_serializing_if = "is_default")]
    pub hostname: String,
    /// Node it runs on.
    #[serde(skip_serializing_if = "is_default")]
    pub node_name: String,
    /// Zone it runs in (T-314).
    #[serde(skip_serializing_if = "is_default")]
    pub zone: String,
    /// The pod behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<ObjectReference>,
    /// Where its traffic should come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hints: Option<EndpointHints>,
    /// Topology labels of the v1beta1 form.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub deprecated_topology: StringMap,
}

/// Conditions of an endpoint. API: discovery.k8s.io/v1 `EndpointConditions`; read as T-311 says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointConditions {
    /// May get traffic; unset counts as true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Answers, even while it ends; unset: as `ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<bool>,
    /// Is ending; unset counts as false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating: Option<bool>,
}

/// Traffic hints of an endpoint. API: discovery.k8s.io/v1 `EndpointHints`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointHints {
    /// Zones that should use it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub for_zones: Vec<HintName>,
    /// Nodes that should use it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub for_nodes: Vec<HintName>,
}

/// The name in a hint. API: discovery.k8s.io/v1 `ForZone` and `ForNode`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HintName {
    /// A zone or a node.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// A port of a slice. API: discovery.k8s.io/v1 `EndpointPort`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointPort {
    /// Name of the service port; empty where it has one unnamed port (T-310).
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Port number; unset means every port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// Transport; `TCP` where unset.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: Protocol,
    /// Application protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
}

open_enum! {
    /// What the addresses of a slice are. API: discovery.k8s.io/v1 `AddressType`; `FQDN` slices are left out (T-311).
    AddressType {
        /// IPv4 addresses.
        Ipv4 = "IPv4",
        /// IPv6 addresses.
        Ipv6 = "IPv6",
        /// Host names.
        Fqdn = "FQDN",
    }
}

impl EndpointConditions {
    /// Whether it is ready, with Kubernetes' reading of an unset condition.
    pub fn is_ready(&self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// Whether it still answers, with Kubernetes' reading of an unset condition.
    pub fn is_serving(&self) -> bool {
        self.serving.unwrap_or_else(|| self.is_ready())
    }

    /// Whether it is ending.
    pub fn is_terminating(&self) -> bool {
        self.terminating.unwrap_or(false)
    }
}

impl Kind for EndpointSlice {
    const KIND: &'static str = "EndpointSlice";
    const GROUP: &'static str = "discovery.k8s.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];
    const BODY: Body = Body::Document;
}

//! Kubernetes `Node`: locality labels and addresses.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::object::{Body, Kind};

/// A node; region and zone are labels in its metadata. API: core/v1 `Node`; its labels give the locality (T-314).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Node {
    /// What the kubelet reported.
    #[serde(skip_serializing_if = "is_default")]
    pub status: NodeStatus,
}

/// `status` of a node. API: core/v1 `NodeStatus`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct NodeStatus {
    /// Where it can be reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<NodeAddress>,
}

/// An address of a node. API: core/v1 `NodeAddress`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAddress {
    /// `InternalIP`, `ExternalIP`, `Hostname`, ...
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: String,
    /// The address or name.
    #[serde(skip_serializing_if = "is_default")]
    pub address: String,
}

impl Kind for Node {
    const KIND: &'static str = "Node";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;
}

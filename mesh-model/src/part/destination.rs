//! `Destination`: a service, and perhaps a part of it (T-150..T-153).

use serde::{Deserialize, Serialize};

use super::is_default;

/// Where traffic goes. API: networking.istio.io/v1 `Destination` (T-150..T-153).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Destination {
    /// The service's name; short names are completed with the namespace of the resource (T-020).
    #[serde(skip_serializing_if = "is_default")]
    pub host: String,
    /// A subset that a DestinationRule of the host defines; empty: the whole service (T-225).
    #[serde(skip_serializing_if = "is_default")]
    pub subset: String,
    /// The service's port; unset: chosen as T-150 says.
    #[serde(skip_serializing_if = "is_default")]
    pub port: Option<PortSelector>,
}

/// A port of a service. API: networking.istio.io/v1 `PortSelector` and `Destination.port` (T-150).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PortSelector {
    /// The service port's number, not the target port's.
    #[serde(skip_serializing_if = "is_default")]
    pub number: u32,
}

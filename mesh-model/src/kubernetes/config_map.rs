//! Kubernetes `ConfigMap`: text by key (mesh configuration, CA certificates).

use serde::{Deserialize, Serialize};

use crate::name::StringMap;
use crate::object::{Body, Kind};

/// A map of texts. API: core/v1 `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigMap {
    /// Text by key.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub data: StringMap,
}

impl Kind for ConfigMap {
    const KIND: &'static str = "ConfigMap";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const BODY: Body = Body::Document;
}

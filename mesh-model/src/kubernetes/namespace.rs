//! Kubernetes `Namespace`: its labels count, its body does not.

use serde::{Deserialize, Serialize};

use crate::object::{Body, Kind};

/// A namespace; labels and annotations are in its metadata. API: core/v1 `Namespace`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Namespace {}

impl Kind for Namespace {
    const KIND: &'static str = "Namespace";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;
}

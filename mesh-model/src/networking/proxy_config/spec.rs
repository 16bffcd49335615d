//! ProxyConfig as it is written.
// Spec: istio/api networking/v1beta1/proxy_config.proto.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::object::{Kind, Object};
use crate::part::{WorkloadSelector, is_default};

/// Settings that proxies get when they are injected (T-470). API: networking.istio.io/v1beta1 `ProxyConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProxyConfig {
    /// Workloads it applies to; unset: the namespace, in the root namespace the mesh (T-470).
    #[serde(skip_serializing_if = "is_default")]
    pub selector: Option<WorkloadSelector>,
    /// Worker threads; unset: by CPU limit, 0: all cores (T-472).
    #[serde(skip_serializing_if = "is_default")]
    pub concurrency: Option<i32>,
    /// Environment of the proxy; names that start with `ISTIO_META_` end up in its metadata (T-470).
    #[serde(skip_serializing_if = "is_default")]
    pub environment_variables: BTreeMap<String, String>,
    /// The proxy's image.
    #[serde(skip_serializing_if = "is_default")]
    pub image: Option<ProxyImage>,
}

impl Kind for ProxyConfig {
    const KIND: &'static str = "ProxyConfig";
    const GROUP: &'static str = "networking.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1beta1"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

/// Which build of the proxy is run; the registry and the tag are the installation's.
/// API: networking.istio.io/v1beta1 `ProxyImage`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProxyImage {
    /// `default`, `debug`, `distroless`, or what else the registry has.
    #[serde(skip_serializing_if = "is_default")]
    pub image_type: String,
}

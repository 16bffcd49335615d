//! WasmPlugin as it is written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::extensions::wasm::{
    EnvValueSource, EnvVar, FailStrategy, PluginType, PullPolicy, TrafficSelector, VmConfig, WorkloadMode,
};

use crate::diagnostic::Report;
use crate::object::{Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{PolicyTargetReference, WorkloadSelector, is_default};

/// A Wasm module in the proxy's filter chain. API: extensions.istio.io/v1alpha1 `WasmPlugin`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct WasmPlugin {
    /// Workloads it applies to; unset: all in scope.
    #[serde(skip_serializing_if = "is_default")]
    pub selector: Option<WorkloadSelector>,
    /// Older single form of `targetRefs`; deprecated.
    #[serde(skip_serializing_if = "is_default")]
    pub target_ref: Option<PolicyTargetReference>,
    /// Objects it is attached to, at most 16; instead of `selector`.
    #[serde(skip_serializing_if = "is_default")]
    pub target_refs: Vec<PolicyTargetReference>,
    /// Where the module is: `oci://` (without a scheme, too), `http://`, `https://`, `file://`.
    #[serde(skip_serializing_if = "is_default")]
    pub url: String,
    /// Checksum of the module or image, 64 lower-case hexadecimal digits; empty: not checked.
    #[serde(skip_serializing_if = "is_default")]
    pub sha256: String,
    /// When an image is pulled.
    #[serde(skip_serializing_if = "is_default")]
    pub image_pull_policy: PullPolicy,
    /// Secret of the same namespace for pulling an image; at most 253 bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub image_pull_secret: String,
    /// Not used by Istio; deprecated.
    #[serde(skip_serializing_if = "is_default")]
    pub verification_key: String,
    /// Configuration that the module is given, as JSON.
    #[serde(skip_serializing_if = "is_default")]
    pub plugin_config: Option<Map<String, Value>>,
    /// The module's root id, at most 256 bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub plugin_name: String,
    /// Where it stands among Istio's filters.
    #[serde(skip_serializing_if = "is_default")]
    pub phase: PluginPhase,
    /// Order in its phase: greater first; unset: last.
    #[serde(skip_serializing_if = "is_default")]
    pub priority: Option<i32>,
    /// What happens when it fails.
    #[serde(skip_serializing_if = "is_default")]
    pub fail_strategy: FailStrategy,
    /// Its virtual machine.
    #[serde(skip_serializing_if = "is_default")]
    pub vm_config: Option<VmConfig>,
    /// Traffic it sees, any of these; empty: all.
    #[serde(rename = "match", skip_serializing_if = "is_default")]
    pub matches: Vec<TrafficSelector>,
    /// Which kind of filter it is.
    #[serde(rename = "type", skip_serializing_if = "is_default")]
    pub plugin_type: PluginType,
}

proto_enum! {
    /// Where a module stands among Istio's filters. API: extensions.istio.io/v1alpha1 `PluginPhase`.
    pub enum PluginPhase {
        /// At the end, before the router.
        Unspecified = "UNSPECIFIED_PHASE" = 0,
        /// Before Istio's authentication filters.
        Authn = "AUTHN" = 1,
        /// After authentication, before Istio's authorization filters.
        Authz = "AUTHZ" = 2,
        /// After authorization, before Istio's statistics filters.
        Stats = "STATS" = 3,
    }
}

impl Kind for WasmPlugin {
    const KIND: &'static str = "WasmPlugin";
    const GROUP: &'static str = "extensions.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1alpha1"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

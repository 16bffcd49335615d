//! TrafficExtension as it is written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::extensions::wasm::{
    EnvValueSource, EnvVar, FailStrategy, PluginType, PullPolicy, TrafficSelector, VmConfig, WorkloadMode,
};

use crate::diagnostic::Report;
use crate::object::{Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{PolicyTargetReference, WorkloadSelector, is_default};

/// A Wasm module or a Lua script in the proxy's filter chain. API: extensions.istio.io/v1alpha1 `TrafficExtension`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Written", into = "Written")]
pub struct TrafficExtension {
    /// Workloads it applies to; unset: all in scope.
    pub selector: Option<WorkloadSelector>,
    /// Objects it is attached to, at most 16; instead of `selector`.
    pub target_refs: Vec<PolicyTargetReference>,
    /// Where it stands among Istio's filters.
    pub phase: ExecutionPhase,
    /// Order in its phase: greater first; unset: last.
    pub priority: Option<i32>,
    /// Traffic it sees, any of these; empty: all.
    pub matches: Vec<TrafficSelector>,
    /// The code; required.
    pub code: ExtensionCode,
}

/// What runs in the proxy. API: extensions.istio.io/v1alpha1 `TrafficExtension`, its oneof.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ExtensionCode {
    /// None is written, which is refused.
    #[default]
    Unset,
    /// A Wasm module.
    Wasm(Box<WasmConfig>),
    /// A Lua script; an HTTP filter.
    Lua(LuaConfig),
}

/// A Wasm module. API: extensions.istio.io/v1alpha1 `WasmConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct WasmConfig {
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
    /// What happens when it fails.
    #[serde(skip_serializing_if = "is_default")]
    pub fail_strategy: FailStrategy,
    /// Its virtual machine.
    #[serde(skip_serializing_if = "is_default")]
    pub vm_config: Option<VmConfig>,
    /// Which kind of filter it is.
    #[serde(rename = "type", skip_serializing_if = "is_default")]
    pub plugin_type: PluginType,
}

/// A Lua script. API: extensions.istio.io/v1alpha1 `LuaConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LuaConfig {
    /// The script, 1 to 65536 bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub inline_code: String,
}

proto_enum! {
    /// Where an extension stands among Istio's filters.
    /// API: extensions.istio.io/v1alpha1 `TrafficExtension.ExecutionPhase`.
    pub enum ExecutionPhase {
        /// At the end, before the router.
        Unspecified = "UNSPECIFIED" = 0,
        /// Before Istio's authentication filters.
        Authn = "AUTHN" = 1,
        /// After authentication, before Istio's authorization filters.
        Authz = "AUTHZ" = 2,
        /// After authorization, before Istio's statistics filters.
        Stats = "STATS" = 3,
    }
}

impl Kind for TrafficExtension {
    const KIND: &'static str = "TrafficExtension";
    const GROUP: &'static str = "extensions.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1alpha1"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

/// A Wasm module or a Lua script in the proxy's filter chain.
// As it is written: each way to bring code is a field of its own.
#[derive(Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
struct Written {
    /// Workloads it applies to; unset: all in scope.
    #[serde(skip_serializing_if = "is_default")]
    selector: Option<WorkloadSelector>,
    /// Objects it is attached to, at most 16; instead of `selector`.
    #[serde(skip_serializing_if = "is_default")]
    target_refs: Vec<PolicyTargetReference>,
    /// Where it stands among Istio's filters.
    #[serde(skip_serializing_if = "is_default")]
    phase: ExecutionPhase,
    /// Order in its phase: greater first; unset: last.
    #[serde(skip_serializing_if = "is_default")]
    priority: Option<i32>,
    /// Traffic it sees, any of these; empty: all.
    #[serde(rename = "match", skip_serializing_if = "is_default")]
    matches: Vec<TrafficSelector>,
    /// A Wasm module; excludes `lua`.
    #[serde(skip_serializing_if = "is_default")]
    wasm: Option<Box<WasmConfig>>,
    /// A Lua script; excludes `wasm`.
    #[serde(skip_serializing_if = "is_default")]
    lua: Option<LuaConfig>,
}

impl TryFrom<Written> for TrafficExtension {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { selector, target_refs, phase, priority, matches, wasm, lua } = written;
        let code = match (wasm, lua) {
            (None, None) => ExtensionCode::Unset,
            (Some(wasm), None) => ExtensionCode::Wasm(wasm),
            (None, Some(lua)) => ExtensionCode::Lua(lua),
            (Some(_), Some(_)) => return Err("at most one of wasm, lua"),
        };
        Ok(Self { selector, target_refs, phase, priority, matches, code })
    }
}

impl From<TrafficExtension> for Written {
    fn from(extension: TrafficExtension) -> Self {
        let TrafficExtension { selector, target_refs, phase, priority, matches, code } = extension;
        let (wasm, lua) = match code {
            ExtensionCode::Unset => (None, None),
            ExtensionCode::Wasm(wasm) => (Some(wasm), None),
            ExtensionCode::Lua(lua) => (None, Some(lua)),
        };
        Self { selector, target_refs, phase, priority, matches, wasm, lua }
    }
}

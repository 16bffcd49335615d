//! What WasmPlugin and TrafficExtension share: the module, its virtual machine, the traffic it sees.

use serde::{Deserialize, Serialize};

use crate::part::proto_enum::proto_enum;
use crate::part::{PortSelector, is_default};

/// The virtual machine that a module runs in. API: extensions.istio.io/v1alpha1 `VmConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct VmConfig {
    /// Environment variables, at most 256, each name once.
    #[serde(skip_serializing_if = "is_default")]
    pub env: Vec<EnvVar>,
}

/// An environment variable of a module. API: extensions.istio.io/v1alpha1 `EnvVar`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVar {
    /// Its name, 1 to 256 bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Where its value comes from.
    #[serde(skip_serializing_if = "is_default")]
    pub value_from: EnvValueSource,
    /// Its value, at most 2048 characters; only with `INLINE`.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// Traffic that an extension sees: both conditions must hold.
/// API: extensions.istio.io/v1alpha1 `WasmPlugin.TrafficSelector` and `TrafficSelector`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TrafficSelector {
    /// The side of the connection.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: WorkloadMode,
    /// Ports, each once; empty: all.
    #[serde(skip_serializing_if = "is_default")]
    pub ports: Vec<PortSelector>,
}

proto_enum! {
    /// Where the value of an environment variable comes from. API: extensions.istio.io/v1alpha1 `EnvValueSource`.
    pub enum EnvValueSource {
        /// From `value`.
        Inline = "INLINE" = 0,
        /// From the proxy's own environment.
        Host = "HOST" = 1,
    }
}

proto_enum! {
    /// Which kind of filter a module is. API: extensions.istio.io/v1alpha1 `PluginType`.
    pub enum PluginType {
        /// Not written: an HTTP filter.
        Unspecified = "UNSPECIFIED_PLUGIN_TYPE" = 0,
        /// An HTTP filter.
        Http = "HTTP" = 1,
        /// A network filter.
        Network = "NETWORK" = 2,
    }
}

proto_enum! {
    /// What happens when a module cannot be loaded or fails. API: extensions.istio.io/v1alpha1 `FailStrategy`.
    pub enum FailStrategy {
        /// Requests are refused.
        FailClose = "FAIL_CLOSE" = 0,
        /// The module is left out.
        FailOpen = "FAIL_OPEN" = 1,
        /// A failed module is loaded anew.
        FailReload = "FAIL_RELOAD" = 2,
    }
}

proto_enum! {
    /// When an image is pulled. API: extensions.istio.io/v1alpha1 `PullPolicy`.
    pub enum PullPolicy {
        /// `Always` for the tag `latest`, else `IfNotPresent`.
        Unspecified = "UNSPECIFIED_POLICY" = 0,
        /// When it is not there yet.
        IfNotPresent = "IfNotPresent" = 1,
        /// Each time the resource changes.
        Always = "Always" = 2,
    }
}

proto_enum! {
    /// A side of a connection. API: type/v1beta1 `WorkloadMode`.
    pub enum WorkloadMode {
        /// Not written: both.
        Undefined = "UNDEFINED" = 0,
        /// Requests that the workload sends; all of a gateway's.
        Client = "CLIENT" = 1,
        /// Requests that the workload receives.
        Server = "SERVER" = 2,
        /// Both.
        ClientAndServer = "CLIENT_AND_SERVER" = 3,
    }
}

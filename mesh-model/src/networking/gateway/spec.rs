//! Gateway as it is written.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::name::StringMap;
use crate::object::{Kind, Object};
use crate::part::{ServerTlsSettings, is_default};

/// What gateway proxies listen to. API: networking.istio.io/v1 `Gateway`; which proxies serve it is T-400 to T-402.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Gateway {
    /// The listeners (T-406).
    #[serde(skip_serializing_if = "is_default")]
    pub servers: Vec<Server>,
    /// Labels that the gateway's pods carry; empty: every gateway (T-400).
    #[serde(skip_serializing_if = "is_default")]
    pub selector: StringMap,
}

impl Kind for Gateway {
    const KIND: &'static str = "Gateway";
    const GROUP: &'static str = "networking.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1", "v1alpha3"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

/// A port, and the hosts served on it.
/// API: networking.istio.io/v1 `Server`; servers of one port are merged as T-411 says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Server {
    /// The port (T-404).
    #[serde(skip_serializing_if = "is_default")]
    pub port: Option<Port>,
    /// Address or `unix://` path to listen at; empty: every address (T-405).
    #[serde(skip_serializing_if = "is_default")]
    pub bind: String,
    /// `host`, `namespace/host`, `./host` or `*/host` (T-415).
    #[serde(skip_serializing_if = "is_default")]
    pub hosts: Vec<String>,
    /// TLS; unset: none (T-406, T-430).
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Option<Box<ServerTlsSettings>>,
    /// Not implemented by Istio.
    #[serde(skip_serializing_if = "is_default")]
    pub default_endpoint: String,
    /// A name; unique among all gateways' servers where written (T-406).
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// A port that is listened to. API: networking.istio.io/v1 `Port`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Port {
    /// Its number: that of the gateway's Service, or of the listener itself (T-404).
    #[serde(skip_serializing_if = "is_default")]
    pub number: u32,
    /// `HTTP`, `HTTPS`, `GRPC`, `HTTP2`, `MONGO`, `TCP`, `TLS` (T-196).
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: String,
    /// Its name, unique in the Gateway (T-406).
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Deprecated and refused by validation (T-406).
    #[serde(skip_serializing_if = "is_default")]
    pub target_port: u32,
}

//! `GatewayClass` and `Gateway`.

use serde::{Deserialize, Serialize};

use super::{ObjectReference, kind};
use crate::diagnostic::Report;
use crate::name::StringMap;
use crate::object::{Body, Kind, Object};
use crate::part::LabelSelector;
use crate::part::is_default;

/// A class of gateways. API: gateway.networking.k8s.io/v1 `GatewayClass`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GatewayClass {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: GatewayClassSpec,
}

/// `spec` of a class. API: gateway.networking.k8s.io/v1 `GatewayClassSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GatewayClassSpec {
    /// Who serves its gateways.
    #[serde(skip_serializing_if = "is_default")]
    pub controller_name: String,
}

impl Kind for GatewayClass {
    const KIND: &'static str = "GatewayClass";
    const GROUP: &'static str = super::GROUP;
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::crd::check(object, report);
    }
}

/// Listeners of a gateway.
/// API: gateway.networking.k8s.io/v1 `Gateway`; VirtualServices cannot bind it by name (E-105).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct KubernetesGateway {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: GatewaySpec,
}

kind!(KubernetesGateway, "Gateway", ["v1", "v1beta1"]);

/// `spec` of a gateway. API: gateway.networking.k8s.io/v1 `GatewaySpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GatewaySpec {
    /// Its class.
    #[serde(skip_serializing_if = "is_default")]
    pub gateway_class_name: String,
    /// Its listeners.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<Listener>,
    /// A hostname makes an existing Service serve it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayAddress>,
    /// TLS of all listeners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<GatewayTls>,
}

/// An address. API: gateway.networking.k8s.io/v1 `GatewaySpecAddress`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GatewayAddress {
    /// `IPAddress` or `Hostname`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// Address, host name or short name of a Service.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// A port with its protocol. API: gateway.networking.k8s.io/v1 `Listener`; HTTP and HTTPS on one port are E-105.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Listener {
    /// Name, unique in the gateway.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Host that it serves; unset: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Port number of the gateway's Service.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u16,
    /// `HTTP`, `HTTPS`, `TLS` or `TCP`.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: String,
    /// TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// Routes that may be attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_routes: Option<AllowedRoutes>,
}

/// TLS of a listener. API: gateway.networking.k8s.io/v1 `ListenerTLSConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ListenerTls {
    /// `Terminate` (also where unset) or `Passthrough`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Secrets with the certificates (T-433).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificate_refs: Vec<ObjectReference>,
    /// Istio's own settings.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub options: StringMap,
}

/// Routes that may be attached to a listener. API: gateway.networking.k8s.io/v1 `AllowedRoutes`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct AllowedRoutes {
    /// Their namespaces; unset: the gateway's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<RouteNamespaces>,
    /// Their kinds; empty: all that fit the protocol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<RouteGroupKind>,
}

/// Namespaces of routes. API: gateway.networking.k8s.io/v1 `RouteNamespaces`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RouteNamespaces {
    /// `Same` (also where unset), `All` or `Selector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Labels of the namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// A kind of route. API: gateway.networking.k8s.io/v1 `RouteGroupKind`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RouteGroupKind {
    /// API group; unset: the Gateway API's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `HTTPRoute`, ...
    #[serde(skip_serializing_if = "is_default")]
    pub kind: String,
}

/// TLS of a gateway. API: gateway.networking.k8s.io/v1 `GatewayTLSConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GatewayTls {
    /// Certificates of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<FrontendTls>,
}

/// Certificates of clients, by port. API: gateway.networking.k8s.io/v1 `FrontendTLSConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct FrontendTls {
    /// For ports that are not named.
    #[serde(skip_serializing_if = "is_default")]
    pub default: FrontendTlsConfig,
    /// For single ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_port: Vec<PerPortTls>,
}

/// Certificates of clients at one port. API: gateway.networking.k8s.io/v1 `TLSPortConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PerPortTls {
    /// The port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u16,
    /// What is checked there.
    #[serde(skip_serializing_if = "is_default")]
    pub tls: FrontendTlsConfig,
}

/// What is checked of clients. API: gateway.networking.k8s.io/v1 `TLSConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct FrontendTlsConfig {
    /// Their certificates; unset: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<FrontendValidation>,
}

/// How certificates of clients are checked.
/// API: gateway.networking.k8s.io/v1 `FrontendTLSValidation`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct FrontendValidation {
    /// ConfigMaps or Secrets with the authorities; the first counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<ObjectReference>,
    /// `AllowValidOnly` (also where unset) or `AllowInsecureFallback`.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: String,
}

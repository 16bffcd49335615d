//! Kubernetes `Ingress` and `IngressClass`.

mod validate;

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::diagnostic::Report;
use crate::kubernetes::service::LoadBalancerStatus;
use crate::object::{Body, Kind, Object};

/// Routes at the edge of a cluster. API: networking.k8s.io/v1 `Ingress`; how Istio serves it is E-065.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Ingress {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: IngressSpec,
    /// What was granted.
    #[serde(skip_serializing_if = "is_default")]
    pub status: IngressStatus,
}

/// `spec` of an ingress. API: networking.k8s.io/v1 `IngressSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IngressSpec {
    /// Class that serves it; unset: the class annotation, else the default class (T-469, E-065).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_class_name: Option<String>,
    /// Where requests go that no rule takes (E-065).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_backend: Option<IngressBackend>,
    /// Certificates by host (E-065).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tls: Vec<IngressTls>,
    /// Rules by host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<IngressRule>,
}

/// A certificate. API: networking.k8s.io/v1 `IngressTLS`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IngressTls {
    /// Hosts it serves; empty: all of the ingress.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Secret that holds it.
    #[serde(skip_serializing_if = "is_default")]
    pub secret_name: String,
}

/// Routes of one host. API: networking.k8s.io/v1 `IngressRule`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IngressRule {
    /// Host, `*.` allowed as first label; empty: every host.
    #[serde(skip_serializing_if = "is_default")]
    pub host: String,
    /// Its HTTP paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpIngressRule>,
}

/// The paths of a rule. API: networking.k8s.io/v1 `HTTPIngressRuleValue`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpIngressRule {
    /// Paths and their backends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<HttpIngressPath>,
}

/// One path. API: networking.k8s.io/v1 `HTTPIngressPath`; order and suffixes are E-065.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpIngressPath {
    /// The path; its reading depends on `pathType`.
    #[serde(skip_serializing_if = "is_default")]
    pub path: String,
    /// `Exact`, `Prefix` or `ImplementationSpecific`; unset as the latter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_type: Option<String>,
    /// Where it goes.
    #[serde(skip_serializing_if = "is_default")]
    pub backend: IngressBackend,
}

/// Where requests go; one of the two fields. API: networking.k8s.io/v1 `IngressBackend`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IngressBackend {
    /// A service of the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<IngressServiceBackend>,
    /// Some other object; the mesh serves none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<TypedReference>,
}

/// A port of a service. API: networking.k8s.io/v1 `IngressServiceBackend`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IngressServiceBackend {
    /// Name of the service.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Its port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: ServiceBackendPort,
}

/// A port by name or number. API: networking.k8s.io/v1 `ServiceBackendPort`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceBackendPort {
    /// Name of the service port; empty where `number` is set.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Number of the service port; 0 where `name` is set.
    #[serde(skip_serializing_if = "is_default")]
    pub number: i32,
}

/// An object of the same namespace. API: core/v1 `TypedLocalObjectReference`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TypedReference {
    /// Its API group; empty: core.
    #[serde(skip_serializing_if = "is_default")]
    pub api_group: String,
    /// Its kind.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: String,
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// `status` of an ingress. API: networking.k8s.io/v1 `IngressStatus`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IngressStatus {
    /// Where it can be reached.
    #[serde(skip_serializing_if = "is_default")]
    pub load_balancer: LoadBalancerStatus,
}

/// A class of ingresses. API: networking.k8s.io/v1 `IngressClass`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IngressClass {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: IngressClassSpec,
}

/// `spec` of an ingress class. API: networking.k8s.io/v1 `IngressClassSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IngressClassSpec {
    /// Who serves the class; Istio's is `istio.io/ingress-controller`.
    #[serde(skip_serializing_if = "is_default")]
    pub controller: String,
}

impl Kind for Ingress {
    const KIND: &'static str = "Ingress";
    const GROUP: &'static str = "networking.k8s.io";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const BODY: Body = Body::Document;

    fn validate(object: &Object<Self>, report: &mut Report) {
        validate::validate(object, report);
    }
}

impl Kind for IngressClass {
    const KIND: &'static str = "IngressClass";
    const GROUP: &'static str = "networking.k8s.io";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;
}

//! Kubernetes `Service`: names, addresses and ports of a registry entry.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::check::{Checker, Path, port, value::one_of};
use crate::diagnostic::Report;
use crate::kubernetes::IntOrString;
use crate::kubernetes::open_enum::open_enum;
use crate::name::StringMap;
use crate::object::{Body, Kind, Object};

/// A Kubernetes service. API: core/v1 `Service`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Service {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: ServiceSpec,
    /// What a load balancer reported.
    #[serde(skip_serializing_if = "is_default")]
    pub status: ServiceStatus,
}

/// `spec` of a service. API: core/v1 `ServiceSpec`; how it is read is T-300 to T-310.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceSpec {
    /// How it is exposed; `ClusterIP` where unset.
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: ServiceType,
    /// First cluster address; `None` marks a headless service, empty: none assigned yet (T-300, T-301).
    #[serde(rename = "clusterIP", skip_serializing_if = "is_default")]
    pub cluster_ip: String,
    /// Cluster addresses of each IP family, the first equal to `clusterIP` (T-300).
    #[serde(rename = "clusterIPs", skip_serializing_if = "Vec::is_empty")]
    pub cluster_ips: Vec<String>,
    /// Further addresses at which nodes accept its traffic (T-309).
    #[serde(rename = "externalIPs", skip_serializing_if = "Vec::is_empty")]
    pub external_ips: Vec<String>,
    /// Host that an `ExternalName` service stands for (T-308).
    #[serde(skip_serializing_if = "is_default")]
    pub external_name: String,
    /// Labels of the pods behind it; empty: endpoints are managed by hand.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub selector: StringMap,
    /// Ports, each with a name where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServicePort>,
    /// Whether endpoints count before they are ready (T-312).
    #[serde(skip_serializing_if = "is_default")]
    pub publish_not_ready_addresses: bool,
    /// `ClientIP` or `None`; empty means `None` (T-305).
    #[serde(skip_serializing_if = "is_default")]
    pub session_affinity: String,
    /// `Cluster` or `Local`; empty means `Cluster` (T-304).
    #[serde(skip_serializing_if = "is_default")]
    pub internal_traffic_policy: String,
    /// `Cluster` or `Local`; empty means `Cluster` (T-305).
    #[serde(skip_serializing_if = "is_default")]
    pub external_traffic_policy: String,
    /// Preference for near endpoints (`PreferClose`, `PreferSameZone`, `PreferSameNode`); empty: none (T-259).
    #[serde(skip_serializing_if = "is_default")]
    pub traffic_distribution: String,
    /// `IPv4`, `IPv6`, in order of preference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip_families: Vec<String>,
    /// `SingleStack`, `PreferDualStack` or `RequireDualStack`.
    #[serde(skip_serializing_if = "is_default")]
    pub ip_family_policy: String,
    /// Requested address of the load balancer; deprecated by Kubernetes.
    #[serde(rename = "loadBalancerIP", skip_serializing_if = "is_default")]
    pub load_balancer_ip: String,
}

/// One port of a service. API: core/v1 `ServicePort`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServicePort {
    /// Name of the port; its prefix may choose the protocol (T-195).
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Transport; `TCP` where unset.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: Protocol,
    /// Application protocol; wins over the name's prefix (T-195).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
    /// Port number of the service.
    #[serde(skip_serializing_if = "is_default")]
    pub port: i32,
    /// Port of the pod by number or container port name; unset: the same as `port` (T-310, E-046).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_port: Option<IntOrString>,
    /// Port on every node; 0: none (T-309).
    #[serde(skip_serializing_if = "is_default")]
    pub node_port: i32,
}

/// `status` of a service. API: core/v1 `ServiceStatus`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Where the load balancer can be reached.
    #[serde(skip_serializing_if = "is_default")]
    pub load_balancer: LoadBalancerStatus,
}

/// Addresses of a load balancer. API: core/v1 `LoadBalancerStatus`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LoadBalancerStatus {
    /// Entry points.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<LoadBalancerIngress>,
}

/// One entry point of a load balancer. API: core/v1 `LoadBalancerIngress`; read for other networks' gateways (T-309).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LoadBalancerIngress {
    /// Its IP address; empty where it has a host name.
    #[serde(skip_serializing_if = "is_default")]
    pub ip: String,
    /// Its host name; empty where it has an address.
    #[serde(skip_serializing_if = "is_default")]
    pub hostname: String,
}

open_enum! {
    /// How a service is exposed. API: core/v1 `ServiceType`; read as T-301 and T-309 say.
    ServiceType {
        /// On a cluster address.
        ClusterIp = "ClusterIP",
        /// On a port of every node too.
        NodePort = "NodePort",
        /// Behind an external load balancer too.
        LoadBalancer = "LoadBalancer",
        /// A DNS alias of an outside host.
        ExternalName = "ExternalName",
    }
}

open_enum! {
    /// Transport protocol of a port. API: core/v1 `Protocol`.
    Protocol {
        /// TCP.
        Tcp = "TCP",
        /// UDP.
        Udp = "UDP",
        /// SCTP.
        Sctp = "SCTP",
    }
}

impl Kind for Service {
    const KIND: &'static str = "Service";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const BODY: Body = Body::Document;

    fn validate(object: &Object<Self>, report: &mut Report) {
        validate(&object.spec.spec, &mut Checker::new(object, report));
    }
}

/// What the API server refuses, of the fields that are read.
fn validate(spec: &ServiceSpec, check: &mut Checker<'_>) {
    let root = Path::Root("spec");
    if let ServiceType::Other(word) = &spec.r#type {
        check.check(&root.field("type"), one_of(word, ServiceType::WORDS));
    }
    let ports = root.field("ports");
    for (index, written) in spec.ports.iter().enumerate() {
        let at = ports.index(index);
        if let Protocol::Other(word) = &written.protocol {
            check.check(&at.field("protocol"), one_of(word, Protocol::WORDS));
        }
        check.check(&at.field("port"), port::number(written.port));
        if let Some(IntOrString::Int(number)) = written.target_port {
            check.check(&at.field("targetPort"), port::number(number));
        }
        // 0 is what an unset one reads as.
        if written.node_port != 0 {
            check.check(&at.field("nodePort"), port::number(written.node_port));
        }
    }
}

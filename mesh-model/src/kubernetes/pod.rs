//! Kubernetes `Pod`: a workload instance.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::kubernetes::Protocol;
use crate::kubernetes::open_enum::open_enum;
use crate::object::{Body, Kind};

/// A Kubernetes pod. API: core/v1 `Pod`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Pod {
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: PodSpec,
    /// What the kubelet reported.
    #[serde(skip_serializing_if = "is_default")]
    pub status: PodStatus,
}

/// `spec` of a pod. API: core/v1 `PodSpec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    /// Application containers, and the sidecar once injected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// Containers that run before; a native sidecar is one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<Container>,
    /// Node it was placed on; empty: not scheduled (T-314).
    #[serde(skip_serializing_if = "is_default")]
    pub node_name: String,
    /// Service account; empty means `default`.
    #[serde(skip_serializing_if = "is_default")]
    pub service_account_name: String,
    /// Older spelling of `serviceAccountName`; deprecated by Kubernetes.
    #[serde(skip_serializing_if = "is_default")]
    pub service_account: String,
    /// Whether it shares the node's network.
    #[serde(skip_serializing_if = "is_default")]
    pub host_network: bool,
    /// Its host name; empty: the pod's name.
    #[serde(skip_serializing_if = "is_default")]
    pub hostname: String,
    /// Headless service that gives it a DNS name.
    #[serde(skip_serializing_if = "is_default")]
    pub subdomain: String,
    /// Identity that its processes run under.
    #[serde(skip_serializing_if = "is_default")]
    pub security_context: SecurityContext,
}

/// One container. API: core/v1 `Container`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    /// Name, unique in the pod.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Image reference.
    #[serde(skip_serializing_if = "is_default")]
    pub image: String,
    /// Ports it declares; a declaration opens nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
    /// `Always` on an init container makes it a native sidecar; else empty.
    #[serde(skip_serializing_if = "is_default")]
    pub restart_policy: String,
    /// Environment variables written as plain values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Identity of this container; wins over the pod's.
    #[serde(skip_serializing_if = "is_default")]
    pub security_context: SecurityContext,
}

/// A declared port. API: core/v1 `ContainerPort`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerPort {
    /// Name that a service's `targetPort` may use.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Port number in the pod.
    #[serde(skip_serializing_if = "is_default")]
    pub container_port: i32,
    /// Port number on the node; 0: none.
    #[serde(skip_serializing_if = "is_default")]
    pub host_port: i32,
    /// Transport; `TCP` where unset.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: Protocol,
}

/// An environment variable. API: core/v1 `EnvVar`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVar {
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Its value; empty where it comes from elsewhere.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// Identity of processes. API: core/v1 `SecurityContext` and `PodSecurityContext`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityContext {
    /// Numeric user id; unset: the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_user: Option<i64>,
}

/// `status` of a pod. API: core/v1 `PodStatus`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PodStatus {
    /// Point in its life; unset: not reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<PodPhase>,
    /// First address; empty: none yet.
    #[serde(rename = "podIP", skip_serializing_if = "is_default")]
    pub pod_ip: String,
    /// Addresses of each IP family, the first equal to `podIP`.
    #[serde(rename = "podIPs", skip_serializing_if = "Vec::is_empty")]
    pub pod_ips: Vec<PodIp>,
    /// Address of its node.
    #[serde(rename = "hostIP", skip_serializing_if = "is_default")]
    pub host_ip: String,
    /// Conditions, `Ready` among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<PodCondition>,
}

/// One pod address. API: core/v1 `PodIP`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PodIp {
    /// The address.
    #[serde(skip_serializing_if = "is_default")]
    pub ip: String,
}

/// A condition of a pod. API: core/v1 `PodCondition`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PodCondition {
    /// `Ready`, `ContainersReady`, `PodScheduled`, ...
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    #[serde(skip_serializing_if = "is_default")]
    pub status: String,
}

open_enum! {
    /// Point in a pod's life. API: core/v1 `PodPhase`.
    PodPhase {
        /// The kubelet has lost sight of it.
        Unknown = "Unknown",
        /// Not all containers have started.
        Pending = "Pending",
        /// At least one container runs.
        Running = "Running",
        /// Ended well.
        Succeeded = "Succeeded",
        /// Ended badly.
        Failed = "Failed",
    }
}

impl PodSpec {
    /// The service account it runs as: `default` where none is named.
    pub fn service_account(&self) -> &str {
        [self.service_account_name.as_str(), self.service_account.as_str()]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or("default")
    }
}

impl PodStatus {
    /// Whether the `Ready` condition holds.
    pub fn is_ready(&self) -> bool {
        self.conditions.iter().any(|condition| condition.r#type == "Ready" && condition.status == "True")
    }
}

impl Kind for Pod {
    const KIND: &'static str = "Pod";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const BODY: Body = Body::Document;
}

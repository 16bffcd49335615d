//! Sidecar as it is written.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::object::{Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{
    ConnectionPoolSettings, Destination, NetworkingWorkloadSelector, ServerTlsSettings, is_default,
};

/// What sidecars see and serve. API: networking.istio.io/v1 `Sidecar`; which one counts is T-370.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Sidecar {
    /// The workloads that it is for, in its namespace; unset: all (T-370).
    #[serde(skip_serializing_if = "is_default")]
    pub workload_selector: Option<NetworkingWorkloadSelector>,
    /// Inbound listeners; written, they replace those of the services (T-390).
    #[serde(skip_serializing_if = "is_default")]
    pub ingress: Vec<IstioIngressListener>,
    /// What can be reached; empty: all that is exported (T-372).
    #[serde(skip_serializing_if = "is_default")]
    pub egress: Vec<IstioEgressListener>,
    /// Limits of connections to the application, for every port (T-393).
    #[serde(skip_serializing_if = "is_default")]
    pub inbound_connection_pool: Option<ConnectionPoolSettings>,
    /// What becomes of unknown traffic; replaces the mesh's setting whole (T-385).
    #[serde(skip_serializing_if = "is_default")]
    pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
}

impl Kind for Sidecar {
    const KIND: &'static str = "Sidecar";
    const GROUP: &'static str = "networking.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1", "v1alpha3"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

/// An inbound listener (T-391). API: networking.istio.io/v1 `IstioIngressListener`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IstioIngressListener {
    /// The port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: Option<SidecarPort>,
    /// Address to listen at; empty: the workload's (T-391).
    #[serde(skip_serializing_if = "is_default")]
    pub bind: String,
    /// How traffic comes to the listener (T-376).
    #[serde(skip_serializing_if = "is_default")]
    pub capture_mode: CaptureMode,
    /// Where the application listens, `127.0.0.1:port`, `0.0.0.0:port` or `unix://` path; empty: where the client
    /// asked for (T-391).
    #[serde(skip_serializing_if = "is_default")]
    pub default_endpoint: String,
    /// TLS that the sidecar terminates on its own account (T-392).
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Option<ServerTlsSettings>,
    /// Limits of connections to the application on this port (T-393).
    #[serde(skip_serializing_if = "is_default")]
    pub connection_pool: Option<ConnectionPoolSettings>,
}

/// What can be reached, on one port or on all (T-372..T-377). API: networking.istio.io/v1 `IstioEgressListener`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IstioEgressListener {
    /// The port; unset: every port that no other listener names (T-375).
    #[serde(skip_serializing_if = "is_default")]
    pub port: Option<SidecarPort>,
    /// Address or `unix://` path to listen at; empty: the services' own addresses (T-376).
    #[serde(skip_serializing_if = "is_default")]
    pub bind: String,
    /// How traffic comes to the listener (T-376).
    #[serde(skip_serializing_if = "is_default")]
    pub capture_mode: CaptureMode,
    /// `namespace/host`, where `.`, `*`, `~` stand for own, any, not (T-372).
    #[serde(skip_serializing_if = "is_default")]
    pub hosts: Vec<String>,
}

/// A port that is listened to. API: networking.istio.io/v1 `SidecarPort`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct SidecarPort {
    /// Its number; 0 with a `unix://` path (T-376).
    #[serde(skip_serializing_if = "is_default")]
    pub number: u32,
    /// Its protocol (T-196); empty: sniffed.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: String,
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Deprecated and without effect (T-394).
    #[serde(skip_serializing_if = "is_default")]
    pub target_port: u32,
}

proto_enum! {
    /// How traffic comes to a listener (T-376). API: networking.istio.io/v1 `CaptureMode`.
    pub enum CaptureMode {
        /// As the proxy is set up.
        Default = "DEFAULT" = 0,
        /// By redirection.
        Iptables = "IPTABLES" = 1,
        /// Sent to the listener by the client itself.
        None = "NONE" = 2,
    }
}

/// What becomes of traffic to hosts that are not known (T-385). API: networking.istio.io/v1 `OutboundTrafficPolicy`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct OutboundTrafficPolicy {
    /// Unwritten is REGISTRY_ONLY (T-385).
    #[serde(skip_serializing_if = "is_default")]
    pub mode: OutboundTrafficPolicyMode,
    /// Where it goes, with `ALLOW_ANY` only (T-385, T-483).
    #[serde(skip_serializing_if = "is_default")]
    pub egress_proxy: Option<Destination>,
}

proto_enum! {
    /// Whether unknown hosts can be reached (T-385). API: networking.istio.io/v1 `OutboundTrafficPolicy.Mode`.
    pub enum OutboundTrafficPolicyMode {
        /// No.
        RegistryOnly = "REGISTRY_ONLY" = 0,
        /// Yes.
        AllowAny = "ALLOW_ANY" = 1,
    }
}

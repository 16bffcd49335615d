//! Messages that several kinds share, as the API writes them.
//!
//! The types are one to one with protobuf's: a scalar without a wrapper is plain (unwritten equals zero), wrappers and
//! messages are `Option`s (written empty differs from unwritten), and each member of a oneof is an `Option` of its own.

mod connection_pool;
mod destination;
mod http;
mod istio_status;
mod label_selector;
mod load_balancer;
mod locality;
mod outlier_detection;
pub(crate) mod proto_enum;
mod readiness_probe;
mod selector;
mod string_match;
mod target_reference;
#[cfg(test)]
mod tests;
mod tls;
mod traffic_policy;

pub use connection_pool::{
    ConnectionKeepalive, ConnectionPoolSettings, H2UpgradePolicy, HttpSettings, TcpKeepalive, TcpSettings,
};
pub use destination::{Destination, PortSelector};
pub use http::{GRPC_STATUS, HeaderOperations, Headers, HttpRetry, Percent};
pub use istio_status::{AnalysisLevel, AnalysisMessage, AnalysisMessageType, IstioCondition, IstioStatus};
pub use label_selector::{LabelSelector, LabelSelectorRequirement};
pub use load_balancer::{
    BackendUtilization, ConsistentHashLb, HttpCookie, HttpCookieAttribute, LoadBalancerSettings, MagLev,
    RingHash, SimpleLb, WarmupConfiguration,
};
pub use locality::{
    LocalityDistribute, LocalityFailover, LocalityLoadBalancerSetting, ZoneAwareFailover,
    ZoneAwareLoadBalancerSetting,
};
pub use outlier_detection::OutlierDetection;
pub use proto_enum::UnknownVariant;
pub use readiness_probe::{
    ExecHealthCheck, GrpcHealthCheck, HttpHeader, HttpHealthCheck, ProbeMethod, ReadinessProbe,
    TcpHealthCheck,
};
pub use selector::{NetworkingWorkloadSelector, WorkloadSelector};
pub use string_match::StringMatch;
pub use target_reference::PolicyTargetReference;
pub use tls::{
    CIPHER_SUITES, ClientTlsMode, ClientTlsSettings, ServerTlsMode, ServerTlsSettings, TlsCertificate,
    TlsProtocol,
};
pub use traffic_policy::{
    PortTrafficPolicy, ProxyProtocol, ProxyProtocolVersion, RetryBudget, TrafficPolicy, TunnelSettings,
};

/// Whether a field can be left out when printing: in proto3 an unwritten field and one at its zero value are one.
///
/// `Some(0)` and `Some({})` are not the default of an `Option`, so wrappers and messages keep their presence.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

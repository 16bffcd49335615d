//! Names of clusters, and the server names that gateways read them from.

use std::sync::Arc;

/// The cluster for traffic that must not go anywhere.
pub const BLACK_HOLE: &str = "BlackHoleCluster";
/// The cluster for outbound traffic that goes where it was going.
pub const PASSTHROUGH: &str = "PassthroughCluster";
/// The same for inbound traffic.
pub const INBOUND_PASSTHROUGH: &str = "InboundPassthroughCluster";
/// The cluster for outbound HTTP whose host is looked up in DNS (T-485).
pub const ALLOW_ANY_DYNAMIC_DNS: &str = "AllowAnyDynamicDNSCluster";

/// `outbound|9080|v1|reviews.default.svc.cluster.local`; `subset` may be empty.
pub fn cluster_name(direction: ClusterDirection, port: u16, subset: &str, host: &str) -> Arc<str> {
    format!("{}|{port}|{subset}|{host}", direction.as_str()).into()
}

/// The cluster of a service port, or of a subset of it; `subset` may be empty.
pub fn outbound(port: u16, subset: &str, host: &str) -> Arc<str> {
    cluster_name(ClusterDirection::Outbound, port, subset, host)
}

/// `inbound|9080||`: the cluster of a port of the workload.
pub fn inbound(port: u16) -> Arc<str> {
    cluster_name(ClusterDirection::Inbound, port, "", "")
}

/// `outbound_.9080_.v1_.reviews.default.svc.cluster.local`: the SNI of mesh mTLS (T-282), and the name of clusters at
/// `AUTO_PASSTHROUGH` gateways (T-427).
pub fn sni(port: u16, subset: &str, host: &str) -> Arc<str> {
    format!("outbound_.{port}_.{subset}_.{host}").into()
}

/// The host that a cluster of a service is named after, in either form; empty: the cluster is of no service.
///
/// ```
/// # use mesh_compile::proxy::clusters::names::{PASSTHROUGH, host_of};
/// assert_eq!(host_of("outbound|9080|v1|reviews.shop.svc.cluster.local"), "reviews.shop.svc.cluster.local");
/// assert_eq!(host_of("outbound_.443_._.a.example"), "a.example");
/// assert_eq!(host_of(PASSTHROUGH), "");
/// ```
pub fn host_of(cluster: &str) -> &str {
    let is_server_name = cluster.starts_with("outbound_.") || cluster.starts_with("inbound_.");
    let separator = if is_server_name { "_." } else { "|" };
    cluster.rsplit_once(separator).map_or("", |(_, host)| host)
}

/// Which side of a workload a cluster is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterDirection {
    /// Towards a service.
    Outbound,
    /// Towards the application beside the proxy.
    Inbound,
}

impl ClusterDirection {
    fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }
}

//! Names of clusters, and the server names that gateways read them from. Names are those of T-150.

use std::cell::Cell;
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
    named([direction.as_str(), "|", "|", "|"], port, subset, host)
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
    named(["outbound", "_.", "_.", "_."], port, subset, host)
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

/// Which side of a workload a cluster is on (T-150, T-491).
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

/// What stands before and between the parts of a name, and the parts. Put together by hand: it is done for every
/// cluster and destination, and formatting took a tenth of the time that a proxy's whole configuration does.
fn named([first, second, third, fourth]: [&str; 4], port: u16, subset: &str, host: &str) -> Arc<str> {
    with_text(|name| {
        name.push_str(first);
        name.push_str(second);
        push_decimal(name, port);
        name.push_str(third);
        name.push_str(subset);
        name.push_str(fourth);
        name.push_str(host);
    })
}

/// A text that is put together in room which is used again and again.
pub(in crate::proxy) fn with_text(write: impl FnOnce(&mut String)) -> Arc<str> {
    thread_local! {
        static ROOM: Cell<String> = const { Cell::new(String::new()) };
    }
    ROOM.with(|room| {
        let mut text = room.take();
        text.clear();
        write(&mut text);
        let made = Arc::from(text.as_str());
        room.set(text);
        made
    })
}

/// Appends a number in decimal.
pub(in crate::proxy) fn push_decimal(text: &mut String, number: u16) {
    let digits = [10_000, 1_000, 100, 10, 1].map(|unit| (unit, number / unit % 10));
    let shown = digits.into_iter().skip_while(|(unit, digit)| *digit == 0 && *unit > 1);
    text.extend(shown.filter_map(|(_, digit)| char::from_digit(digit.into(), 10)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_formatting_gives() {
        for port in (0..=u16::MAX).step_by(7).chain([1, 9, 10, 99, 100, 9_999, 10_000, u16::MAX]) {
            assert_eq!(&*outbound(port, "v1", "a.b"), format!("outbound|{port}|v1|a.b"));
            assert_eq!(&*sni(port, "", "a.b"), format!("outbound_.{port}_._.a.b"));
            assert_eq!(&*inbound(port), format!("inbound|{port}||"));
        }
    }
}

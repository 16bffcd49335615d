//! Which endpoints and addresses of a service count for a proxy (T-304, T-341, T-345).

use std::net::IpAddr;
use std::sync::Arc;

use crate::proxy_identity::{Families, Proxy};
use crate::registry::endpoint::Endpoint;
use crate::registry::service::{Service, ServicePort};
use crate::snapshot::MeshSnapshot;

/// Proxy metadata: the Kubernetes node it runs on.
const NODE_NAME: &str = "NODE_NAME";

/// Endpoints of a service port, without those of other clusters where the service is cluster-local, and without those of
/// other nodes where it is node-local.
pub(super) fn endpoints(
    snapshot: &MeshSnapshot,
    proxy: &Proxy,
    service: &Service,
    port: &ServicePort,
) -> Vec<Arc<Endpoint>> {
    let own_cluster_only = service.node_local || snapshot.cluster_local.contains(&service.hostname);
    let node = proxy.metadata.get(NODE_NAME).map_or("", String::as_str);
    let all = snapshot.registry.port_endpoints(service, port);
    all.filter(|endpoint| !own_cluster_only || endpoint.cluster == proxy.cluster_id)
        .filter(|endpoint| !service.node_local || &*endpoint.node == node)
        .cloned()
        .collect()
}

/// The addresses at which a proxy dials a service: those of its own cluster, else auto-allocated ones where it uses
/// them, of its address family; else the default (T-305, T-341).
pub(super) fn addresses(proxy: &Proxy, service: &Service) -> Vec<Arc<str>> {
    let mut found = service.cluster_vips.get(&proxy.cluster_id).cloned().unwrap_or_default();
    if found.is_empty() && uses_auto_addresses(proxy) {
        let (v4, v6) = &service.auto_vips;
        found.extend(v4.iter().chain(v6).cloned());
    }
    let families = proxy.families();
    // One of both families dials those of the first's: listeners have one address each.
    let kept = match found.first().and_then(|first| ip_of(first)) {
        Some(first) if families.v4 && families.v6 => Families { v4: first.is_ipv4(), v6: first.is_ipv6() },
        _ => families,
    };
    found.retain(|address| is_of_family(address, kept));
    if !found.is_empty() {
        return found;
    }
    let default = Arc::clone(&service.default_address);
    // An address of another cluster in the other family cannot be reached; one that was written in a ServiceEntry can.
    if service.cluster_vips.is_empty() || is_of_family(&default, families) {
        vec![default]
    } else {
        Vec::new()
    }
}

/// Whether the proxy answers DNS itself and so may hand out addresses that exist nowhere else (T-341).
fn uses_auto_addresses(proxy: &Proxy) -> bool {
    let is_true =
        |key: &str| proxy.metadata.get(key).is_some_and(|value| matches!(value.as_str(), "true" | "1"));
    is_true("DNS_CAPTURE") || is_true("ISTIO_META_DNS_CAPTURE")
}

/// Whether an IP or CIDR is of the proxy's families.
fn is_of_family(address: &str, proxy: Families) -> bool {
    ip_of(address).is_some_and(|ip| proxy.has(ip))
}

/// The IP of an address or CIDR.
fn ip_of(address: &str) -> Option<IpAddr> {
    address.split_once('/').map_or(address, |(ip, _)| ip).parse().ok()
}

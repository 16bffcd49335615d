//! Which cluster a destination stands for (T-150 to T-153).

use std::sync::Arc;

use mesh_model::name::MESH_GATEWAY;
use mesh_model::part::Destination;

use super::RouteContext;
use crate::proxy::clusters::names::outbound as cluster_name;
use crate::registry::service::Service;

/// The cluster of a destination, where the service behind it is known and `port` is the listener's (T-150, T-152).
///
/// A service with exactly one port lends its number; an ExternalName service stands for its target.
pub(crate) fn destination_cluster(
    destination: &Destination,
    service: Option<&Service>,
    port: u16,
) -> Arc<str> {
    if destination.host.is_empty() {
        // A backend that could not be resolved (Gateway API).
        return "UnknownService".into();
    }
    let host = service.and_then(|service| service.external_name.as_deref()).unwrap_or(&destination.host);
    let number = match (&destination.port, service.map(|service| service.ports.as_slice())) {
        (Some(port), _) => port.number,
        (None, Some([only])) => u32::from(only.number),
        (None, _) => u32::from(port),
    };
    format!("outbound|{number}|{}|{host}", destination.subset).into()
}

/// The same in the context of HTTP routes.
pub(super) fn cluster(destination: &Destination, context: &RouteContext<'_, '_>) -> Arc<str> {
    let service = (context.known)(&destination.host);
    if destination.port.is_none() && context.gateway == MESH_GATEWAY && context.port != 0 {
        // In a sidecar's table services are known by the table's port alone, so it is always taken (T-150).
        let host = service.and_then(|service| service.external_name.as_deref()).unwrap_or(&destination.host);
        if !destination.host.is_empty() {
            return cluster_name(context.port, &destination.subset, host);
        }
    }
    destination_cluster(destination, service, context.port)
}

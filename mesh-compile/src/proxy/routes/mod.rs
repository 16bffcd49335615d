//! HTTP routes from the `http` entries of a VirtualService, for sidecars and gateways alike (T-115 to T-185).

use mesh_model::diagnostic::Report;

use crate::merge::virtual_service::MergedVirtualService;
use crate::registry::service::Service;
use crate::route_table::Route;
use crate::view::View;

/// Where routes are compiled for.
pub struct RouteContext<'c, 's> {
    /// What the proxy may see.
    pub view: &'c View<'s>,
    /// Listener port, or `server.port.number` at gateways (T-116).
    pub port: u16,
    /// `mesh`, or the gateway as `ns/name`.
    pub gateway: &'c str,
    /// The server terminates TLS (T-171).
    pub tls: bool,
    /// Services known here, for ports that a destination leaves out (T-150, T-151).
    pub known: &'c dyn Fn(&str) -> Option<&'c Service>,
}

impl std::fmt::Debug for RouteContext<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RouteContext")
            .field("port", &self.port)
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

/// The routes of a VirtualService in this context, in order; empty: it contributes nothing (T-104).
pub fn http_routes(
    service: &MergedVirtualService,
    context: &RouteContext<'_, '_>,
    report: &mut Report,
) -> Vec<Route> {
    let _ = (service, context, report);
    Vec::new()
}

//! Byte streams: a TCP server, or one whose TLS is terminated, takes the first fitting `tcp` route (T-425, T-192).

use mesh_model::diagnostic::Report;

use super::hosts;
use super::servers::GatewayServer;
use crate::proxy::listener::TcpProxy;
use crate::proxy::policies::Policies;
use crate::proxy::tcp_proxy;
use crate::view::View;

/// The proxy of the first VirtualService with a `tcp` route for this server; `None`: nothing is served.
pub(super) fn first_route(
    view: &View<'_>,
    server: &GatewayServer<'_>,
    policies: &Policies,
    report: &mut Report,
) -> Option<TcpProxy> {
    for service in view.gateway_virtual_services(&server.gateway) {
        if !hosts::overlap(&server.hosts, &service.spec.hosts, &service.namespace) {
            continue;
        }
        for (index, tcp) in service.spec.tcp.iter().enumerate() {
            let applies = tcp.r#match.is_empty()
                || tcp.r#match.iter().any(|condition| fits(server, condition.port, &condition.gateways));
            if applies && !tcp.route.is_empty() {
                let origin = service.tcp_origin(index);
                let mut proxy = tcp_proxy::to_routes(view, &tcp.route, server.number, &origin, report)?;
                proxy.authz = policies.tcp.clone();
                return Some(proxy);
            }
        }
    }
    None
}

/// L4 matches at gateways look at port and gateways only (T-192).
pub(super) fn fits(server: &GatewayServer<'_>, port: u32, gateways: &[String]) -> bool {
    (port == 0 || port == u32::from(server.number))
        && (gateways.is_empty() || gateways.iter().any(|gateway| *gateway == *server.gateway))
}

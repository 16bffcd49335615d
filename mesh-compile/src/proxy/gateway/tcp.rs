//! Byte streams: a TCP server, or one whose TLS is terminated, takes the first fitting `tcp` route (T-425, T-192), or
//! that of a TLSRoute whose listener terminates (`core/gateway.go`, `buildGatewayNetworkFiltersFromTCPRoutes`).

use mesh_model::diagnostic::Report;
use mesh_model::networking::virtual_service::spec::{TlsMatchAttributes, TlsRoute};

use super::hosts;
use super::servers::GatewayServer;
use crate::merge::virtual_service::{MergedVirtualService, RouteSemantics};
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
        if let Some((index, tls)) = first_tls_route(&service, server) {
            let origin = service.tls_origin(index);
            let mut proxy = tcp_proxy::to_routes(view, &tls.route, server.number, &origin, report)?;
            proxy.authz = policies.tcp.clone();
            return Some(proxy);
        }
    }
    None
}

/// The first `tls` route of a TLSRoute for a server that terminates: its server names were those of the listener already
/// when it was attached, and are not looked at again. What somebody wrote as a VirtualService has none here.
fn first_tls_route<'r>(
    service: &'r MergedVirtualService,
    server: &GatewayServer<'_>,
) -> Option<(usize, &'r TlsRoute)> {
    if service.semantics != RouteSemantics::GatewayApi {
        return None;
    }
    let fits = |condition: &TlsMatchAttributes| fits(server, condition.port, &condition.gateways);
    service.spec.tls.iter().enumerate().find(|(_, tls)| tls.r#match.iter().any(fits))
}

/// L4 matches at gateways look at port and gateways only (T-192).
pub(super) fn fits(server: &GatewayServer<'_>, port: u32, gateways: &[String]) -> bool {
    (port == 0 || port == u32::from(server.number))
        && (gateways.is_empty() || gateways.iter().any(|gateway| *gateway == *server.gateway))
}

//! TLS that is forwarded as it is: by the `tls` routes of VirtualServices, or to the cluster that the server name
//! spells out (T-426, T-427, E-066).

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::name::{Protocol, host_subset_of};
use mesh_model::networking::virtual_service::spec::{TlsMatchAttributes, TlsRoute};
use mesh_model::origin::Origin;
use mesh_model::part::ServerTlsMode;

use super::servers::GatewayServer;
use super::{hosts, tcp};
use crate::merge::virtual_service::MergedVirtualService;
use crate::proxy::listener::{ChainMatch, FilterChain, Network, TcpProxy};
use crate::proxy::policies::Policies;
use crate::proxy::tcp_proxy;
use crate::registry::service::{Service, ServicePort};
use crate::view::View;

/// ALPN of mesh TLS: only clients of the mesh may name clusters (T-427).
const MESH_ALPN: [&str; 5] = ["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"];

/// Server names that `tls` routes have taken: port, bind, name as written. The first match has them (T-426).
#[derive(Debug, Default)]
pub(super) struct TakenNames(BTreeSet<(u16, String, String)>);

impl TakenNames {
    /// Takes all names, or none and says which one is gone.
    fn take<'n>(&mut self, server: &GatewayServer<'_>, names: &'n [String]) -> Result<(), &'n str> {
        let key = |name: &String| (server.listen_port, server.bind().to_owned(), name.clone());
        if let Some(gone) = names.iter().find(|name| self.0.contains(&key(name))) {
            return Err(gone);
        }
        self.0.extend(names.iter().map(key));
        Ok(())
    }
}

/// The chains of a server that does not terminate TLS.
pub(super) fn chains(
    view: &View<'_>,
    server: &GatewayServer<'_>,
    policies: &Policies,
    taken: &mut TakenNames,
    report: &mut Report,
) -> Vec<FilterChain> {
    if server.tls().is_some_and(|tls| tls.mode == ServerTlsMode::AutoPassthrough) {
        return by_cluster_name(view, server);
    }
    let mut chains = Vec::new();
    for service in view.gateway_virtual_services(&server.gateway) {
        if !hosts::overlap(&server.hosts, &service.spec.hosts, &service.namespace) {
            continue;
        }
        for (index, tls) in service.spec.tls.iter().enumerate().filter(|(_, tls)| !tls.route.is_empty()) {
            let route = Route { server, service: &service, index, tls };
            chains.extend(route.chains(view, policies, taken, report));
        }
    }
    chains
}

/// A `tls` entry of a VirtualService at a server.
struct Route<'r> {
    server: &'r GatewayServer<'r>,
    service: &'r MergedVirtualService,
    index: usize,
    tls: &'r TlsRoute,
}

impl Route<'_> {
    /// A chain per fitting match; its names are the match's own, whatever hosts the server has (T-426).
    fn chains(
        &self,
        view: &View<'_>,
        policies: &Policies,
        taken: &mut TakenNames,
        report: &mut Report,
    ) -> Vec<FilterChain> {
        let mut chains = Vec::new();
        for (position, condition) in self.tls.r#match.iter().enumerate() {
            if !tcp::fits(self.server, condition.port, &condition.gateways) {
                continue;
            }
            let origin = self.service.tls_match_origin(self.index, position);
            if let Err(gone) = taken.take(self.server, &condition.sni_hosts) {
                let message =
                    format!("server name `{gone}` is already routed on port {}", self.server.listen_port);
                let help = "match other server names, or remove one of the two";
                report.push(Diagnostic::new(Code::ServerRejected, &origin, message).help(help));
                continue;
            }
            chains.extend(self.chain(condition, origin, view, policies, report));
        }
        chains
    }

    fn chain(
        &self,
        condition: &TlsMatchAttributes,
        origin: Origin,
        view: &View<'_>,
        policies: &Policies,
        report: &mut Report,
    ) -> Option<FilterChain> {
        let mut proxy = tcp_proxy::to_routes(
            view,
            &self.tls.route,
            self.server.number,
            &self.service.tls_origin(self.index),
            report,
        )?;
        proxy.authz = policies.tcp.clone();
        Some(FilterChain {
            name: format!("{} {}", self.server.gateway, condition.sni_hosts.join(",")).into(),
            matches: ChainMatch {
                server_names: hosts::server_names(condition.sni_hosts.iter().map(String::as_str)),
                ..ChainMatch::default()
            },
            tls: None,
            network: Network::Tcp(Box::new(proxy)),
            max_connections: None,
            origin,
        })
    }
}

/// AUTO_PASSTHROUGH: a chain per service port and subset that the server's hosts cover, without policies (T-427).
/// Services outside the mesh have none, services without sidecars do (E-066).
fn by_cluster_name(view: &View<'_>, server: &GatewayServer<'_>) -> Vec<FilterChain> {
    let covers = |service: &Service| {
        let mut names = server.hosts.iter().map(|host| hosts::without_namespace(host));
        names.any(|host| host_subset_of(&service.hostname, host))
    };
    let mut chains = Vec::new();
    for service in &view.scope().services {
        if service.mesh_external || !covers(service) {
            continue;
        }
        for port in service.ports.iter().filter(|port| port.protocol != Protocol::Udp) {
            chains.extend(of_port(view, server, service, port));
        }
    }
    chains
}

fn of_port(
    view: &View<'_>,
    server: &GatewayServer<'_>,
    service: &Service,
    port: &ServicePort,
) -> Vec<FilterChain> {
    let rule = view.destination_rule(&service.hostname, &service.namespace);
    let subsets = rule.iter().flat_map(|rule| rule.spec.subsets.iter().map(|subset| subset.name.as_str()));
    std::iter::once("")
        .chain(subsets)
        .map(|subset| {
            let cluster: Arc<str> =
                format!("outbound_.{}_.{subset}_.{}", port.number, service.hostname).into();
            let origin = server.origin.clone();
            let mut proxy =
                tcp_proxy::to_cluster(view, Arc::clone(&cluster), rule.as_deref(), subset, origin.clone());
            // What is passed on by name is passed on as it is (T-427).
            proxy.tunnel = None;
            chain_named(&cluster, proxy, origin)
        })
        .collect()
}

/// The chain that the cluster's name as server name leads to; case does not count (E-066).
fn chain_named(cluster: &Arc<str>, proxy: TcpProxy, origin: Origin) -> FilterChain {
    FilterChain {
        name: Arc::clone(cluster),
        matches: ChainMatch {
            server_names: hosts::server_names(std::iter::once(&**cluster)),
            application_protocols: MESH_ALPN.iter().map(|name| Arc::from(*name)).collect(),
            ..ChainMatch::default()
        },
        tls: None,
        network: Network::Tcp(Box::new(proxy)),
        max_connections: None,
        origin,
    }
}

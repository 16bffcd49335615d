//! Chains of ports that carry bytes: `tcp` routes, else one chain to the service (T-190).

use crate::proxy::tcp_proxy::to_routes;
use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::name::MESH_GATEWAY;
use mesh_model::networking::virtual_service::spec::{L4MatchAttributes, TcpRoute};
use mesh_model::origin::Origin;

use super::chain::{Chain, Content};
use super::client::Client;
use super::entries::Request;
use super::{tcp_proxy, tls_chains};
use crate::merge::virtual_service::MergedVirtualService;

/// The chains of a request; none for protocols with TLS.
pub(super) fn build(client: &Client<'_, '_>, request: &Request<'_>, report: &mut Report) -> Vec<Chain> {
    let mut chains = Vec::new();
    if request.protocol.is_tls() {
        return chains;
    }
    let mut is_covered = false;
    for virtual_service in tls_chains::for_host(request) {
        for (index, tcp) in virtual_service.spec.tcp.iter().enumerate() {
            if tcp.route.is_empty() {
                continue;
            }
            let origin = virtual_service.tcp_origin(index);
            let Some(proxy) = to_routes(client.view, &tcp.route, request.port, &origin, report) else {
                continue;
            };
            let chain = |cidrs: Vec<Arc<str>>, origin: Origin| Chain {
                name: name_of(virtual_service, index),
                sni_hosts: Vec::new(),
                cidrs,
                sniffed: false,
                content: Content::Tcp(Box::new(proxy.clone())),
                origin,
            };
            match reach(client, request, tcp) {
                Reach::Everything(position) => {
                    let origin = position
                        .map_or_else(|| origin.clone(), |at| virtual_service.tcp_match_origin(index, at));
                    chains.push(chain(request.cidrs.clone(), origin));
                    return chains;
                }
                Reach::Subnets(subnets) => {
                    is_covered |= same_set(&subnets, &request.cidrs);
                    chains.push(chain(subnets, origin));
                }
                Reach::Nothing => {}
            }
        }
    }
    if !is_covered {
        chains.push(Chain {
            name: format!("{}:{}", request.service.hostname, request.port).into(),
            sni_hosts: Vec::new(),
            cidrs: request.cidrs.clone(),
            sniffed: false,
            content: Content::Tcp(Box::new(tcp_proxy::to_service(client, request))),
            origin: request.origin.clone(),
        });
    }
    chains
}

/// Which connections a rule takes on this port, for this proxy.
enum Reach {
    /// All; by the match at this position, or for want of any.
    Everything(Option<usize>),
    Subnets(Vec<Arc<str>>),
    Nothing,
}

fn reach(client: &Client<'_, '_>, request: &Request<'_>, tcp: &TcpRoute) -> Reach {
    if tcp.r#match.is_empty() {
        return Reach::Everything(None);
    }
    let mut subnets: Vec<Arc<str>> = Vec::new();
    for (position, condition) in tcp.r#match.iter().enumerate() {
        if !is_for_this_proxy(client, request, condition) {
            continue;
        }
        if condition.destination_subnets.is_empty() || request.port == 0 {
            return Reach::Everything(Some(position));
        }
        subnets.extend(condition.destination_subnets.iter().map(|subnet| Arc::from(subnet.as_str())));
    }
    if subnets.is_empty() { Reach::Nothing } else { Reach::Subnets(subnets) }
}

fn is_for_this_proxy(client: &Client<'_, '_>, request: &Request<'_>, condition: &L4MatchAttributes) -> bool {
    (condition.gateways.is_empty() || condition.gateways.iter().any(|gateway| gateway == MESH_GATEWAY))
        && (condition.port == 0 || condition.port == u32::from(request.port))
        && client.view.is_from(&condition.source_namespace, &condition.source_labels)
}

fn same_set(left: &[Arc<str>], right: &[Arc<str>]) -> bool {
    left.len() == right.len() && left.iter().collect::<BTreeSet<_>>() == right.iter().collect::<BTreeSet<_>>()
}

fn name_of(virtual_service: &MergedVirtualService, index: usize) -> Arc<str> {
    format!("{}/{} tcp[{index}]", virtual_service.namespace, virtual_service.name).into()
}

//! Chains of ports that carry TLS: `tls` routes, else one chain to the service (T-186 to T-188).

use crate::proxy::tcp_proxy::to_routes;
use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::name::{MESH_GATEWAY, host_matches, is_wildcard};
use mesh_model::networking::virtual_service::spec::TlsMatchAttributes;

use super::chain::{Chain, Content};
use super::client::Client;
use super::domains;
use super::entries::{Request, address_of};
use super::tcp_proxy;
use crate::merge::virtual_service::MergedVirtualService;
use crate::registry::service::Resolution;
use crate::view::Lookup;

/// The chains of a request; none for protocols without TLS.
pub(super) fn build(client: &Client<'_, '_>, request: &Request<'_>, report: &mut Report) -> Vec<Chain> {
    if !request.protocol.is_tls() {
        return Vec::new();
    }
    let mut chains = Vec::new();
    let mut seen: BTreeSet<(&[String], &[String])> = BTreeSet::new();
    let mut cidrs = request.cidrs.clone();
    for virtual_service in for_host(request) {
        for (index, tls) in virtual_service.spec.tls.iter().enumerate() {
            if tls.route.is_empty() {
                continue;
            }
            for (position, condition) in tls.r#match.iter().enumerate() {
                if !is_for_this_proxy(client, request, condition) {
                    continue;
                }
                // Once written, subnets stay in force for what follows (T-187).
                if !condition.destination_subnets.is_empty() && request.port > 0 {
                    cidrs =
                        condition.destination_subnets.iter().map(|subnet| subnet.as_str().into()).collect();
                }
                let origin = virtual_service.tls_origin(index);
                if seen.insert((&condition.sni_hosts, &condition.destination_subnets)) {
                    let Some(proxy) = to_routes(client.view, &tls.route, request.port, &origin, report)
                    else {
                        continue;
                    };
                    chains.push(Chain {
                        name: format!("{}/{} tls[{index}]", virtual_service.namespace, virtual_service.name)
                            .into(),
                        sni_hosts: condition.sni_hosts.clone(),
                        cidrs: cidrs.clone(),
                        sniffed: false,
                        content: Content::Tcp(Box::new(proxy)),
                        origin: virtual_service.tls_match_origin(index, position),
                    });
                }
            }
        }
    }
    if chains.is_empty() {
        chains.push(default_chain(client, request, cidrs));
    }
    chains
}

/// VirtualServices with a host that matches the service, either way.
pub(super) fn for_host<'r>(
    request: &Request<'r>,
) -> impl Iterator<Item = &'r MergedVirtualService> + use<'r> {
    let hostname = &request.service.hostname;
    request
        .virtual_services
        .iter()
        .copied()
        .filter(move |service| service.spec.hosts.iter().any(|host| host_matches(host, hostname)))
}

/// To the service itself, by server name where its address alone does not tell it (T-188).
fn default_chain(client: &Client<'_, '_>, request: &Request<'_>, cidrs: Vec<Arc<str>>) -> Chain {
    let service = request.service;
    let wildcard = &*client.wildcard_text;
    let (address, _) = address_of(client, service);
    let has_address = !address.is_empty() && !address.contains('/');
    let shares = &*address == "0.0.0.0" && request.bind() == wildcard;
    let is_dynamic_wildcard = is_wildcard(&service.hostname) && service.resolution == Resolution::DynamicDns;
    let mut sni_hosts = Vec::new();
    if !cidrs.is_empty() || !has_address || shares || is_dynamic_wildcard {
        sni_hosts.push(service.hostname.to_string());
        for (alias, _) in &service.aliases {
            client.view.asked(|| Lookup::OwnNamespace);
            sni_hosts.push(alias.to_string());
            sni_hosts.extend(domains::alternates(alias, None, &client.view.proxy().namespace));
        }
    }
    Chain {
        name: format!("{}:{}", service.hostname, request.port).into(),
        sni_hosts,
        cidrs,
        sniffed: false,
        content: Content::Tcp(Box::new(tcp_proxy::to_service(client, request))),
        origin: request.origin.clone(),
    }
}

/// All must hold, gateways and labels alike (T-186).
fn is_for_this_proxy(client: &Client<'_, '_>, request: &Request<'_>, condition: &TlsMatchAttributes) -> bool {
    (condition.gateways.is_empty() || condition.gateways.iter().any(|gateway| gateway == MESH_GATEWAY))
        && (condition.port == 0 || condition.port == u32::from(request.port))
        && client.view.is_from(&condition.source_namespace, &condition.source_labels)
}

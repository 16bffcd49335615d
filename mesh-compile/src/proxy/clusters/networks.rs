//! Endpoints of other networks, replaced by the gateways of those networks (T-315).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::name::StringMap;

use super::Context;
use super::endpoints::{Group, Member};
use crate::proxy_identity::{Families, ProxyKind};
use crate::registry::endpoint::{Endpoint, Health};
use crate::registry::locality::{Whereabouts, augment};
use crate::registry::network_gateways::{GatewayTable, NetworkGateway};
use crate::workload_names::WorkloadNames;

/// Proxy metadata: the networks it wants to see.
const REQUESTED_VIEW: &str = "REQUESTED_NETWORK_VIEW";

/// The networks whose endpoints a proxy wants; `None`: all. Endpoints without a network are in every view.
pub(super) fn requested_view<'c>(context: &Context<'c>) -> Option<BTreeSet<&'c str>> {
    let written = context.proxy.metadata.get(REQUESTED_VIEW).filter(|written| !written.is_empty())?;
    Some(written.split(',').chain([""]).collect())
}

/// Where the endpoints of one network and cluster lead.
#[derive(Debug)]
struct Way {
    /// Whether they have gateways at all, whatever their addresses.
    has_gateways: bool,
    /// Those that the proxy can dial.
    gateways: Vec<Arc<NetworkGateway>>,
    /// The weight that each of them has; `None`: no endpoint is behind them.
    share: Option<u32>,
}

/// Replaces endpoints that the proxy cannot dial by the gateways in front of them.
///
/// Weights are multiplied first, so that those of endpoints can be split among gateways. Gateways read server names of
/// mesh mTLS: endpoints that do not speak it cannot be reached through them.
pub(super) fn replace(groups: &mut [Group], table: &GatewayTable, context: &Context<'_>) {
    if table.is_empty() {
        return;
    }
    for group in groups {
        let mut ways: BTreeMap<(Arc<str>, Arc<str>), Way> = BTreeMap::new();
        let mut sample = None;
        let mut members = Vec::with_capacity(group.members.len());
        for member in std::mem::take(&mut group.members) {
            let weight = member.weight.saturating_mul(table.scale());
            let Endpoint { address, network, cluster, .. } = &*member.endpoint;
            let place = (Arc::clone(network), Arc::clone(cluster));
            let way = ways.entry(place).or_insert_with(|| way(table.towards(network, cluster), context));
            if !way.has_gateways || is_in_reach(context.proxy.network(), network) {
                if !address.is_empty() {
                    members.push(Member { weight, ..member });
                }
                continue;
            }
            let count = u32::try_from(way.gateways.len()).unwrap_or(u32::MAX);
            let Some(share) = weight.checked_div(count).filter(|_| member.mtls) else { continue };
            way.share = Some(way.share.unwrap_or_default().saturating_add(share));
            sample.get_or_insert(member);
        }
        let mut shares: BTreeMap<Arc<NetworkGateway>, u32> = BTreeMap::new();
        for way in ways.into_values() {
            for gateway in way.gateways {
                if let Some(share) = way.share {
                    let sum = shares.entry(gateway).or_default();
                    *sum = sum.saturating_add(share);
                }
            }
        }
        if let Some(sample) = sample {
            members.extend(shares.iter().map(|(gateway, share)| member(gateway, *share, &sample)));
        }
        group.weight = members.iter().fold(0, |sum: u32, member| sum.saturating_add(member.weight));
        group.members = members;
    }
}

fn way(found: &[Arc<NetworkGateway>], context: &Context<'_>) -> Way {
    // Sidecars cannot open the tunnels that some gateways have only.
    let is_usable =
        |gateway: &&Arc<NetworkGateway>| gateway.port != 0 || context.proxy.kind != ProxyKind::Sidecar;
    let families = context.proxy.families();
    let usable = || found.iter().filter(is_usable);
    let gateways = usable().filter(|gateway| is_of_family(gateway, families)).cloned().collect();
    Way { has_gateways: usable().next().is_some(), gateways, share: None }
}

/// Whether a proxy dials endpoints of a network itself. One that does not know its own network uses gateways wherever
/// there are any.
fn is_in_reach(own: &str, network: &str) -> bool {
    network.is_empty() || own == network
}

/// Whether a gateway's address is of the proxy's family; a proxy of unknown address can dial all.
fn is_of_family(gateway: &NetworkGateway, proxy: Families) -> bool {
    // One of both families can dial what has a name, too.
    if proxy.v4 == proxy.v6 {
        return true;
    }
    let address = gateway.address.parse::<IpAddr>();
    address.is_ok_and(|address| proxy.has(address.to_canonical()))
}

/// A gateway as an endpoint.
fn member(gateway: &NetworkGateway, weight: u32, sample: &Member) -> Member {
    let place = Whereabouts { locality: "", cluster: &gateway.cluster, node: "", network: &gateway.network };
    let none: Arc<str> = Arc::from("");
    let weight = weight.max(1);
    let endpoint = Endpoint {
        address: Arc::clone(&gateway.address),
        more_addresses: Vec::new(),
        port: gateway.port,
        labels: Arc::new(augment(&StringMap::new(), place)),
        namespace: Arc::clone(&none),
        identity: Arc::clone(&none),
        mtls: true,
        weight,
        health: Health::Healthy,
        network: Arc::clone(&gateway.network),
        cluster: Arc::clone(&gateway.cluster),
        node: Arc::clone(&none),
        hostname: Arc::clone(&none),
        subdomain: none,
        workload: Some(Arc::new(WorkloadNames::in_cluster(&gateway.cluster))),
        ..Endpoint::clone(&sample.endpoint)
    };
    Member { endpoint: Arc::new(endpoint), weight, mtls: true }
}

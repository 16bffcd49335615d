//! A chain that proxies bytes: policies over the connection, then clusters.

use std::sync::Arc;

use mesh_authz::verdict::Facts;
use mesh_compile::proxy::clusters::names::BLACK_HOLE;
use mesh_compile::proxy::listener::TcpProxy;
use mesh_compile::route_table::action::{Destination, Destinations};
use mesh_model::trace::Observer;

use crate::cluster_step;
use crate::decision::{Action, ClusterChoice, Decision, Forward, RefuseReason};
use crate::query::Connected;

/// What becomes of a connection on a TCP chain; HTTP bytes are bytes like others.
pub(crate) fn serve<O: Observer>(connected: &Connected<'_>, proxy: &TcpProxy, observer: &mut O) -> Decision {
    let mut external_authz = Vec::new();
    if let Some(policies) = &proxy.authz {
        let verdict = policies.decide(&facts(connected), observer);
        if !verdict.allowed {
            return Decision {
                policy: verdict.decided_by.map(|rule| Arc::new(rule.to_owned())),
                ..RefuseReason::Rbac.into()
            };
        }
        external_authz = verdict.external;
    }
    Decision { external_authz, ..forward(connected, proxy, observer) }
}

/// What policies may know of a connection.
pub(crate) fn facts<'q>(connected: &Connected<'q>) -> Facts<'q> {
    Facts {
        direct_ip: connected.connection.src_ip,
        remote_ip: connected.connection.client_ip(),
        dst_ip: connected.connection.dst_ip,
        dst_port: connected.connection.dst_port,
        sni: connected.server_name,
        peer: connected.accepted.peer,
        request: None,
        claims: None,
    }
}

fn forward<O: Observer>(connected: &Connected<'_>, proxy: &TcpProxy, observer: &mut O) -> Decision {
    if let Destinations::Single(destination) = &proxy.destinations
        && &*destination.cluster == BLACK_HOLE
        && !proxy.sni_cluster
    {
        cluster_step::note(connected.config, destination, &destination.cluster, observer);
        return RefuseReason::Blackhole.into();
    }
    let clusters: Vec<ClusterChoice> = proxy
        .destinations
        .iter()
        .map(|destination| ClusterChoice {
            cluster: cluster_name(connected, proxy, destination),
            weight: destination.weight,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            authority: None,
        })
        .collect();
    for (destination, choice) in proxy.destinations.iter().zip(&clusters) {
        cluster_step::note(connected.config, destination, &choice.cluster, observer);
    }
    if !clusters.iter().any(|choice| connected.config.clusters.contains_key(&choice.cluster)) {
        return RefuseReason::NoCluster.into();
    }
    let (hash_policy, tunnel) = (proxy.hash_policy.clone(), proxy.tunnel.clone());
    Action::Forward(Box::new(Forward { clusters, hash_policy, tunnel, http: None })).into()
}

/// AUTO_PASSTHROUGH: the SNI is the cluster's name (T-427, E-066).
fn cluster_name(connected: &Connected<'_>, proxy: &TcpProxy, destination: &Destination) -> Arc<str> {
    match connected.server_name {
        Some(name) if proxy.sni_cluster => name.into(),
        _ => Arc::clone(&destination.cluster),
    }
}

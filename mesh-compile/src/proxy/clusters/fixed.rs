//! Clusters that every proxy has, whatever its services: black hole and passthrough (T-480 to T-486).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mesh_model::mesh_config::OutboundMode;
use mesh_model::origin::Origin;

use super::policy::{Block, Policy};
use super::tls::{self, Auto, Peer};
use super::{Clusters, Context, connection_pool, names};
use crate::proxy::cluster::{Cluster, Discovery, HttpOptions, LbPolicy, UpstreamProtocol};

/// Idle time after which a passthrough connection is closed.
const PASSTHROUGH_IDLE_MS: i64 = 300_000;

/// What outbound traffic without a service falls into; gateways have no passthrough.
pub(super) fn outbound(context: &Context<'_>, clusters: &mut Clusters) {
    clusters.add(black_hole(context));
    if context.sidecar {
        clusters.add(passthrough(context, names::PASSTHROUGH));
        if context.view.outbound_policy().mode == OutboundMode::AllowAnyDynamicDns {
            clusters.add(dynamic_dns(context));
        }
    }
}

/// Inbound traffic to ports without a service.
pub(super) fn inbound(context: &Context<'_>, clusters: &mut Clusters) {
    let mut cluster = passthrough(context, names::INBOUND_PASSTHROUGH);
    cluster.source_address = Some(passthrough_source(context));
    clusters.add(cluster);
}

/// The address that the proxy's own connections to the application come from, so that they are not captured again.
pub(super) fn passthrough_source(context: &Context<'_>) -> IpAddr {
    if context.proxy.families().is_v6_only() {
        Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6).into()
    } else {
        Ipv4Addr::new(127, 0, 0, 6).into()
    }
}

fn black_hole(context: &Context<'_>) -> Cluster {
    let mut cluster = Cluster::bare(names::BLACK_HOLE, Discovery::Static, LbPolicy::RoundRobin);
    cluster.connect_timeout_ms = context.mesh.connect_timeout().as_millis();
    cluster.origins.insert("connect_timeout_ms", Origin::built_in("connectTimeout (T-460)"));
    cluster
}

/// The mesh's default connection pool limits it, except for HTTP options (T-235, T-486).
fn passthrough(context: &Context<'_>, name: &str) -> Cluster {
    let mut cluster = Cluster::bare(name, Discovery::OriginalDst, LbPolicy::ClusterProvided);
    // Nobody knows who is there.
    cluster.mesh_external = true;
    let defaults = context.mesh.default_traffic_policy.as_ref();
    let connection_pool = defaults.and_then(|policy| policy.connection_pool.as_ref()).map(|value| {
        Block::new(value, Origin::built_in("MeshConfig defaultTrafficPolicy.connectionPool (T-235)"))
    });
    connection_pool::apply(&mut cluster, &Policy { connection_pool, ..Policy::default() }, context.mesh);
    cluster.origins.retain(|setting| !setting.starts_with("http."));
    cluster.http = passthrough_http();
    cluster
}

fn passthrough_http() -> HttpOptions {
    HttpOptions {
        protocol: UpstreamProtocol::Downstream,
        idle_timeout_ms: Some(PASSTHROUGH_IDLE_MS),
        ..HttpOptions::default()
    }
}

/// Unknown hosts, looked up by the proxy (T-485).
fn dynamic_dns(context: &Context<'_>) -> Cluster {
    let mut cluster =
        Cluster::bare(names::ALLOW_ANY_DYNAMIC_DNS, Discovery::Custom, LbPolicy::ClusterProvided);
    connection_pool::apply(&mut cluster, &Policy::default(), context.mesh);
    let settings = context.mesh.outbound_traffic_policy.as_ref().and_then(|policy| policy.tls.as_ref());
    let tls = settings
        .map(|value| Block::new(value, Origin::built_in("MeshConfig outboundTrafficPolicy.tls (T-485)")));
    let peer = Peer {
        identities: &[],
        sni: None,
        auto: Auto::off(Origin::built_in("plaintext (T-485)")),
        mesh_external: true,
        service_entry: false,
        rule_has_selector: false,
    };
    tls::apply(&mut cluster, &Policy { tls, ..Policy::default() }, &peer, context);
    // TLS brings HTTP options of its own, which replace those of passthrough.
    if !cluster.http.auto_sni && !cluster.http.auto_san_validation {
        cluster.http = passthrough_http();
    }
    cluster
}

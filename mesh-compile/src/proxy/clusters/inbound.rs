//! Clusters towards the application beside a sidecar (T-274, T-390 to T-393, T-490, T-493).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::mesh_config::InboundMode;
use mesh_model::name::Protocol;
use mesh_model::networking::sidecar::spec::{IstioIngressListener, Sidecar};
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::part::ConnectionPoolSettings;

use super::endpoints::socket_address;
use super::policy::{Block, Policy};
use super::{Clusters, Context, connection_pool, fixed, names};
use crate::proxy::cluster::{Cluster, ClusterEndpoint, ClusterService, Discovery, LbPolicy};
use crate::proxy::settings;
use crate::registry::service::Service;
use crate::view::ServiceTarget;

/// One cluster per port of the workload: those of the Sidecar's listeners, else those of its services.
pub(super) fn compile(context: &Context<'_>, clusters: &mut Clusters) {
    let sidecar = context.view.sidecar();
    match sidecar.filter(|sidecar| !sidecar.spec.ingress.is_empty()) {
        Some(sidecar) => {
            for (index, listener) in sidecar.spec.ingress.iter().enumerate() {
                if let Some(cluster) = of_listener(context, sidecar, index, listener) {
                    clusters.add(cluster);
                }
            }
        }
        // Without capture the services' ports belong to the application.
        None if !settings::captures(context.view) => {}
        None => {
            for (port, target) in first_by_port(context.view.service_targets()) {
                clusters.add(of_service(context, port, target));
            }
        }
    }
}

/// Of several services on a port the first decides.
fn first_by_port(targets: &[ServiceTarget]) -> BTreeMap<u16, &ServiceTarget> {
    let mut out = BTreeMap::new();
    for target in targets {
        out.entry(target.target_port).or_insert(target);
    }
    out
}

fn of_service(context: &Context<'_>, port: u16, target: &ServiceTarget) -> Cluster {
    let address = match context.mesh.inbound_mode() {
        InboundMode::Passthrough => None,
        _ => Some(Address::Socket(localhost(context, false), port)),
    };
    let origin = Origin::written(&target.service.provenance, format!("spec.ports[{}]", target.port.index));
    let inbound = Inbound {
        port,
        address,
        protocol: target.port.protocol,
        service: Some(&target.service),
        service_port: target.port.number,
        origin,
    };
    inbound.cluster(context)
}

fn of_listener(
    context: &Context<'_>,
    sidecar: &Object<Sidecar>,
    index: usize,
    listener: &IstioIngressListener,
) -> Option<Cluster> {
    let written = listener.port.as_ref()?;
    let port = u16::try_from(written.number).ok()?;
    let address = match listener.default_endpoint.as_str() {
        "" => None,
        endpoint => Some(default_endpoint(context, endpoint)?).filter(|address| !address.is_none()),
    };
    let service = context
        .view
        .service_targets()
        .iter()
        .find(|target| target.target_port == port)
        .map(|target| &target.service);
    let inbound = Inbound {
        port,
        address,
        protocol: Protocol::parse(&written.protocol),
        service,
        service_port: port,
        origin: sidecar.origin(format!("spec.ingress[{index}]")),
    };
    Some(inbound.cluster(context))
}

/// Where the application listens.
#[derive(Debug, Clone)]
enum Address {
    Socket(IpAddr, u16),
    Unix(String),
    /// An address that no rule covers: as if none was written.
    Unknown,
}

impl Address {
    fn is_none(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

/// T-391; `None`: not an address, so there is no cluster.
fn default_endpoint(context: &Context<'_>, endpoint: &str) -> Option<Address> {
    if let Some(path) = endpoint.strip_prefix("unix://") {
        return Some(Address::Unix(path.to_owned()));
    }
    let (host, port) = endpoint.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if bracketed.is_none() && host.contains(':') {
        return None;
    }
    let host = bracketed.unwrap_or(host);
    let own = |v6: bool| context.proxy.addresses().find(|ip| ip.is_ipv6() == v6);
    Some(match host {
        "0.0.0.0" => Address::Socket(own(false).unwrap_or(LOOPBACK_V4), port),
        "::" => Address::Socket(own(true).unwrap_or(LOOPBACK_V6), port),
        "127.0.0.1" => Address::Socket(localhost(context, false), port),
        "::1" => Address::Socket(localhost(context, true), port),
        _ => Address::Unknown,
    })
}

const LOOPBACK_V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const LOOPBACK_V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

/// The loopback address that is asked for, if the proxy has its family; else the other.
fn localhost(context: &Context<'_>, v6: bool) -> IpAddr {
    let families = context.proxy.families();
    let v6 = if v6 { families.v6 || !families.v4 } else { families.is_v6_only() };
    if v6 { LOOPBACK_V6 } else { LOOPBACK_V4 }
}

/// What an inbound cluster is made from.
struct Inbound<'i> {
    /// The port of the workload, which is in the name.
    port: u16,
    /// `None`: where the client wanted to go.
    address: Option<Address>,
    protocol: Protocol,
    /// The service whose rule shapes the connection pool (T-274).
    service: Option<&'i Arc<Service>>,
    service_port: u16,
    origin: Origin,
}

impl Inbound<'_> {
    fn cluster(&self, context: &Context<'_>) -> Cluster {
        let (discovery, lb) = match self.address {
            None => (Discovery::OriginalDst, LbPolicy::ClusterProvided),
            Some(_) => (Discovery::Static, LbPolicy::RoundRobin),
        };
        let mut cluster = Cluster::bare(names::inbound(self.port), discovery, lb);
        cluster.http.protocol = connection_pool::protocol_of_port(self.protocol, true);
        for setting in ["cluster", "type", "endpoints", "http.protocol"] {
            cluster.origins.insert(setting, self.origin.clone());
        }
        cluster.service =
            self.service.filter(|service| !service.mesh_external).map(|service| ClusterService::of(service));
        self.apply_pool(&mut cluster, context);
        self.add_endpoint(&mut cluster, context);
        cluster
    }

    /// The Sidecar's listener, then the Sidecar, the service's rule, the mesh (T-274).
    fn apply_pool(&self, cluster: &mut Cluster, context: &Context<'_>) {
        let rule = self
            .service
            .and_then(|service| context.view.inbound_destination_rule(&service.hostname, &service.namespace));
        let mut policy = Policy::top(rule.as_deref(), self.service_port)
            .over_mesh(context.mesh.default_traffic_policy.as_ref());
        let sidecar = context.view.sidecar();
        if let Some(pool) = sidecar.and_then(|sidecar| sidecar_pool(sidecar, self.port)) {
            policy.connection_pool = Some(pool);
        }
        connection_pool::apply(cluster, &policy, context.mesh);
    }

    fn add_endpoint(&self, cluster: &mut Cluster, context: &Context<'_>) {
        let loopback = matches!(&self.address, Some(Address::Socket(ip, _)) if ip.is_loopback());
        if !loopback {
            cluster.source_address = Some(fixed::passthrough_source(context));
        }
        let address: Arc<str> = match &self.address {
            None | Some(Address::Unknown) => return,
            Some(Address::Unix(path)) => path.as_str().into(),
            Some(Address::Socket(ip, port)) => socket_address(&ip.to_string(), *port),
        };
        let endpoint = ClusterEndpoint::at(address);
        // A single place needs no weight.
        cluster.localities.push((Arc::clone(&endpoint.locality), 0, 0));
        cluster.endpoints.push(endpoint);
    }
}

/// The listener's pool, else the Sidecar's (T-393).
fn sidecar_pool(sidecar: &Object<Sidecar>, port: u16) -> Option<Block<'_, ConnectionPoolSettings>> {
    let on_port = |listener: &IstioIngressListener| {
        listener.port.as_ref().is_some_and(|written| written.number == u32::from(port))
    };
    let listeners = sidecar.spec.ingress.iter().enumerate();
    let of_listener = listeners.filter(|(_, listener)| on_port(listener)).find_map(|(index, listener)| {
        let value = listener.connection_pool.as_ref()?;
        let origin = sidecar.origin(format!("spec.ingress[{index}].connectionPool"));
        Some(Block::new(value, origin))
    });
    of_listener.or_else(|| {
        let value = sidecar.spec.inbound_connection_pool.as_ref()?;
        Some(Block::new(value, sidecar.origin("spec.inboundConnectionPool")))
    })
}

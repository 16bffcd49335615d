//! The snapshot as one proxy may see it: the only door for compile code.
//!
//! A view answers questions ("which services", "which rule for this host", "which endpoints"); it decides visibility,
//! Sidecar scope and namespace preference, and nothing else.

use std::sync::Arc;

use mesh_model::mesh_config::{MeshConfig, OutboundMode};
use mesh_model::networking::gateway::spec::Gateway;
use mesh_model::networking::sidecar::spec::{IstioEgressListener, Sidecar};
use mesh_model::object::Object;
use mesh_model::origin::Origin;

use crate::merge::destination_rule::MergedDestinationRule;
use crate::merge::virtual_service::MergedVirtualService;
use crate::proxy::Proxy;
use crate::registry::endpoint::Endpoint;
use crate::registry::service::{Service, ServicePort};
use crate::snapshot::MeshSnapshot;

/// What one proxy may see.
#[derive(Debug)]
pub struct View<'s> {
    snapshot: &'s MeshSnapshot,
    proxy: &'s Proxy,
    scope: Scope,
}

/// The scope of a proxy: what its Sidecar (or the default) imports.
#[derive(Debug, Default)]
pub struct Scope {
    /// The Sidecar that applies; `None`: the built-in default, or a gateway (T-370, T-371).
    pub sidecar: Option<Arc<Object<Sidecar>>>,
    /// Egress listeners in order; one catch-all where none is written. Empty for gateways.
    pub egress: Vec<EgressScope>,
    /// Every service that gets clusters, one per hostname, in order of import (T-380, T-381).
    pub services: Vec<Arc<Service>>,
}

/// One egress listener of a Sidecar with what it imports.
#[derive(Debug)]
pub struct EgressScope {
    /// Index in `spec.egress` and the listener; `None`: the default catch-all.
    pub listener: Option<(usize, IstioEgressListener)>,
    /// Services in scope order, trimmed to the listener's port where it has one (T-375).
    pub services: Vec<Arc<Service>>,
    /// VirtualServices in T-101 order, filtered by the listener's hosts (T-384).
    pub virtual_services: Vec<Arc<MergedVirtualService>>,
}

/// How unknown outbound traffic is treated, and who said so (T-385, T-480).
#[derive(Debug, Clone)]
pub struct OutboundPolicy {
    /// The mode.
    pub mode: OutboundMode,
    /// Cluster of `egressProxy` (`outbound|port|subset|host`), with ALLOW_ANY only.
    pub egress_proxy: Option<Arc<str>>,
    /// Where it was written.
    pub origin: Origin,
}

/// A service port that a workload serves (T-490, T-404).
#[derive(Debug, Clone)]
pub struct ServiceTarget {
    /// The service that selects the workload.
    pub service: Arc<Service>,
    /// Its port.
    pub port: ServicePort,
    /// The workload's port.
    pub target_port: u16,
}

impl<'s> View<'s> {
    /// Cuts the view of a proxy.
    pub fn new(snapshot: &'s MeshSnapshot, proxy: &'s Proxy) -> Self {
        Self { snapshot, proxy, scope: Scope::default() }
    }

    /// The proxy that looks.
    pub fn proxy(&self) -> &'s Proxy {
        self.proxy
    }

    /// Mesh configuration.
    pub fn mesh(&self) -> &'s MeshConfig {
        &self.snapshot.mesh
    }

    /// The proxy's scope.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The service in scope with this hostname.
    pub fn service(&self, hostname: &str) -> Option<&Arc<Service>> {
        self.scope.services.iter().find(|service| &*service.hostname == hostname)
    }

    /// The consolidated DestinationRule for a service of this hostname and namespace, as this proxy sees it (T-220 to T-227).
    pub fn destination_rule(&self, hostname: &str, namespace: &str) -> Option<Arc<MergedDestinationRule>> {
        let _ = (hostname, namespace);
        None
    }

    /// The same for the server side: rules with a workload selector do not count (T-224).
    pub fn inbound_destination_rule(
        &self,
        hostname: &str,
        namespace: &str,
    ) -> Option<Arc<MergedDestinationRule>> {
        let _ = (hostname, namespace);
        None
    }

    /// All endpoints of a service port that exist, whatever their health, cluster-local and node-local filters applied.
    pub fn endpoints(&self, service: &Service, port: &ServicePort) -> Vec<Arc<Endpoint>> {
        let _ = (service, port);
        Vec::new()
    }

    /// The addresses at which this proxy dials a service (T-341): IPs or CIDRs; `0.0.0.0` where there is none.
    pub fn addresses(&self, service: &Service) -> Vec<Arc<str>> {
        vec![Arc::clone(&service.default_address)]
    }

    /// How unknown outbound traffic is treated.
    pub fn outbound_policy(&self) -> OutboundPolicy {
        OutboundPolicy {
            mode: OutboundMode::AllowAny,
            egress_proxy: None,
            origin: Origin::built_in("outboundTrafficPolicy.mode ALLOW_ANY (T-451)"),
        }
    }

    /// Service ports that this proxy's workload serves, ordered as Istio's service targets are.
    pub fn service_targets(&self) -> &[ServiceTarget] {
        &[]
    }

    /// Gateways that select this proxy, in T-004 order (T-400 to T-402).
    pub fn gateways(&self) -> Vec<&'s Arc<Object<Gateway>>> {
        Vec::new()
    }

    /// VirtualServices bound to the gateway `ns/name` that this proxy may see, in T-102 order.
    pub fn gateway_virtual_services(&self, gateway: &str) -> Vec<Arc<MergedVirtualService>> {
        let _ = gateway;
        Vec::new()
    }
}

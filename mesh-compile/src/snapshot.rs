//! The mesh as a whole, resolved once: what views are cut from.

use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::Report;
use mesh_model::kubernetes::pod::Pod;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::networking::destination_rule::spec::DestinationRule;
use mesh_model::networking::virtual_service::spec::VirtualService;
use mesh_model::networking::{gateway::spec::Gateway, sidecar::spec::Sidecar};
use mesh_model::object::Object;
use mesh_model::security::{
    authorization_policy::AuthorizationPolicy, peer_authentication::PeerAuthentication,
    request_authentication::RequestAuthentication,
};

use crate::merge::cluster_local::ClusterLocalHosts;
use crate::merge::destination_rule::DestinationRuleIndex;
use crate::merge::virtual_service::{self, MergedVirtualService};
use crate::registry::Registry;
use crate::visibility::{ServiceIndex, VirtualServiceIndex};

/// A resolved mesh. Only `view` and `analyze` read it.
#[derive(Debug, Clone)]
pub struct MeshSnapshot {
    /// The mesh configuration over its defaults.
    pub mesh: Arc<MeshConfig>,
    /// Services and endpoints.
    pub registry: Registry,
    /// VirtualServices with delegates merged, in T-004 order.
    pub virtual_services: Vec<Arc<MergedVirtualService>>,
    /// Gateways in T-004 order.
    pub gateways: Vec<Arc<Object<Gateway>>>,
    /// Sidecars in T-004 order.
    pub sidecars: Vec<Arc<Object<Sidecar>>>,
    /// PeerAuthentications in T-004 order.
    pub peer_authentications: Vec<Arc<Object<PeerAuthentication>>>,
    /// RequestAuthentications in T-004 order.
    pub request_authentications: Vec<Arc<Object<RequestAuthentication>>>,
    /// AuthorizationPolicies in T-004 order.
    pub authorization_policies: Vec<Arc<Object<AuthorizationPolicy>>>,
    /// Pods by cluster, namespace and name.
    pub pods: Vec<Arc<Object<Pod>>>,
    /// Services by hostname and by who sees them.
    pub service_index: ServiceIndex,
    /// VirtualServices by who sees them and by gateway.
    pub virtual_service_index: VirtualServiceIndex,
    /// DestinationRules in the pools that are searched.
    pub destination_rules: DestinationRuleIndex,
    /// Hosts whose endpoints count in their own cluster only.
    pub cluster_local: ClusterLocalHosts,
}

/// The objects that a snapshot is made of, in any order.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// VirtualServices.
    pub virtual_services: Vec<Arc<Object<VirtualService>>>,
    /// DestinationRules.
    pub destination_rules: Vec<Arc<Object<DestinationRule>>>,
    /// Gateways.
    pub gateways: Vec<Arc<Object<Gateway>>>,
    /// Sidecars.
    pub sidecars: Vec<Arc<Object<Sidecar>>>,
    /// PeerAuthentications.
    pub peer_authentications: Vec<Arc<Object<PeerAuthentication>>>,
    /// RequestAuthentications.
    pub request_authentications: Vec<Arc<Object<RequestAuthentication>>>,
    /// AuthorizationPolicies.
    pub authorization_policies: Vec<Arc<Object<AuthorizationPolicy>>>,
    /// Pods.
    pub pods: Vec<Arc<Object<Pod>>>,
}

impl MeshSnapshot {
    /// Resolves everything that does not depend on who asks. `mesh` is the configuration over its defaults.
    pub fn resolve(config: &ConfigSet, mesh: Arc<MeshConfig>) -> (Self, Report) {
        let sources = Sources {
            virtual_services: config.virtual_services.by_precedence(),
            destination_rules: config.destination_rules.by_precedence(),
            gateways: config.gateways.by_precedence(),
            sidecars: config.sidecars.by_precedence(),
            peer_authentications: config.peer_authentications.by_precedence(),
            request_authentications: config.request_authentications.by_precedence(),
            authorization_policies: config.authorization_policies.by_precedence(),
            pods: config.pods.iter().cloned().collect(),
        };
        Self::assemble(sources, Registry::default(), mesh)
    }

    /// The same from objects at hand and a registry of services; the order of either does not matter.
    pub fn assemble(mut sources: Sources, mut registry: Registry, mesh: Arc<MeshConfig>) -> (Self, Report) {
        let mut report = Report::new();
        sort(&mut sources.virtual_services);
        sort(&mut sources.gateways);
        sort(&mut sources.sidecars);
        sort(&mut sources.peer_authentications);
        sort(&mut sources.request_authentications);
        sort(&mut sources.authorization_policies);
        sources.pods.sort_by_cached_key(|pod| pod.key());
        registry.services.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
        let virtual_services = virtual_service::merge_all(&sources.virtual_services, &mesh, &mut report);
        let snapshot = Self {
            service_index: ServiceIndex::build(&registry.services, &mesh),
            virtual_service_index: VirtualServiceIndex::build(&virtual_services),
            destination_rules: DestinationRuleIndex::build(&sources.destination_rules, &mesh),
            cluster_local: ClusterLocalHosts::of(&mesh),
            virtual_services,
            registry,
            gateways: sources.gateways,
            sidecars: sources.sidecars,
            peer_authentications: sources.peer_authentications,
            request_authentications: sources.request_authentications,
            authorization_policies: sources.authorization_policies,
            pods: sources.pods,
            mesh,
        };
        (snapshot, report)
    }
}

/// Sorts by precedence (T-004); objects of one name in several clusters by cluster, so that the result is fixed.
fn sort<S>(objects: &mut [Arc<Object<S>>]) {
    objects.sort_by(|a, b| {
        a.precedence().cmp(&b.precedence()).then_with(|| a.meta.cluster.cmp(&b.meta.cluster))
    });
}

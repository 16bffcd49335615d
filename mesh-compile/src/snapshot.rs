//! The mesh as a whole, resolved once: what views are cut from.

use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::networking::{gateway::spec::Gateway, sidecar::spec::Sidecar};
use mesh_model::object::Object;
use mesh_model::security::{
    authorization_policy::AuthorizationPolicy, peer_authentication::PeerAuthentication,
    request_authentication::RequestAuthentication,
};

use crate::merge::virtual_service::MergedVirtualService;
use crate::registry::Registry;

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
}

impl MeshSnapshot {
    /// Resolves everything that does not depend on who asks.
    pub fn resolve(config: &ConfigSet, mesh: Arc<MeshConfig>) -> (Self, Report) {
        let _ = config;
        let snapshot = Self {
            mesh,
            registry: Registry::default(),
            virtual_services: Vec::new(),
            gateways: Vec::new(),
            sidecars: Vec::new(),
            peer_authentications: Vec::new(),
            request_authentications: Vec::new(),
            authorization_policies: Vec::new(),
        };
        (snapshot, Report::new())
    }
}

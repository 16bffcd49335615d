//! What becomes of traffic to unknown hosts (T-385, T-451, T-483).

use std::sync::Arc;

use mesh_model::mesh_config::{MeshConfig, OutboundMode};
use mesh_model::networking::sidecar::spec::{OutboundTrafficPolicyMode, Sidecar};
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::part::Destination;

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

impl OutboundPolicy {
    /// A Sidecar's policy replaces the mesh's whole (T-385).
    pub(super) fn of(sidecar: Option<&Object<Sidecar>>, mesh: &MeshConfig) -> Self {
        let written =
            sidecar.and_then(|object| Some((object, object.spec.outbound_traffic_policy.as_ref()?)));
        let Some((object, policy)) = written else {
            let origin = Origin::built_in("meshConfig.outboundTrafficPolicy.mode (T-451)");
            return Self { mode: mesh.outbound_mode(), egress_proxy: None, origin };
        };
        let mode = match policy.mode {
            OutboundTrafficPolicyMode::RegistryOnly => OutboundMode::RegistryOnly,
            OutboundTrafficPolicyMode::AllowAny => OutboundMode::AllowAny,
        };
        let proxy = policy.egress_proxy.as_ref().filter(|_| mode == OutboundMode::AllowAny);
        let origin = object.origin("spec.outboundTrafficPolicy");
        Self { mode, egress_proxy: proxy.map(cluster_name), origin }
    }
}

/// The cluster of a destination as written: no short name is completed here.
fn cluster_name(destination: &Destination) -> Arc<str> {
    let port = destination.port.as_ref().map_or(0, |port| port.number);
    format!("outbound|{port}|{}|{}", destination.subset, destination.host).into()
}

//! The Gateways that a proxy serves (T-400 to T-402).

use std::sync::Arc;

use mesh_model::name::labels_subset_of;
use mesh_model::networking::gateway::spec::Gateway;
use mesh_model::object::Object;

use crate::proxy_identity::{Proxy, ProxyKind};
use crate::snapshot::MeshSnapshot;

/// Gateways of any namespace whose selector the proxy's labels satisfy, in T-004 order; none for sidecars.
pub(super) fn selected<'s>(snapshot: &'s MeshSnapshot, proxy: &Proxy) -> Vec<&'s Arc<Object<Gateway>>> {
    if proxy.kind == ProxyKind::Sidecar {
        return Vec::new();
    }
    let selects = |gateway: &&Arc<Object<Gateway>>| labels_subset_of(&gateway.spec.selector, &proxy.labels);
    snapshot.gateways.iter().filter(selects).collect()
}

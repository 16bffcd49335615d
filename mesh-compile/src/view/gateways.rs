//! The Gateways that a proxy serves (T-400 to T-402).

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::name::labels_subset_of;
use mesh_model::networking::gateway::spec::Gateway;
use mesh_model::object::Object;

use super::targets::ServiceTarget;
use crate::merge::gateway_api::GatewayBinding;
use crate::proxy_identity::{Proxy, ProxyKind};
use crate::snapshot::MeshSnapshot;

/// Gateways that the proxy serves, in T-004 order; none for sidecars.
///
/// A selector takes gateways of any namespace by their labels; a listener of the Gateway API is served by the
/// workloads of its Services. Where the proxy serves a managed one, those of other namespaces are dropped (T-402).
pub(super) fn selected<'s>(
    snapshot: &'s MeshSnapshot,
    proxy: &Proxy,
    targets: &[ServiceTarget],
) -> Vec<&'s Arc<Object<Gateway>>> {
    if proxy.kind == ProxyKind::Sidecar {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut managed: BTreeSet<&str> = BTreeSet::new();
    for gateway in &snapshot.gateways {
        let binding = snapshot.gateway_binding(gateway);
        let is_served = match binding {
            Some(binding) => targets.iter().any(|target| is_bound(gateway, binding, target)),
            None => labels_subset_of(&gateway.spec.selector, &proxy.labels),
        };
        if is_served {
            if binding.is_some_and(|binding| binding.is_managed) {
                managed.insert(&gateway.meta.namespace);
            }
            found.push((gateway, binding));
        }
    }
    let is_kept = |gateway: &Object<Gateway>, binding: Option<&GatewayBinding>| {
        managed.is_empty() || binding.is_some() || managed.contains(&*gateway.meta.namespace)
    };
    found
        .into_iter()
        .filter(|(gateway, binding)| is_kept(gateway, *binding))
        .map(|(gateway, _)| gateway)
        .collect()
}

/// Whether a service port of the proxy is one through which the listener is served.
pub(crate) fn is_bound(gateway: &Object<Gateway>, binding: &GatewayBinding, target: &ServiceTarget) -> bool {
    binding.services.contains(&*target.service.hostname) && target.service.namespace == gateway.meta.namespace
}

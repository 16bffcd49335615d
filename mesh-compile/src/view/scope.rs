//! The scope of a proxy: which Sidecar applies, and what is imported (T-370, T-371).

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::name::labels_subset_of;
use mesh_model::networking::sidecar::spec::Sidecar;
use mesh_model::object::{Object, ResourceKey};

use super::egress::EgressScope;
use super::imports::ServiceSet;
use crate::proxy_identity::{Proxy, ProxyKind};
use crate::registry::service::Service;
use crate::snapshot::MeshSnapshot;

/// The scope of a proxy: what its Sidecar (or the default) imports.
#[derive(Debug, Default)]
pub struct Scope {
    /// The Sidecar that applies; `None`: the built-in default, or a gateway (T-370, T-371).
    pub sidecar: Option<Arc<Object<Sidecar>>>,
    /// Egress listeners in order; one catch-all where none is written. Empty for gateways.
    pub egress: Vec<EgressScope>,
    /// Every service that gets clusters, one per hostname, in order of import (T-380, T-381).
    pub services: Vec<Arc<Service>>,
    /// Position in `services` by hostname.
    by_hostname: BTreeMap<Arc<str>, usize>,
}

/// What a scope depends on besides the mesh: proxies with equal keys share one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeKey {
    kind: ProxyKind,
    namespace: Arc<str>,
    sidecar: Option<ResourceKey>,
}

impl ScopeKey {
    /// The key of a proxy's scope.
    pub fn of(snapshot: &MeshSnapshot, proxy: &Proxy) -> Self {
        let sidecar = match proxy.kind {
            ProxyKind::Gateway => None,
            ProxyKind::Sidecar => pick_sidecar(snapshot, proxy).map(|object| object.key()),
        };
        Self { kind: proxy.kind, namespace: Arc::clone(&proxy.namespace), sidecar }
    }
}

impl Scope {
    /// The scope of a proxy in a mesh.
    pub fn of(snapshot: &MeshSnapshot, proxy: &Proxy) -> Self {
        match proxy.kind {
            ProxyKind::Gateway => Self::of_gateway(snapshot, proxy),
            ProxyKind::Sidecar => Self::of_sidecar(snapshot, proxy),
        }
    }

    /// Gateways ignore Sidecars: they see all that is exported to their namespace (T-371).
    fn of_gateway(snapshot: &MeshSnapshot, proxy: &Proxy) -> Self {
        let (services, by_hostname) = ServiceSet::of_namespace(snapshot, &proxy.namespace).into_parts();
        Self { sidecar: None, egress: Vec::new(), services, by_hostname }
    }

    fn of_sidecar(snapshot: &MeshSnapshot, proxy: &Proxy) -> Self {
        let sidecar = pick_sidecar(snapshot, proxy).cloned();
        let listeners = sidecar.iter().flat_map(|object| object.spec.egress.iter().cloned().enumerate());
        let mut egress: Vec<_> = listeners
            .map(|listener| EgressScope::of_listener(snapshot, &proxy.namespace, listener))
            .collect();
        if egress.is_empty() {
            egress.push(EgressScope::catch_all(snapshot, &proxy.namespace));
        }
        let (services, by_hostname) = ServiceSet::of_egress(snapshot, &proxy.namespace, &egress).into_parts();
        Self { sidecar, egress, services, by_hostname }
    }

    /// The service that gets the clusters of this hostname.
    pub fn service(&self, hostname: &str) -> Option<&Arc<Service>> {
        self.by_hostname.get(hostname).and_then(|position| self.services.get(*position))
    }

    /// The egress listener whose routes serve a port, or a Unix path where `port` is 0: the first with that port, or the
    /// first without a port, whichever stands earlier (T-375).
    pub fn egress_for(&self, port: u32, bind: &str) -> Option<&EgressScope> {
        self.egress.iter().find(|scope| {
            let Some((_, listener)) = &scope.listener else { return true };
            let Some(own) = &listener.port else { return true };
            own.number == port && (port != 0 || listener.bind == bind)
        })
    }
}

/// The one Sidecar of a workload: of its namespace with a selector, then without, then the root namespace's (T-370).
fn pick_sidecar<'s>(snapshot: &'s MeshSnapshot, proxy: &Proxy) -> Option<&'s Arc<Object<Sidecar>>> {
    let selects = |object: &&Arc<Object<Sidecar>>| {
        let selector = object.spec.workload_selector.as_ref();
        selector.is_some_and(|selector| labels_subset_of(&selector.labels, &proxy.labels))
    };
    let is_general = |object: &&Arc<Object<Sidecar>>| object.spec.workload_selector.is_none();
    let root_namespace = snapshot.mesh.root_namespace();
    within(snapshot, &proxy.namespace)
        .find(selects)
        .or_else(|| within(snapshot, &proxy.namespace).find(is_general))
        .or_else(|| within(snapshot, root_namespace).find(is_general))
}

fn within<'s>(snapshot: &'s MeshSnapshot, namespace: &str) -> impl Iterator<Item = &'s Arc<Object<Sidecar>>> {
    snapshot.sidecars.iter().filter(move |object| &*object.meta.namespace == namespace)
}

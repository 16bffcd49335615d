//! The scope of a proxy: which Sidecar applies, and what is imported (T-370, T-371).

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use mesh_model::name::labels_subset_of;
use mesh_model::networking::sidecar::spec::Sidecar;
use mesh_model::object::{Object, ResourceKey};
use smallvec::SmallVec;

use super::egress::EgressScope;
use super::imports::{Destinations, Positions, ServiceSet, destinations};
use super::kinship::Kinship;
use crate::merge::virtual_service::MergedVirtualService;
use crate::proxy_identity::{Proxy, ProxyKind};
use crate::registry::HostKey;
use crate::registry::service::Service;
use crate::snapshot::MeshSnapshot;

/// The scope of a proxy: what its Sidecar (or the default) imports (T-370, T-371).
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The Sidecar that applies; `None`: the built-in default, or a gateway (T-370, T-371).
    pub sidecar: Option<Arc<Object<Sidecar>>>,
    /// Egress listeners in order; one catch-all where none is written. Empty for gateways.
    pub egress: Vec<EgressScope>,
    /// Every service that gets clusters, one per hostname, in order of import (T-380, T-381).
    pub services: Vec<Arc<Service>>,
    /// Position in `services` by hostname.
    pub(super) by_hostname: Arc<Positions>,
    /// Hosts that routes of the scope lead to.
    pub(super) destinations: Arc<Destinations>,
}

/// What another version of a VirtualService does to a scope.
/// Ours: most changes of a VirtualService leave scopes as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// The scope has neither version.
    Nothing,
    /// It has both, in one place, and nothing but what is in it is another.
    Rewritten,
    /// The scope is another.
    Scope,
}

/// What a scope depends on besides the mesh: proxies with equal keys share one.
/// Ours: proxies of one namespace with the same labels mostly have one scope.
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
        let (services, by_hostname, destinations) =
            ServiceSet::of_namespace(snapshot, &proxy.namespace).into_parts();
        let (by_hostname, destinations) = (Arc::new(by_hostname), Arc::new(destinations));
        Self { sidecar: None, egress: Vec::new(), services, by_hostname, destinations }
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
        let (services, by_hostname, destinations) =
            ServiceSet::of_egress(snapshot, &proxy.namespace, &egress).into_parts();
        let (by_hostname, destinations) = (Arc::new(by_hostname), Arc::new(destinations));
        Self { sidecar, egress, services, by_hostname, destinations }
    }

    /// Whether the Sidecar of this scope is the one that applies to `proxy`.
    pub(crate) fn has_sidecar_of(&self, snapshot: &MeshSnapshot, proxy: &Proxy) -> bool {
        if proxy.kind == ProxyKind::Gateway {
            return true;
        }
        match (&self.sidecar, pick_sidecar(snapshot, proxy)) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }

    /// Whether services of a hostname, before a change or after it, can be part of this scope.
    pub(crate) fn is_concerned_by_service(
        &self,
        snapshot: &MeshSnapshot,
        namespace: &str,
        hostname: &str,
    ) -> bool {
        if self.by_hostname.contains_key(hostname) || self.destinations.contains_key(hostname) {
            return true;
        }
        let services = snapshot.registry.by_host(hostname);
        let index = &snapshot.service_index;
        services.iter().any(|service| {
            let is_taken = self.egress.is_empty()
                || self.egress.iter().any(|egress| egress.takes_service(hostname, &service.namespace));
            is_taken && index.is_visible(service, namespace)
        })
    }

    /// Whether this scope, which is that of `from`, is that of `to` too: the same Sidecar says the same for both, and
    /// neither namespace sees what others do not.
    pub(crate) fn is_for(
        &self,
        snapshot: &MeshSnapshot,
        kinship: &Kinship,
        from: &Proxy,
        to: &Proxy,
    ) -> bool {
        if from.kind != to.kind || !self.has_sidecar_of(snapshot, to) {
            return false;
        }
        let says_own = |host: &String| matches!(host.split_once('/'), Some(("." | "~.", _)));
        let listeners = self.sidecar.iter().flat_map(|object| &object.spec.egress);
        from.namespace == to.namespace
            || (!kinship.is_apart(&from.namespace)
                && !kinship.is_apart(&to.namespace)
                && !listeners.flat_map(|listener| &listener.hosts).any(says_own))
    }

    /// What becomes of the scope of a proxy of `namespace` when `new` takes the place of `old`.
    pub(crate) fn concern(
        &self,
        namespace: &str,
        old: Option<&Arc<MergedVirtualService>>,
        new: Option<&Arc<MergedVirtualService>>,
    ) -> Concern {
        let has_shape_of = old.zip(new).is_some_and(|(old, new)| has_same_shape(old, new, namespace));
        let mut concern = Concern::Nothing;
        for egress in &self.egress {
            let is_in = old.is_some_and(|old| egress.position(old).is_some());
            let comes_in = new.is_some_and(|new| egress.takes(new, namespace));
            match (is_in, comes_in) {
                (false, false) => {}
                (true, true) if has_shape_of => concern = Concern::Rewritten,
                _ => return Concern::Scope,
            }
        }
        concern
    }

    /// Puts another version of a VirtualService in the place of the one before.
    pub(crate) fn rewrite(&mut self, old: &Arc<MergedVirtualService>, new: &Arc<MergedVirtualService>) {
        for egress in &mut self.egress {
            if let Some(position) = egress.position(old) {
                egress.put(position, new);
            }
        }
    }

    /// Puts another version of a service, which differs in nothing that a scope looks at, in the place of the one before.
    /// `false`: the scope has it in another form, and may be half done.
    pub(crate) fn rewrite_service(&mut self, old: &Arc<Service>, new: &Arc<Service>) -> bool {
        let is_as_registered = |egress: &EgressScope| egress.matched_port().is_none();
        if !old.aliases.is_empty() || !self.egress.iter().all(is_as_registered) {
            return false;
        }
        if let Some(position) = self.by_hostname.get(&old.hostname)
            && let Some(slot) = self.services.get_mut(*position)
        {
            // It may be united with others, or stand for another namespace's.
            if !Arc::ptr_eq(slot, old) {
                return false;
            }
            *slot = Arc::clone(new);
        }
        for slot in self.egress.iter_mut().flat_map(|egress| &mut egress.services) {
            if Arc::ptr_eq(slot, old) {
                *slot = Arc::clone(new);
            }
        }
        true
    }

    /// Hostnames whose services differ between two scopes.
    pub(crate) fn differing_hosts(&self, new: &Self) -> BTreeSet<Arc<str>> {
        let (old, new) = (self.by_host(), new.by_host());
        let is_same = |host: &Arc<str>| match (old.get(host), new.get(host)) {
            (Some(old), Some(new)) => {
                old.len() == new.len()
                    && old
                        .iter()
                        .zip(new)
                        .all(|(old, new)| old.0 == new.0 && (Arc::ptr_eq(old.1, new.1) || old.1 == new.1))
            }
            _ => false,
        };
        old.keys().chain(new.keys()).filter(|host| !is_same(host)).cloned().collect()
    }

    /// Services by hostname, each with the listener (0: the scope as a whole) that has it.
    fn by_host(&self) -> ByHost<'_> {
        let mut found: HashMap<_, SmallVec<_>, _> = HashMap::default();
        let of_listeners = self.egress.iter().zip(1..).map(|(egress, at)| (at, &egress.services));
        for (at, services) in std::iter::once((0, &self.services)).chain(of_listeners) {
            for service in services {
                found.entry(Arc::clone(&service.hostname)).or_default().push((at, service));
            }
        }
        found
    }

    /// The service that gets the clusters of this hostname.
    pub fn service(&self, hostname: &str) -> Option<&Arc<Service>> {
        self.by_hostname.get(hostname).and_then(|position| self.services.get(*position))
    }

    /// The same with its place in [`services`](Self::services).
    pub(crate) fn place_of(&self, hostname: &str) -> Option<(usize, &Arc<Service>)> {
        let place = *self.by_hostname.get(hostname)?;
        Some((place, self.services.get(place)?))
    }

    /// Whether a listener has a VirtualService of this namespace and name.
    pub(crate) fn has_virtual_service(&self, name: &HostKey) -> bool {
        self.egress.iter().any(|egress| egress.positions.contains_key(name))
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

/// Services by hostname, with the listeners that have them.
type ByHost<'s> = HashMap<Arc<str>, SmallVec<[(usize, &'s Arc<Service>); 2]>, RandomState>;

/// Whether two versions of a VirtualService differ in nothing that a scope looks at.
fn has_same_shape(old: &MergedVirtualService, new: &MergedVirtualService, namespace: &str) -> bool {
    old.semantics == new.semantics
        && old.precedence() == new.precedence()
        && old.export_to == new.export_to
        && old.spec.hosts == new.spec.hosts
        && old.spec.gateways == new.spec.gateways
        && destinations(&old.spec, namespace) == destinations(&new.spec, namespace)
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

//! What one egress listener of a Sidecar imports (T-372 to T-377, T-380, T-384).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use mesh_model::name::{MESH_GATEWAY, Protocol, is_wildcard, most_specific_match};
use mesh_model::networking::sidecar::spec::IstioEgressListener;

use super::hosts::{Cover, HostImports, HostSet};
use crate::merge::virtual_service::{MergedVirtualService, RouteSemantics};
use crate::registry::HostKey;
use crate::registry::service::{RegistryKind, Service};
use crate::snapshot::MeshSnapshot;
use crate::visibility::{is_own_gateway_api, is_seen};

/// One egress listener of a Sidecar with what it imports (T-372..T-377).
#[derive(Debug, Clone)]
pub struct EgressScope {
    /// Index in `spec.egress` and the listener; `None`: the default catch-all.
    pub listener: Option<(usize, IstioEgressListener)>,
    /// Services in scope order, trimmed to the listener's port where it has one (T-375).
    pub services: Vec<Arc<Service>>,
    /// VirtualServices in T-101 order, filtered by the listener's hosts (T-384).
    pub virtual_services: Vec<Arc<MergedVirtualService>>,
    /// By service hostname, the position of the VirtualService with the most specific host (T-106).
    pub(super) most_specific: Arc<HashMap<Arc<str>, usize, RandomState>>,
    /// Positions of VirtualServices by namespace and name.
    pub(super) positions: Arc<HashMap<HostKey, usize, RandomState>>,
    pub(super) imports: Arc<HostImports>,
    /// Whether services are those of the mesh as they are, each hostname once and in lower case, in the order of the mesh.
    pub(super) is_plain: bool,
}

impl EgressScope {
    /// Whether this listener, of all ports, has the services of the mesh as they are, each hostname once and in lower case.
    pub(crate) fn has_plain_services(&self) -> bool {
        self.is_plain && self.listener.as_ref().is_none_or(|(_, listener)| listener.port.is_none())
    }

    /// The scope of a listener of a Sidecar that applies in `namespace`.
    pub(super) fn of_listener(
        snapshot: &MeshSnapshot,
        namespace: &str,
        listener: (usize, IstioEgressListener),
    ) -> Self {
        let imports = HostImports::parse(&listener.1.hosts, namespace);
        let port = matched_port(&listener.1);
        Self::new(snapshot, namespace, imports, port, Some(listener))
    }

    /// The catch-all where no listener is written: `*/*` (T-372).
    pub(super) fn catch_all(snapshot: &MeshSnapshot, namespace: &str) -> Self {
        let imports = HostImports::parse(&["*/*".to_owned()], namespace);
        Self::new(snapshot, namespace, imports, None, None)
    }

    fn new(
        snapshot: &MeshSnapshot,
        namespace: &str,
        imports: HostImports,
        port: Option<u32>,
        listener: Option<(usize, IstioEgressListener)>,
    ) -> Self {
        let (services, is_plain) = select_services(snapshot, namespace, &imports, port);
        let virtual_services = select_virtual_services(snapshot, namespace, &imports);
        let most_specific = Arc::new(most_specific_hosts(&virtual_services, &services));
        let name = |it: &Arc<MergedVirtualService>| (Arc::clone(&it.namespace), Arc::clone(&it.name));
        let positions = virtual_services.iter().enumerate().map(|(at, it)| (name(it), at)).collect();
        let (positions, imports) = (Arc::new(positions), Arc::new(imports));
        Self { listener, services, virtual_services, most_specific, positions, imports, is_plain }
    }

    /// Where a VirtualService stands.
    pub(crate) fn position(&self, virtual_service: &Arc<MergedVirtualService>) -> Option<usize> {
        let name = (Arc::clone(&virtual_service.namespace), Arc::clone(&virtual_service.name));
        let position = *self.positions.get(&name)?;
        let found = self.virtual_services.get(position)?;
        Arc::ptr_eq(found, virtual_service).then_some(position)
    }

    /// Whether [`position`](Self::position) knows all VirtualServices: those of two clusters may have one name.
    pub(crate) fn has_each_name_once(&self) -> bool {
        self.positions.len() == self.virtual_services.len()
    }

    /// Whether a client in `namespace` that has this listener would take a VirtualService.
    pub(super) fn takes(&self, virtual_service: &MergedVirtualService, namespace: &str) -> bool {
        is_seen(virtual_service, namespace, MESH_GATEWAY) && is_imported(virtual_service, &self.imports)
    }

    /// Whether it would take a service of this hostname and namespace that it sees, whatever its ports.
    pub(super) fn takes_service(&self, hostname: &str, namespace: &str) -> bool {
        !self.imports.excludes(namespace, hostname)
            && self.imports.sets(namespace).any(|set| set.covers(hostname))
    }

    /// Puts another version of a VirtualService in its place.
    pub(super) fn put(&mut self, position: usize, new: &Arc<MergedVirtualService>) {
        if let Some(slot) = self.virtual_services.get_mut(position) {
            *slot = Arc::clone(new);
        }
    }

    /// The number that services must have a port of; `None`: all ports are taken (T-375).
    pub fn matched_port(&self) -> Option<u32> {
        self.listener.as_ref().and_then(|(_, listener)| matched_port(listener))
    }

    /// Whether this is the listener without a port.
    pub fn is_catch_all(&self) -> bool {
        self.listener.as_ref().is_none_or(|(_, listener)| listener.port.is_none())
    }

    /// The one VirtualService that may own a service of this listener: the one with the most specific host that covers
    /// it, an earlier one where the hosts are the same (T-106).
    pub fn most_specific_virtual_service(&self, hostname: &str) -> Option<&Arc<MergedVirtualService>> {
        self.virtual_services.get(*self.most_specific.get(hostname)?)
    }
}

/// A listener's port, unless it is an explicit HTTP proxy, which takes all ports (T-375).
fn matched_port(listener: &IstioEgressListener) -> Option<u32> {
    let port = listener.port.as_ref()?;
    (port.number != 0 && Protocol::parse(&port.protocol) != Protocol::HttpProxy).then_some(port.number)
}

/// The service as a listener sees it: trimmed to the port that must match; `None` where it has no such port.
pub(super) fn trim_to_port(service: &Arc<Service>, port: Option<u32>) -> Option<Arc<Service>> {
    let Some(number) = port else { return Some(Arc::clone(service)) };
    let found = service.ports.iter().find(|candidate| u32::from(candidate.number) == number)?;
    if service.ports.len() == 1 {
        return Some(Arc::clone(service));
    }
    Some(Arc::new(Service { ports: vec![found.clone()], ..Service::clone(service) }))
}

/// The services, and whether they are [plain](EgressScope::is_plain).
fn select_services(
    snapshot: &MeshSnapshot,
    namespace: &str,
    imports: &HostImports,
    port: Option<u32>,
) -> (Vec<Arc<Service>>, bool) {
    let mut selected = Vec::new();
    for candidate in candidates(snapshot, namespace, imports) {
        if imports.excludes(&candidate.namespace, &candidate.hostname) {
            continue;
        }
        let imported = imports.sets(&candidate.namespace).find_map(|set| {
            let covered = set.covers(&candidate.hostname).then_some(&candidate)?;
            trim_to_port(covered, port).map(|service| with_imported_aliases(service, set))
        });
        selected.extend(imported);
    }
    let (selected, is_each_once) = keep_one_namespace_per_hostname(selected, namespace);
    let is_lower = |service: &Arc<Service>| !service.hostname.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_plain =
        is_each_once && port.is_none() && imports.exact_pairs().is_none() && selected.iter().all(is_lower);
    (selected, is_plain)
}

/// What a listener chooses from: all that the namespace sees, in T-303 order.
///
/// Entries that are all exact are looked up by name instead, which takes one service per hostname and namespace and
/// orders them by age alone, as in Istio.
fn candidates(snapshot: &MeshSnapshot, namespace: &str, imports: &HostImports) -> Vec<Arc<Service>> {
    let index = &snapshot.service_index;
    let Some(pairs) = imports.exact_pairs() else {
        return index.exported_to(namespace).cloned().collect();
    };
    let mut found: Vec<_> = pairs
        .filter_map(|(owner, host)| index.by_hostname(host)?.get(owner))
        .filter(|service| index.is_visible(service, namespace))
        .cloned()
        .collect();
    found.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
    found
}

/// Aliases count only where they are imported as well (T-374).
fn with_imported_aliases(service: Arc<Service>, set: &HostSet) -> Arc<Service> {
    if service.aliases.iter().all(|(hostname, _)| set.covers(hostname)) {
        return service;
    }
    let mut trimmed = Service::clone(&service);
    trimmed.aliases.retain(|(hostname, _)| set.covers(hostname));
    Arc::new(trimmed)
}

/// One namespace per hostname: the own one, else the first seen, where a Kubernetes Service replaces a ServiceEntry (T-380).
/// Also says whether each hostname came once.
fn keep_one_namespace_per_hostname(
    services: Vec<Arc<Service>>,
    own_namespace: &str,
) -> (Vec<Arc<Service>>, bool) {
    let mut chosen: HashMap<Arc<str>, (Arc<str>, RegistryKind), RandomState> =
        HashMap::with_capacity_and_hasher(services.len(), RandomState::default());
    for service in &services {
        let claim = (Arc::clone(&service.namespace), service.registry);
        let takes = match chosen.get(&service.hostname) {
            None => true,
            Some(_) if &*service.namespace == own_namespace => true,
            Some((namespace, registry)) => {
                *registry != RegistryKind::Kubernetes
                    && service.registry == RegistryKind::Kubernetes
                    && &**namespace != own_namespace
            }
        };
        if takes {
            chosen.insert(Arc::clone(&service.hostname), claim);
        }
    }
    if chosen.len() == services.len() {
        return (services, true);
    }
    let is_chosen = |service: &Arc<Service>| {
        chosen.get(&service.hostname).is_some_and(|(namespace, _)| *namespace == service.namespace)
    };
    (services.into_iter().filter(is_chosen).collect(), false)
}

/// VirtualServices of the mesh that a listener's hosts take: the three classes in order (T-101, T-384).
fn select_virtual_services(
    snapshot: &MeshSnapshot,
    namespace: &str,
    imports: &HostImports,
) -> Vec<Arc<MergedVirtualService>> {
    let mut selected = Vec::new();
    let mut seen = BTreeSet::new();
    for class in snapshot.virtual_service_index.classes(namespace, MESH_GATEWAY) {
        // A namespace's own Gateway API routes come first in each class (E-101).
        let (first, rest): (Vec<_>, Vec<_>) =
            class.iter().partition(|candidate| is_own_gateway_api(candidate, namespace));
        for candidate in first.into_iter().chain(rest) {
            if is_imported(candidate, imports) && seen.insert((&candidate.namespace, &candidate.name)) {
                selected.push(Arc::clone(candidate));
            }
        }
    }
    selected
}

/// Whether any host of a VirtualService meets an entry and is not excluded.
fn is_imported(candidate: &MergedVirtualService, imports: &HostImports) -> bool {
    let cover = match candidate.semantics {
        RouteSemantics::GatewayApi => Cover::OneWay,
        RouteSemantics::Istio | RouteSemantics::Ingress => Cover::EitherWay,
    };
    candidate.spec.hosts.iter().any(|host| {
        imports.sets(&candidate.namespace).any(|set| set.meets(host, cover))
            && !imports.excludes(&candidate.namespace, host)
    })
}

/// By service hostname, the VirtualService with the most specific host that covers it (T-106).
fn most_specific_hosts(
    virtual_services: &[Arc<MergedVirtualService>],
    services: &[Arc<Service>],
) -> HashMap<Arc<str>, usize, RandomState> {
    let mut exact: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wildcards: BTreeMap<&str, usize> = BTreeMap::new();
    for (position, virtual_service) in virtual_services.iter().enumerate() {
        for host in &virtual_service.spec.hosts {
            let table = if is_wildcard(host) { &mut wildcards } else { &mut exact };
            table.entry(host).or_insert(position);
        }
    }
    let owner = |service: &Arc<Service>| {
        let (_, owner) = most_specific_match(&service.hostname, &exact, &wildcards)?;
        Some((Arc::clone(&service.hostname), *owner))
    };
    services.iter().filter_map(owner).collect()
}

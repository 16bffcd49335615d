//! What became different between two revisions of a mesh, and through which objects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::kubernetes::Pod;
use mesh_model::object::Object;
use mesh_model::origin::Origin;

use super::MeshSnapshot;
use crate::merge::virtual_service::MergedVirtualService;
use crate::registry::HostChange;
use crate::registry::endpoint::Endpoint;
use crate::registry::service::Service;

/// Differences between a revision and the one before; each with the object that made it, as far as it can be told.
/// Ours: what depends on nothing that differs is not made again.
#[derive(Debug, Clone, Default)]
pub struct Delta {
    /// Hostnames whose services differ.
    pub services: BTreeMap<Arc<str>, Origin>,
    /// Hostnames among them of which only what was written around one service is another: its ports, addresses, names and
    /// who sees it are what they were. Both versions.
    pub rewritten_services: BTreeMap<Arc<str>, (Arc<Service>, Arc<Service>)>,
    /// Hostnames among them that one namespace has at most, with one service at most, in both revisions. Both versions.
    pub exchanged_services: BTreeMap<Arc<str>, ServiceChange>,
    /// Hostnames whose endpoints, or the identities of their servers, differ.
    pub endpoints: BTreeMap<Arc<str>, Origin>,
    /// Hosts, wildcards among them, whose DestinationRules differ.
    pub destination_rules: BTreeMap<Arc<str>, RuleChange>,
    /// VirtualServices that differ.
    pub virtual_services: Vec<VirtualServiceChange>,
    /// Namespaces whose PeerAuthentications differ.
    pub peer_authentications: BTreeMap<Arc<str>, Origin>,
    /// Namespaces whose RequestAuthentications differ.
    pub request_authentications: BTreeMap<Arc<str>, Origin>,
    /// Namespaces whose AuthorizationPolicies differ.
    pub authorization_policies: BTreeMap<Arc<str>, Origin>,
    /// Namespaces whose Sidecars differ.
    pub sidecars: BTreeMap<Arc<str>, Origin>,
    /// Namespaces whose Telemetry resources differ.
    pub telemetries: BTreeMap<Arc<str>, Origin>,
    /// Namespaces whose ProxyConfig resources differ.
    pub proxy_configs: BTreeMap<Arc<str>, Origin>,
    /// Namespaces whose WasmPlugins or TrafficExtensions differ.
    pub extensions: BTreeMap<Arc<str>, Origin>,
    /// Namespaces whose EnvoyFilters differ.
    pub envoy_filters: BTreeMap<Arc<str>, Origin>,
    /// Gateways, or who serves them, differ.
    pub gateways: Option<Origin>,
    /// Namespaces whose Pods or services differ.
    pub workloads: BTreeMap<Arc<str>, Origin>,
    /// Addresses of Pods and endpoints that differ.
    pub addresses: BTreeMap<IpAddr, Origin>,
}

/// A change of the rules for a host. Ours: a rule that hashes changes routes, any other one clusters alone.
#[derive(Debug, Clone)]
pub struct RuleChange {
    /// Through which rule.
    pub origin: Origin,
    /// Whether a rule of either revision hashes: then routes are concerned, not clusters alone.
    pub hashes: bool,
}

/// A service in both revisions. Ours: a service alone of its hostname is put in its place in scopes and tables.
#[derive(Debug, Clone, Default)]
pub struct ServiceChange {
    /// As it was.
    pub old: Option<Arc<Service>>,
    /// As it is.
    pub new: Option<Arc<Service>>,
}

impl ServiceChange {
    /// From all services of a hostname; `None`: there are several.
    fn of(old: &[Arc<Service>], new: &[Arc<Service>]) -> Option<Self> {
        (old.len() <= 1 && new.len() <= 1)
            .then(|| Self { old: old.first().cloned(), new: new.first().cloned() })
    }
}

/// A VirtualService in both revisions. Ours: both versions are needed to tell which tables are concerned.
#[derive(Debug, Clone)]
pub struct VirtualServiceChange {
    /// As it was.
    pub old: Option<Arc<MergedVirtualService>>,
    /// As it is.
    pub new: Option<Arc<MergedVirtualService>>,
    /// Through which object.
    pub origin: Origin,
}

impl Delta {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
            && self.endpoints.is_empty()
            && self.destination_rules.is_empty()
            && self.virtual_services.is_empty()
            && self.peer_authentications.is_empty()
            && self.request_authentications.is_empty()
            && self.authorization_policies.is_empty()
            && self.sidecars.is_empty()
            && self.telemetries.is_empty()
            && self.proxy_configs.is_empty()
            && self.extensions.is_empty()
            && self.envoy_filters.is_empty()
            && self.gateways.is_none()
            && self.workloads.is_empty()
            && self.addresses.is_empty()
    }

    /// The differences of two revisions, piece by piece. `cause` stands for pieces that do not tell where they come from.
    pub(super) fn between(old: &MeshSnapshot, new: &MeshSnapshot, cause: &Origin) -> Self {
        let mut delta = Self::default();
        delta.compare_services(old, new);
        delta.compare_endpoints(old, new, cause);
        delta.compare_virtual_services(old, new);
        for (host, hashes) in old.destination_rules.differences(&new.destination_rules) {
            delta.destination_rules.insert(host, RuleChange { origin: cause.clone(), hashes });
        }
        delta.peer_authentications = namespaces(&old.peer_authentications, &new.peer_authentications);
        delta.request_authentications =
            namespaces(&old.request_authentications, &new.request_authentications);
        delta.authorization_policies = namespaces(&old.authorization_policies, &new.authorization_policies);
        delta.sidecars = namespaces(&old.sidecars, &new.sidecars);
        delta.telemetries = namespaces(&old.telemetries, &new.telemetries);
        delta.proxy_configs = namespaces(&old.proxy_configs, &new.proxy_configs);
        delta.extensions = namespaces(&old.wasm_plugins, &new.wasm_plugins);
        delta.extensions.extend(namespaces(&old.traffic_extensions, &new.traffic_extensions));
        delta.envoy_filters = namespaces(&old.envoy_filters, &new.envoy_filters);
        delta.gateways = namespaces(&old.gateways, &new.gateways).into_values().next();
        if old.gateway_bindings != new.gateway_bindings {
            delta.gateways.get_or_insert_with(|| cause.clone());
        }
        delta.note_pods(&old.workloads.differing_pods(&new.workloads));
        delta
    }

    /// Takes in the differences that a later step made.
    pub(super) fn absorb(&mut self, later: Self) {
        let Self {
            services,
            rewritten_services: _,
            exchanged_services: _,
            endpoints,
            destination_rules,
            virtual_services,
            peer_authentications,
            request_authentications,
            authorization_policies,
            sidecars,
            telemetries,
            proxy_configs,
            extensions,
            envoy_filters,
            gateways,
            workloads,
            addresses,
        } = later;
        // What became of them first is not all that did.
        self.rewritten_services.clear();
        self.exchanged_services.clear();
        self.services.extend(services);
        self.endpoints.extend(endpoints);
        self.destination_rules.extend(destination_rules);
        self.virtual_services.extend(virtual_services);
        self.peer_authentications.extend(peer_authentications);
        self.request_authentications.extend(request_authentications);
        self.authorization_policies.extend(authorization_policies);
        self.sidecars.extend(sidecars);
        self.telemetries.extend(telemetries);
        self.proxy_configs.extend(proxy_configs);
        self.extensions.extend(extensions);
        self.envoy_filters.extend(envoy_filters);
        self.gateways = gateways.or(self.gateways.take());
        self.workloads.extend(workloads);
        self.addresses.extend(addresses);
    }

    /// What became of a hostname of a namespace. `of_host` are all services that it has now.
    pub(super) fn note_host(&mut self, change: &HostChange, of_host: &[Arc<Service>], cause: &Origin) {
        let host = &change.key.0;
        let is_alone = !self.services.contains_key(host);
        self.note_services(&change.old_services, &change.new_services);
        match (change.old_services.as_slice(), change.new_services.as_slice()) {
            ([old], [new]) if is_alone && old.is_rewritten_as(new) => {
                self.rewritten_services.insert(Arc::clone(host), (Arc::clone(old), Arc::clone(new)));
            }
            _ => {
                self.rewritten_services.remove(host);
            }
        }
        let is_all = of_host.len() == change.new_services.len();
        let exchange = ServiceChange::of(&change.old_services, &change.new_services);
        if let (Some(exchange), true) = (exchange, is_alone && is_all) {
            self.exchanged_services.insert(Arc::clone(host), exchange);
        } else {
            self.exchanged_services.remove(host);
        }
        if change.old_endpoints != change.new_endpoints || change.has_other_identities {
            self.note_endpoints(&change.key.0, &change.old_endpoints, &change.new_endpoints, cause);
        }
    }

    /// Pods that only one revision has.
    pub(super) fn note_pods(&mut self, pods: &[Arc<Object<Pod>>]) {
        for pod in pods {
            let origin = pod.origin("metadata");
            if let Ok(ip) = pod.spec.status.pod_ip.parse() {
                self.addresses.entry(ip).or_insert_with(|| origin.clone());
            }
            self.workloads.entry(Arc::clone(&pod.meta.namespace)).or_insert(origin);
        }
    }

    fn compare_services(&mut self, old: &MeshSnapshot, new: &MeshSnapshot) {
        self.note_services(&old.registry.services, &new.registry.services);
        for host in self.services.keys() {
            let change = ServiceChange::of(old.registry.by_host(host), new.registry.by_host(host));
            self.exchanged_services.extend(change.map(|change| (Arc::clone(host), change)));
        }
    }

    fn note_services(&mut self, old: &[Arc<Service>], new: &[Arc<Service>]) {
        for service in differing(old, new) {
            let origin = Origin::written(&service.provenance, "spec");
            self.workloads.entry(Arc::clone(&service.namespace)).or_insert_with(|| origin.clone());
            self.services.entry(Arc::clone(&service.hostname)).or_insert_with(|| origin.clone());
            // What its servers may be called is written in it too.
            self.endpoints.entry(Arc::clone(&service.hostname)).or_insert(origin);
        }
    }

    fn compare_endpoints(&mut self, old: &MeshSnapshot, new: &MeshSnapshot, cause: &Origin) {
        let keys: BTreeSet<_> = old.registry.endpoints.keys().chain(new.registry.endpoints.keys()).collect();
        // Gateways between networks stand for endpoints of any host.
        let same_gateways = old.registry.networks.gateways == new.registry.networks.gateways;
        for key in keys {
            let (before, after) = (old.registry.endpoints.get(key), new.registry.endpoints.get(key));
            if same_gateways
                && before == after
                && old.registry.identities_of(key) == new.registry.identities_of(key)
            {
                continue;
            }
            let all = |list: Option<&'_ Vec<Arc<Endpoint>>>| list.cloned().unwrap_or_default();
            self.note_endpoints(&key.0, &all(before), &all(after), cause);
        }
    }

    fn note_endpoints(
        &mut self,
        host: &Arc<str>,
        old: &[Arc<Endpoint>],
        new: &[Arc<Endpoint>],
        cause: &Origin,
    ) {
        let changed = differing_values(old, new);
        let origin =
            changed.last().map_or_else(|| cause.clone(), |it| Origin::written(&it.provenance, "spec"));
        for endpoint in changed {
            if let Ok(ip) = endpoint.address.parse() {
                self.addresses.entry(ip).or_insert_with(|| origin.clone());
            }
        }
        self.endpoints.entry(Arc::clone(host)).or_insert(origin);
    }

    fn compare_virtual_services(&mut self, old: &MeshSnapshot, new: &MeshSnapshot) {
        type Name = (Arc<str>, Arc<str>);
        let name = |it: &MergedVirtualService| -> Name { (Arc::clone(&it.namespace), Arc::clone(&it.name)) };
        let gone = only_in_first(&old.virtual_services, &new.virtual_services);
        let come = only_in_first(&new.virtual_services, &old.virtual_services);
        let mut gone: BTreeMap<Name, Vec<_>> = gone.into_iter().fold(BTreeMap::new(), |mut map, it| {
            map.entry(name(&it)).or_default().push(it);
            map
        });
        for new in come {
            let old = gone.get_mut(&name(&new)).and_then(Vec::pop);
            let origin = Origin::written(&new.provenance, "spec");
            self.virtual_services.push(VirtualServiceChange { old, new: Some(new), origin });
        }
        for old in gone.into_values().flatten() {
            let origin = Origin::written(&old.provenance, "spec");
            self.virtual_services.push(VirtualServiceChange { old: Some(old), new: None, origin });
        }
    }
}

/// Those of `first` that `second` does not have, in memory.
pub(super) fn only_in_first<T>(first: &[Arc<T>], second: &[Arc<T>]) -> Vec<Arc<T>> {
    let known: BTreeSet<*const T> = second.iter().map(Arc::as_ptr).collect();
    first.iter().filter(|it| !known.contains(&Arc::as_ptr(it))).cloned().collect()
}

/// Services of either revision that the other does not have, those of the newer one last.
fn differing(old: &[Arc<Service>], new: &[Arc<Service>]) -> Vec<Arc<Service>> {
    [only_in_first(new, old), only_in_first(old, new)].concat()
}

/// Elements of either list that the other does not have, those of the newer one last.
fn differing_values(old: &[Arc<Endpoint>], new: &[Arc<Endpoint>]) -> Vec<Arc<Endpoint>> {
    // Looked for among those of one address: lists of tens of thousands are compared too.
    type ByAddress<'l> = BTreeMap<&'l str, Vec<&'l Arc<Endpoint>>>;
    fn by_address(list: &[Arc<Endpoint>]) -> ByAddress<'_> {
        let mut map = ByAddress::new();
        for endpoint in list {
            map.entry(&endpoint.address).or_default().push(endpoint);
        }
        map
    }
    let (in_old, in_new) = (by_address(old), by_address(new));
    let is_in = |map: &ByAddress<'_>, it: &Arc<Endpoint>| {
        map.get(&*it.address)
            .is_some_and(|list| list.iter().any(|other| Arc::ptr_eq(other, it) || *other == it))
    };
    let gone = old.iter().filter(|it| !is_in(&in_new, it));
    gone.chain(new.iter().filter(|it| !is_in(&in_old, it))).cloned().collect()
}

/// Namespaces of objects that only one of two lists has, with the object.
pub(super) fn namespaces<S>(
    old: &[Arc<mesh_model::object::Object<S>>],
    new: &[Arc<mesh_model::object::Object<S>>],
) -> BTreeMap<Arc<str>, Origin> {
    let changed = [only_in_first(old, new), only_in_first(new, old)].concat();
    changed.iter().map(|object| (Arc::clone(&object.meta.namespace), object.origin("spec"))).collect()
}

//! The next revision of a mesh, from the one before and the objects that changed.
//! Ours: resolving all anew is the oracle that a taken-in change is compared with.
//!
//! Kinds that stand for themselves are taken in one by one; of kinds that services and endpoints are made of, the hosts
//! or namespaces that changed are read again; for all others the mesh is resolved anew, and whatever comes out the same
//! keeps its place in memory. Which road was taken makes no difference to the result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::Report;
use mesh_model::networking::destination_rule::spec::DestinationRule;
use mesh_model::networking::virtual_service::spec::VirtualService;
use mesh_model::object::{Kind, Object, ResourceKey};
use mesh_model::origin::Origin;

use super::delta::{Delta, RuleChange, VirtualServiceChange, namespaces};
use super::register::{hosts_of, is_of_registry};
use super::{MeshSnapshot, discovered, sort};
use crate::merge::destination_rule::host_of;
use crate::merge::virtual_service::{self, MergedVirtualService, references};
use crate::registry::{HostKey, service_of};

/// Kinds that are taken in one by one, all of the groups of Istio.
const ALONE: [&str; 12] = [
    "VirtualService",
    "DestinationRule",
    "Sidecar",
    "Gateway",
    "PeerAuthentication",
    "RequestAuthentication",
    "AuthorizationPolicy",
    "Telemetry",
    "ProxyConfig",
    "WasmPlugin",
    "TrafficExtension",
    "EnvoyFilter",
];

/// What of the configuration the incremental road has to look up again.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    /// VirtualServices that someone wrote, merged, by namespace and name.
    merged: BTreeMap<HostKey, Arc<MergedVirtualService>>,
    /// Delegates by who names them, and who names them by delegate.
    references: BTreeMap<HostKey, Vec<HostKey>>,
    delegators: BTreeMap<HostKey, BTreeSet<HostKey>>,
    /// Hosts of DestinationRules by namespace and name.
    rule_hosts: BTreeMap<HostKey, String>,
    /// Hosts of ServiceEntries by namespace and name.
    pub(super) entries: BTreeMap<HostKey, Vec<Arc<str>>>,
    /// Hostname and namespace of the Services that EndpointSlices are of, by the slice's namespace and name.
    pub(super) slices: BTreeMap<HostKey, HostKey>,
}

impl Written {
    pub(super) fn of(
        config: &ConfigSet,
        virtual_services: &[Arc<Object<VirtualService>>],
        merged: &[Arc<MergedVirtualService>],
        rules: &[Arc<Object<DestinationRule>>],
    ) -> Self {
        let mut written = Self::default();
        for object in virtual_services {
            written.refer(&name_of(object), references(&object.spec, &object.meta.namespace));
        }
        for it in merged {
            written.merged.insert((Arc::clone(&it.namespace), Arc::clone(&it.name)), Arc::clone(it));
        }
        for rule in rules {
            written.rule_hosts.insert(name_of(rule), host_of(rule));
        }
        for entry in config.service_entries.iter() {
            written.entries.insert(name_of(entry), hosts_of(entry));
        }
        for slice in config.endpoint_slices.iter() {
            written.slices.extend(service_of(slice).map(|service| (name_of(slice), service)));
        }
        written
    }

    /// Remembers which delegates a VirtualService names now.
    fn refer(&mut self, root: &HostKey, delegates: Vec<HostKey>) {
        for delegate in self.references.remove(root).unwrap_or_default() {
            if let Some(roots) = self.delegators.get_mut(&delegate) {
                roots.remove(root);
            }
        }
        for delegate in &delegates {
            self.delegators.entry(delegate.clone()).or_default().insert(root.clone());
        }
        if !delegates.is_empty() {
            self.references.insert(root.clone(), delegates);
        }
    }
}

pub(super) fn name_of<S>(object: &Object<S>) -> HostKey {
    (Arc::clone(&object.meta.namespace), Arc::clone(&object.meta.name))
}

impl MeshSnapshot {
    /// Takes in the objects of `changed` as they now are in `config`. `origins` says where each was written, or had been
    /// before it was removed.
    ///
    /// The result is what [`resolve`](Self::resolve) makes of `config`; the report holds what is wrong with the parts
    /// that were looked at again.
    pub fn update(
        &mut self,
        config: &ConfigSet,
        changed: &BTreeSet<ResourceKey>,
        origins: &BTreeMap<ResourceKey, Origin>,
    ) -> (Delta, Report) {
        let origin =
            |key: &ResourceKey| origins.get(key).cloned().unwrap_or_else(|| Origin::built_in("a change"));
        let mut delta = Delta::default();
        let mut report = Report::new();
        let Some(first) = changed.first() else { return (delta, report) };
        let all_alone = changed.iter().all(|key| is_alone(key) || is_of_registry(key))
            && config.virtual_services.is_of_one_cluster()
            && config.destination_rules.is_of_one_cluster();
        let of_registry: Vec<_> = changed.iter().filter(|key| is_of_registry(key)).collect();
        let is_plain = all_alone
            && (of_registry.is_empty()
                || self.register_again(config, &of_registry, &origin, &mut delta, &mut report));
        if !is_plain {
            return self.resolve_again(config, &origin(first));
        }
        let mut roots: BTreeMap<HostKey, Origin> = BTreeMap::new();
        let mut rules: BTreeMap<(Arc<str>, String), Origin> = BTreeMap::new();
        let mut lists: BTreeSet<&str> = BTreeSet::new();
        for key in changed.iter().filter(|key| is_alone(key)) {
            match key.kind {
                "VirtualService" => self.note_virtual_service(config, key, &origin(key), &mut roots),
                "DestinationRule" => self.note_rule(config, key, &origin(key), &mut rules),
                kind => {
                    lists.insert(kind);
                }
            }
        }
        for (root, origin) in roots {
            if !self.merge_again(config, &root, &origin, &mut delta, &mut report) {
                // What was taken in so far is no difference any more.
                let (rest, report) = self.resolve_again(config, &origin);
                delta.absorb(rest);
                return (delta, report);
            }
        }
        for ((namespace, host), origin) in rules {
            let hashes = self.fold_again(config, first, &namespace, &host);
            let change = delta.destination_rules.entry(host.into()).or_insert(RuleChange { origin, hashes });
            change.hashes |= hashes;
        }
        for kind in lists {
            self.list_again(config, kind, &mut delta);
        }
        (delta, report)
    }

    /// Everything anew; what is equal stays where it is in memory.
    pub(crate) fn resolve_again(&mut self, config: &ConfigSet, cause: &Origin) -> (Delta, Report) {
        let (mut new, report) = Self::resolve_after(config, Arc::clone(&self.mesh), Some(self));
        std::mem::swap(self, &mut new);
        (Delta::between(&new, self, cause), report)
    }

    fn note_virtual_service(
        &mut self,
        config: &ConfigSet,
        key: &ResourceKey,
        origin: &Origin,
        roots: &mut BTreeMap<HostKey, Origin>,
    ) {
        let name = (Arc::clone(&key.namespace), Arc::clone(&key.name));
        let found = config.virtual_services.get(key);
        let delegates =
            found.map(|object| references(&object.spec, &object.meta.namespace)).unwrap_or_default();
        self.written.refer(&name, delegates);
        for root in self.written.delegators.get(&name).into_iter().flatten() {
            roots.entry(root.clone()).or_insert_with(|| origin.clone());
        }
        roots.insert(name, origin.clone());
    }

    /// Merges one VirtualService again. `false`: its place in the order is not plain, everything must be resolved anew.
    fn merge_again(
        &mut self,
        config: &ConfigSet,
        name: &HostKey,
        origin: &Origin,
        delta: &mut Delta,
        report: &mut Report,
    ) -> bool {
        let find = |(namespace, name): &HostKey| {
            let cluster =
                config.virtual_services.iter().next().map(|first| Arc::clone(&first.meta.cluster))?;
            let key = key_of::<VirtualService>(&cluster, namespace, name);
            let found = config.virtual_services.get(&key)?;
            let is_seen = self.registry.namespaces.is_discovered(&found.meta.cluster, &found.meta.namespace);
            is_seen.then(|| Arc::clone(found))
        };
        let merged =
            find(name).and_then(|object| virtual_service::merge_one(&object, &find, &self.mesh, report));
        let old = self.written.merged.get(name).cloned();
        if old.as_deref() == merged.as_ref() {
            return true;
        }
        let new = merged.map(Arc::new);
        if let Some(old) = &old {
            let Some(position) = position_of(&self.virtual_services, old) else { return false };
            self.virtual_services.remove(position);
            self.written.merged.remove(name);
        }
        if let Some(new) = &new {
            let order = new.precedence();
            let position = self.virtual_services.partition_point(|it| it.precedence() < order);
            if self.virtual_services.get(position).is_some_and(|next| next.precedence() == order) {
                return false;
            }
            self.virtual_services.insert(position, Arc::clone(new));
            self.written.merged.insert(name.clone(), Arc::clone(new));
        }
        self.virtual_service_index.replace(old.as_ref(), new.as_ref());
        delta.virtual_services.push(VirtualServiceChange { old, new, origin: origin.clone() });
        true
    }

    fn note_rule(
        &mut self,
        config: &ConfigSet,
        key: &ResourceKey,
        origin: &Origin,
        rules: &mut BTreeMap<(Arc<str>, String), Origin>,
    ) {
        let name = (Arc::clone(&key.namespace), Arc::clone(&key.name));
        let new = config.destination_rules.get(key).map(|object| host_of(object));
        let old = match &new {
            Some(host) => self.written.rule_hosts.insert(name, host.clone()),
            None => self.written.rule_hosts.remove(&name),
        };
        for host in old.into_iter().chain(new) {
            rules.insert((Arc::clone(&key.namespace), host), origin.clone());
        }
    }

    /// Folds the rules of one host and namespace again; says whether any of them, old or new, hashes.
    fn fold_again(
        &mut self,
        config: &ConfigSet,
        any: &ResourceKey,
        namespace: &Arc<str>,
        host: &str,
    ) -> bool {
        let cluster =
            config.destination_rules.iter().next().map_or(&any.cluster, |first| &first.meta.cluster);
        let is_seen = self.registry.namespaces.is_discovered(cluster, namespace);
        let rules: Vec<_> = config
            .destination_rules
            .in_namespace(cluster, namespace)
            .filter(|object| is_seen && host_of(object) == host)
            .cloned()
            .collect();
        self.destination_rules.fold_again(namespace, host, &rules)
    }

    /// Kinds that are kept as lists.
    fn list_again(&mut self, config: &ConfigSet, kind: &str, delta: &mut Delta) {
        let seen = &self.registry.namespaces;
        match kind {
            "Sidecar" => {
                let new = discovered(&config.sidecars, seen);
                delta.sidecars = namespaces(&self.sidecars, &new);
                self.sidecars = new;
            }
            "PeerAuthentication" => {
                let new = discovered(&config.peer_authentications, seen);
                delta.peer_authentications = namespaces(&self.peer_authentications, &new);
                self.peer_authentications = new;
            }
            "RequestAuthentication" => {
                let new = discovered(&config.request_authentications, seen);
                delta.request_authentications = namespaces(&self.request_authentications, &new);
                self.request_authentications = new;
            }
            "AuthorizationPolicy" => {
                let new = discovered(&config.authorization_policies, seen);
                delta.authorization_policies = namespaces(&self.authorization_policies, &new);
                self.authorization_policies = new;
            }
            "Telemetry" => {
                let new = discovered(&config.telemetries, seen);
                delta.telemetries = namespaces(&self.telemetries, &new);
                self.telemetries = new;
            }
            "ProxyConfig" => {
                let new = discovered(&config.proxy_configs, seen);
                delta.proxy_configs = namespaces(&self.proxy_configs, &new);
                self.proxy_configs = new;
            }
            "WasmPlugin" => {
                let new = discovered(&config.wasm_plugins, seen);
                delta.extensions.extend(namespaces(&self.wasm_plugins, &new));
                self.wasm_plugins = new;
            }
            "TrafficExtension" => {
                let new = discovered(&config.traffic_extensions, seen);
                delta.extensions.extend(namespaces(&self.traffic_extensions, &new));
                self.traffic_extensions = new;
            }
            "EnvoyFilter" => {
                let new = discovered(&config.envoy_filters, seen);
                delta.envoy_filters = namespaces(&self.envoy_filters, &new);
                self.envoy_filters = new;
            }
            _ => {
                let mut new = discovered(&config.gateways, seen);
                new.extend(self.made_gateways.iter().cloned());
                sort(&mut new);
                delta.gateways = namespaces(&self.gateways, &new).into_values().next();
                self.gateways = new;
            }
        }
    }
}

/// Where an element of a list in order of precedence stands.
fn position_of(list: &[Arc<MergedVirtualService>], wanted: &Arc<MergedVirtualService>) -> Option<usize> {
    let order = wanted.precedence();
    let start = list.partition_point(|it| it.precedence() < order);
    let near = list.iter().enumerate().skip(start).take_while(|(_, it)| it.precedence() == order);
    near.filter(|(_, it)| Arc::ptr_eq(it, wanted)).map(|(position, _)| position).next()
}

fn is_alone(key: &ResourceKey) -> bool {
    key.group.ends_with(".istio.io") && ALONE.contains(&key.kind)
}

fn key_of<S: Kind>(cluster: &Arc<str>, namespace: &Arc<str>, name: &Arc<str>) -> ResourceKey {
    ResourceKey {
        group: S::GROUP,
        kind: S::KIND,
        cluster: Arc::clone(cluster),
        namespace: Arc::clone(namespace),
        name: Arc::clone(name),
    }
}

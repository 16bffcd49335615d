//! Services and endpoints of the next revision: what a change touches is read again.

use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::Report;
use mesh_model::networking::service_entry::spec::ServiceEntry;
use mesh_model::object::{Object, ResourceKey};
use mesh_model::origin::Origin;

use super::MeshSnapshot;
use super::delta::Delta;
use super::update::Written;
use crate::registry::locality::NETWORK_LABEL;
use crate::registry::{Part, hostname, service_of};

/// Kinds that services and endpoints are made of; Namespaces and Nodes are about all of them.
pub(super) fn is_of_registry(key: &ResourceKey) -> bool {
    matches!(
        (key.group, key.kind),
        ("networking.istio.io", "ServiceEntry" | "WorkloadEntry")
            | ("", "Service" | "Pod")
            | ("discovery.k8s.io", "EndpointSlice")
    )
}

/// The hosts of a ServiceEntry.
pub(super) fn hosts_of(entry: &Object<ServiceEntry>) -> Vec<Arc<str>> {
    entry.spec.hosts.iter().map(|host| host.as_str().into()).collect()
}

impl MeshSnapshot {
    /// Reads again what services and endpoints are made of. `false`, and nothing is done: everything must be resolved
    /// anew.
    pub(super) fn register_again(
        &mut self,
        config: &ConfigSet,
        changed: &[&ResourceKey],
        origin: &dyn Fn(&ResourceKey) -> Origin,
        delta: &mut Delta,
        report: &mut Report,
    ) -> bool {
        let Some(first) = changed.first() else { return true };
        if !self.can_register_again(config, changed) {
            return false;
        }
        let mut part = Part::nothing();
        for key in changed {
            let name = (Arc::clone(&key.namespace), Arc::clone(&key.name));
            match key.kind {
                "Service" => part.add_host(hostname(&key.name, &key.namespace), &key.namespace),
                "ServiceEntry" => {
                    let new =
                        config.service_entries.get(key).map(|entry| hosts_of(entry)).unwrap_or_default();
                    let old = self.written.entries.get(&name).cloned().unwrap_or_default();
                    old.into_iter().chain(new).for_each(|host| part.add_host(host, &key.namespace));
                }
                "EndpointSlice" => {
                    let new = config.endpoint_slices.get(key).and_then(|slice| service_of(slice));
                    let old = self.written.slices.get(&name).cloned();
                    old.into_iter().chain(new).for_each(|(host, namespace)| part.add_host(host, &namespace));
                }
                _ => part.add_namespace(&key.namespace),
            }
        }
        let Some(hosts) = self.registry.update(config, &self.mesh, &part, report) else { return false };
        for change in &hosts {
            let host = &change.key.0;
            let of_host = self.registry.by_host(host);
            self.service_index.replace(host, &change.old_services, &change.new_services, of_host);
            self.workloads.replace_endpoints(&change.key, &change.old_endpoints, &change.new_endpoints);
            delta.note_host(change, of_host, &origin(first));
        }
        for key in changed {
            match key.kind {
                "Pod" => delta.note_pods(&self.workloads.replace_pod(key, config.pods.get(key))),
                _ => self.written.note(config, key),
            }
        }
        true
    }

    /// Whether services and endpoints can be read in part: what is made from services of the whole mesh is not there.
    fn can_register_again(&self, config: &ConfigSet, changed: &[&ResourceKey]) -> bool {
        let of_one_cluster = config.services.is_of_one_cluster()
            && config.service_entries.is_of_one_cluster()
            && config.endpoint_slices.is_of_one_cluster()
            && config.workload_entries.is_of_one_cluster()
            && config.pods.is_of_one_cluster();
        let defines = changed.iter().any(|key| matches!(key.kind, "Service" | "ServiceEntry"));
        // Ingress and the Gateway API look at services, and so do gateways between networks.
        let nobody_looks = || {
            config.ingresses.is_empty()
                && config.kubernetes_gateways.is_empty()
                && config.http_routes.is_empty()
                && config.grpc_routes.is_empty()
                && config.tcp_routes.is_empty()
                && config.tls_routes.is_empty()
                && config.backend_tls_policies.is_empty()
                && config.mesh_networks.networks.is_empty()
                && self.registry.networks.gateways.dialled(true).is_empty()
        };
        let leads_to_network = |key: &&ResourceKey| {
            let service = config.services.get(key);
            service.is_some_and(|service| service.meta.labels.contains_key(NETWORK_LABEL))
        };
        of_one_cluster && (!defines || (nobody_looks() && !changed.iter().any(leads_to_network)))
    }
}

impl Written {
    /// Remembers what a ServiceEntry or EndpointSlice is about now.
    fn note(&mut self, config: &ConfigSet, key: &ResourceKey) {
        let name = (Arc::clone(&key.namespace), Arc::clone(&key.name));
        match key.kind {
            "ServiceEntry" => match config.service_entries.get(key) {
                Some(entry) => self.entries.insert(name, hosts_of(entry)).map(|_| ()),
                None => self.entries.remove(&name).map(|_| ()),
            },
            "EndpointSlice" => match config.endpoint_slices.get(key).and_then(|slice| service_of(slice)) {
                Some(service) => self.slices.insert(name, service).map(|_| ()),
                None => self.slices.remove(&name).map(|_| ()),
            },
            _ => None,
        };
    }
}

//! The next revision of the registry, from the one before and what changed.
//!
//! A part of the configuration is read again in the way that all of it was, and put in the place of what it had come to.
//! What cannot be told apart like that (several clusters, ExternalName services, a full room) is for the long road.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::MeshConfig;

use super::endpoint::Endpoint;
use super::part::Part;
use super::room::Room;
use super::service::{RegistryKind, Service};
use super::{HostKey, Registry, gather, identity, is_entangled, key_of};

/// What became of one hostname of one namespace.
#[derive(Debug)]
pub(crate) struct HostChange {
    /// Which one.
    pub(crate) key: HostKey,
    /// Its services before, in order.
    pub(crate) old_services: Vec<Arc<Service>>,
    /// Its services now; those that are the same are the very same.
    pub(crate) new_services: Vec<Arc<Service>>,
    /// Its endpoints before.
    pub(crate) old_endpoints: Vec<Arc<Endpoint>>,
    /// Its endpoints now.
    pub(crate) new_endpoints: Vec<Arc<Endpoint>>,
    /// Whether servers may bear other names now.
    pub(crate) has_other_identities: bool,
}

impl Registry {
    /// Reads a part of the configuration again. `None`: that is not enough, the registry must be built anew (and is what
    /// it was).
    pub(crate) fn update(
        &mut self,
        config: &ConfigSet,
        mesh: &MeshConfig,
        part: &Part,
        report: &mut Report,
    ) -> Option<Vec<HostChange>> {
        let mut room = Room::of(self.room_left);
        let mut own = Report::new();
        let (services, mut endpoints) =
            gather(part, config, mesh, (&self.namespaces, &self.networks), &mut room, &mut own);
        if room.is_full() || self.is_entangled || is_entangled(part, config, &services) {
            return None;
        }
        report.merge(own);
        // What is gone gives its room back when everything is built anew, which it is before there is none.
        self.room_left = room.left();

        let mut keys: BTreeSet<HostKey> =
            part.named().map(|(host, namespace)| (Arc::clone(host), Arc::clone(namespace))).collect();
        if part.has_whole_namespaces() {
            let known = self.services.iter().map(|service| key_of(service));
            keys.extend(known.filter(|(_, namespace)| part.takes_all_of(namespace)));
            keys.extend(self.endpoints.keys().filter(|(_, namespace)| part.takes_all_of(namespace)).cloned());
        }
        keys.extend(services.iter().map(key_of));
        keys.extend(endpoints.keys().cloned());
        let mut by_key: BTreeMap<HostKey, Vec<Service>> = BTreeMap::new();
        for service in services {
            by_key.entry(key_of(&service)).or_default().push(service);
        }
        let changes = keys.into_iter().filter_map(|key| {
            let new_services = by_key.remove(&key).unwrap_or_default();
            let new_endpoints = endpoints.remove(&key);
            self.replace(key, new_services, new_endpoints, &mesh.trust_domain_aliases)
        });
        Some(changes.collect())
    }

    /// Puts the services and endpoints of a hostname and namespace in the place of those it has. `None`: they are the
    /// same.
    fn replace(
        &mut self,
        key: HostKey,
        new_services: Vec<Service>,
        new_endpoints: Option<Vec<Arc<Endpoint>>>,
        trust_domain_aliases: &[String],
    ) -> Option<HostChange> {
        let (host, namespace) = &key;
        let of_namespace = |service: &&Arc<Service>| service.namespace == *namespace;
        let old_services: Vec<_> = self.by_host(host).iter().filter(of_namespace).cloned().collect();
        let keep = |service: Service| {
            let same = old_services.iter().find(|old| ***old == service);
            same.map_or_else(|| Arc::new(service), Arc::clone)
        };
        let new_services: Vec<_> = new_services.into_iter().map(keep).collect();
        let has_same_services = old_services.len() == new_services.len()
            && old_services.iter().zip(&new_services).all(|(old, new)| Arc::ptr_eq(old, new));
        let has_same_endpoints = self.endpoints.get(&key) == new_endpoints.as_ref();
        if has_same_services && has_same_endpoints {
            return None;
        }
        if !has_same_services {
            for old in &old_services {
                take_out(&mut self.services, old);
            }
            for new in &new_services {
                put_in(&mut self.services, new);
            }
            let mut of_host: Vec<_> =
                self.by_host(host).iter().filter(|service| !of_namespace(service)).cloned().collect();
            for new in &new_services {
                put_in(&mut of_host, new);
            }
            if of_host.is_empty() {
                self.by_host.remove(host);
            } else {
                self.by_host.insert(Arc::clone(host), of_host);
            }
        }
        let old_endpoints = match new_endpoints.clone() {
            Some(new) => self.endpoints.insert(key.clone(), new),
            None => self.endpoints.remove(&key),
        };
        let identities = identity::by_host(&new_services, &self.endpoints, trust_domain_aliases);
        let before = match identities.into_iter().next() {
            Some((_, new)) => self.identities.insert(key.clone(), new),
            None => self.identities.remove(&key),
        };
        Some(HostChange {
            has_other_identities: before.as_deref().unwrap_or_default() != self.identities_of(&key),
            key,
            old_services,
            new_services,
            old_endpoints: old_endpoints.unwrap_or_default(),
            new_endpoints: new_endpoints.unwrap_or_default(),
        })
    }
}

/// The order of the registry: by age (T-006); those of one name by registry, as they are read.
pub(crate) fn order(service: &Service) -> ((i64, &str, &str), RegistryKind) {
    (service.precedence(), service.registry)
}

/// Takes a service out of a list in order.
pub(crate) fn take_out(list: &mut Vec<Arc<Service>>, old: &Arc<Service>) {
    let start = list.partition_point(|it| order(it) < order(old));
    let near = list.iter().enumerate().skip(start).take_while(|(_, it)| order(it) == order(old));
    let place = near.filter(|(_, it)| Arc::ptr_eq(it, old)).map(|(place, _)| place).next();
    if let Some(place) = place {
        list.remove(place);
    }
}

/// Puts a service into a list in order, behind those that are alike.
pub(crate) fn put_in(list: &mut Vec<Arc<Service>>, new: &Arc<Service>) {
    let place = list.partition_point(|it| order(it) <= order(new));
    list.insert(place, Arc::clone(new));
}

//! Changes of what a class has in scope: a service or VirtualService is put in its place, or the scope is out of date.

use std::sync::Arc;

use super::class::Class;
use super::units::UnitKey;
use crate::snapshot::{Delta, MeshSnapshot, VirtualServiceChange};
use crate::view::Lookup;

impl Class {
    /// Takes in another version of a service where that changes no scope. `false`: it may.
    pub(super) fn rewrite_service(&mut self, delta: &Delta, host: &Arc<str>) -> bool {
        let Some((old, new)) = delta.rewritten_services.get(host) else { return false };
        let is_done = !self.stale.scope && Arc::make_mut(&mut self.scope).rewrite_service(old, new);
        if !is_done {
            return false;
        }
        let lower: Arc<str> = host.to_ascii_lowercase().into();
        for question in [Lookup::Service(Arc::clone(host)), Lookup::Service(lower)] {
            self.stale.units.extend(self.questions.units(&question).cloned());
            self.stale.listeners |=
                self.listening.as_ref().is_some_and(|heard| heard.asked.contains(&question));
        }
        self.stale.units.insert(UnitKey::Clusters(Arc::clone(host)));
        self.stale.services.insert(Arc::clone(host), Arc::clone(new));
        if self.listening.as_ref().is_some_and(|heard| heard.listening.has_part(host)) {
            self.stale.units.insert(UnitKey::Listeners(Arc::clone(host)));
        }
        true
    }

    /// Takes in a service that comes, goes, or has other ports or addresses, where it has nothing to do with others.
    /// `false`: it may.
    pub(super) fn exchange_service(
        &mut self,
        snapshot: &MeshSnapshot,
        delta: &Delta,
        host: &Arc<str>,
    ) -> bool {
        let Some(change) = delta.exchanged_services.get(host) else { return false };
        if self.stale.scope {
            return false;
        }
        let namespace = Arc::clone(&self.proxy.namespace);
        let (old, new) = (change.old.as_ref(), change.new.as_ref());
        if !Arc::make_mut(&mut self.scope).exchange_service(snapshot, &namespace, old, new) {
            return false;
        }
        self.stale.units.extend(self.questions.units(&Lookup::Service(Arc::clone(host))).cloned());
        self.stale.units.insert(UnitKey::Clusters(Arc::clone(host)));
        self.stale.services.remove(host);
        self.stale.exchanged.services.insert(Arc::clone(host));
        self.stale.units.insert(UnitKey::Listeners(Arc::clone(host)));
        true
    }

    /// Takes in a VirtualService that comes, goes, or has another shape, where it has nothing to do with others. `false`:
    /// it may.
    pub(super) fn exchange_virtual_service(
        &mut self,
        snapshot: &MeshSnapshot,
        change: &VirtualServiceChange,
    ) -> bool {
        let namespace = Arc::clone(&self.proxy.namespace);
        let (old, new) = (change.old.as_ref(), change.new.as_ref());
        let is_done = !self.stale.scope
            && Arc::make_mut(&mut self.scope).exchange_virtual_service(snapshot, &namespace, old, new);
        if !is_done {
            return false;
        }
        for it in old.into_iter().chain(new) {
            let name = (Arc::clone(&it.namespace), Arc::clone(&it.name));
            self.stale.rewritten.remove(&name);
            self.stale.exchanged.virtual_services.insert(name);
            self.stale.exchanged.hosts.extend(it.spec.hosts.iter().map(|host| Arc::from(host.as_str())));
        }
        true
    }
}

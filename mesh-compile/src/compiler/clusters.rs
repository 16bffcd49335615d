//! The clusters of a class of proxies towards services.

use std::sync::Arc;

use super::class::keep_clusters;
use super::layered::Layered;
use crate::proxy::cluster::Cluster;
use crate::shared_map::SharedMap;
use crate::view::Scope;

/// Clusters towards services, by hostname and by name.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    pub(super) by_host: Layered<Arc<str>, Arc<[Arc<Cluster>]>>,
    fixed: Vec<Arc<Cluster>>,
    pub(super) by_name: SharedMap<Arc<Cluster>>,
    /// Whether services share a name of a cluster: then the order of services decides.
    collide: bool,
}

impl Clusters {
    /// Puts in the clusters of a service; those that are the same as before stay.
    pub(super) fn replace(&mut self, host: &Arc<str>, new: Vec<Cluster>) {
        let old = self.by_host.get(host).cloned().unwrap_or_default();
        let new = keep_clusters(&old, new);
        if new.len() == old.len() && new.iter().zip(&*old).all(|(new, old)| Arc::ptr_eq(new, old)) {
            return;
        }
        for gone in old.iter().filter(|gone| !new.iter().any(|it| it.name == gone.name)) {
            self.by_name.remove(&gone.name);
        }
        for cluster in &new {
            let before = self.by_name.get(&cluster.name);
            if before.is_some_and(|before| Arc::ptr_eq(before, cluster)) {
                continue;
            }
            self.collide |= before.is_some_and(|before| !old.iter().any(|it| Arc::ptr_eq(it, before)));
            self.by_name.insert(Arc::clone(&cluster.name), Arc::clone(cluster));
        }
        if new.is_empty() {
            self.by_host.remove(host);
        } else {
            self.by_host.insert(Arc::clone(host), new.into());
        }
    }

    /// The same clusters for another class.
    pub(super) fn fork(&mut self) -> Self {
        Self {
            by_host: self.by_host.fork(),
            fixed: self.fixed.clone(),
            by_name: self.by_name.clone(),
            collide: self.collide,
        }
    }

    pub(super) fn set_fixed(&mut self, new: Vec<Cluster>) {
        let old = std::mem::take(&mut self.fixed);
        self.fixed = keep_clusters(&old, new);
        for gone in old.iter().filter(|gone| !self.fixed.iter().any(|it| it.name == gone.name)) {
            self.by_name.remove(&gone.name);
        }
        for cluster in &self.fixed {
            if !self.by_name.get(&cluster.name).is_some_and(|before| Arc::ptr_eq(before, cluster)) {
                self.by_name.insert(Arc::clone(&cluster.name), Arc::clone(cluster));
            }
        }
    }

    /// Where names are shared, gives each to the first service in scope that has it.
    pub(super) fn settle(&mut self, scope: &Scope) {
        if !self.collide {
            return;
        }
        let mut by_name = SharedMap::with_room(self.by_name.len());
        let of_services = scope
            .services
            .iter()
            .filter_map(|service| self.by_host.get(&service.hostname))
            .flat_map(|it| it.iter());
        for cluster in of_services.chain(&self.fixed) {
            by_name.insert_first(Arc::clone(&cluster.name), Arc::clone(cluster));
        }
        self.by_name = by_name;
    }
}

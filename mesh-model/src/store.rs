//! Objects of one kind in force, and what changes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::Report;
use crate::document::Document;
use crate::object::{Kind, Object, ResourceKey};

/// A change to the store.
#[derive(Debug, Clone)]
pub enum Change {
    /// A document that was written or rewritten.
    Upsert(Arc<Document>),
    /// An object that is gone.
    Remove(ResourceKey),
}

/// What became of a batch of changes.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// All problems.
    pub report: Report,
    /// Objects whose version in force changed, in order.
    pub changed: BTreeSet<ResourceKey>,
    /// Documents that were taken in, of kinds that are read.
    pub accepted: usize,
}

/// All objects of one kind.
#[derive(Debug, Clone)]
pub struct Store<S> {
    objects: BTreeMap<ResourceKey, Slot<S>>,
}

#[derive(Debug, Clone)]
struct Slot<S> {
    good: Option<Arc<Object<S>>>,
    /// Whether a newer version was refused.
    stale: bool,
}

impl<S> Default for Store<S> {
    fn default() -> Self {
        Self { objects: BTreeMap::new() }
    }
}

impl<S> Store<S> {
    /// Objects in force, by cluster, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Object<S>>> {
        self.objects.values().filter_map(|slot| slot.good.as_ref())
    }

    /// The object in force under a key.
    pub fn get(&self, key: &ResourceKey) -> Option<&Arc<Object<S>>> {
        self.objects.get(key).and_then(|slot| slot.good.as_ref())
    }

    /// Objects in force in a namespace of a cluster, by name.
    pub fn in_namespace<'s>(
        &'s self,
        cluster: &Arc<str>,
        namespace: &'s Arc<str>,
    ) -> impl Iterator<Item = &'s Arc<Object<S>>>
    where
        S: Kind,
    {
        let start = ResourceKey {
            group: S::GROUP,
            kind: S::KIND,
            cluster: Arc::clone(cluster),
            namespace: Arc::clone(namespace),
            name: Arc::default(),
        };
        let cluster = Arc::clone(cluster);
        self.objects
            .range(start..)
            .take_while(move |(key, _)| key.cluster == cluster && key.namespace == *namespace)
            .filter_map(|(_, slot)| slot.good.as_ref())
    }

    /// Whether all objects, refused ones among them, were read from one cluster.
    pub fn is_of_one_cluster(&self) -> bool {
        let first = self.objects.first_key_value().map(|(key, _)| &key.cluster);
        first == self.objects.last_key_value().map(|(key, _)| &key.cluster)
    }

    /// Whether the object in force is older than the newest version that was written.
    pub fn is_stale(&self, key: &ResourceKey) -> bool {
        self.objects.get(key).is_some_and(|slot| slot.stale)
    }

    /// Number of objects in force.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether nothing is in force.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Objects in order of precedence: older first, then name, then namespace (T-004).
    pub fn by_precedence(&self) -> Vec<Arc<Object<S>>> {
        let mut objects: Vec<_> = self.iter().cloned().collect();
        objects.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
        objects
    }
}

impl<S: Kind> Store<S> {
    pub(crate) fn put(&mut self, key: ResourceKey, object: Object<S>) {
        self.objects.insert(key, Slot { good: Some(Arc::new(object)), stale: false });
    }

    /// A newer version was refused; says whether an older one stays in force.
    pub(crate) fn refuse(&mut self, key: &ResourceKey) -> bool {
        let slot = self.objects.entry(key.clone()).or_insert(Slot { good: None, stale: true });
        slot.stale = true;
        slot.good.is_some()
    }

    pub(crate) fn remove(&mut self, key: &ResourceKey) -> bool {
        self.objects.remove(key).is_some_and(|slot| slot.good.is_some())
    }
}

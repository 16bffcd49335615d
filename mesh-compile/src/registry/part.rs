//! Which part of the configuration the registry is built from: all of it, or what a change touches.
//!
//! Whatever stands behind a service is of its namespace: the Service or ServiceEntry, its slices, and the workloads it
//! selects. So a part is told by namespaces, and by hostnames within them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::config_set::Store;
use mesh_model::object::{Kind, Object};

/// Hosts of a namespace; `None`: all.
type Hosts = Option<BTreeSet<Arc<str>>>;

/// All of it, or some hosts of some namespaces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    /// `None`: everything.
    by_namespace: Option<BTreeMap<Arc<str>, Hosts>>,
}

impl Part {
    /// Everything.
    pub(super) fn whole() -> Self {
        Self::default()
    }

    /// Nothing yet.
    pub(crate) fn nothing() -> Self {
        Self { by_namespace: Some(BTreeMap::new()) }
    }

    /// Takes in all hosts of a namespace.
    pub(crate) fn add_namespace(&mut self, namespace: &Arc<str>) {
        if let Some(by_namespace) = &mut self.by_namespace {
            by_namespace.insert(Arc::clone(namespace), None);
        }
    }

    /// Takes in a host of a namespace.
    pub(crate) fn add_host(&mut self, host: Arc<str>, namespace: &Arc<str>) {
        let Some(by_namespace) = &mut self.by_namespace else { return };
        let hosts = by_namespace.entry(Arc::clone(namespace)).or_insert_with(|| Some(BTreeSet::new()));
        if let Some(hosts) = hosts {
            hosts.insert(host);
        }
    }

    /// Whether a host of a namespace is in it.
    pub(super) fn takes(&self, host: &str, namespace: &str) -> bool {
        let Some(by_namespace) = &self.by_namespace else { return true };
        by_namespace
            .get(namespace)
            .is_some_and(|hosts| hosts.as_ref().is_none_or(|hosts| hosts.contains(host)))
    }

    /// Whether any host of a namespace may be in it that is not named.
    pub(super) fn takes_all_of(&self, namespace: &str) -> bool {
        let Some(by_namespace) = &self.by_namespace else { return true };
        by_namespace.get(namespace).is_some_and(Option::is_none)
    }

    /// Hosts that are named, with their namespaces.
    pub(super) fn named(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        let namespaces = self.by_namespace.iter().flatten();
        namespaces.flat_map(|(namespace, hosts)| hosts.iter().flatten().map(move |host| (host, namespace)))
    }

    /// Whether all hosts of some namespace are in it.
    pub(super) fn has_whole_namespaces(&self) -> bool {
        self.by_namespace.iter().flatten().any(|(_, hosts)| hosts.is_none())
    }

    /// Objects of the namespaces that are in it, in the order of their keys. All must be of one cluster, unless the part
    /// is the whole.
    pub(super) fn objects<'c, S: Kind>(&'c self, store: &'c Store<S>) -> Vec<&'c Arc<Object<S>>> {
        let Some(by_namespace) = &self.by_namespace else { return store.iter().collect() };
        let Some(cluster) = store.iter().next().map(|first| &first.meta.cluster) else { return Vec::new() };
        let mut found = Vec::new();
        for namespace in by_namespace.keys() {
            found.extend(store.in_namespace(cluster, namespace));
        }
        found
    }
}

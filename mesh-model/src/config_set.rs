//! The live store of objects: documents go in, typed objects stay, problems come out.
//!
//! An object that turns bad keeps its last good version in force. Iteration order is that of cluster, namespace and name.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Place, Report, ResourceRef};
use crate::document::Document;
use crate::kind_table::Strictness;
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

pub use crate::kind_table::ConfigSet;

impl ConfigSet {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in documents and removals, in order. Later documents of one object replace earlier ones, with a finding
    /// where both come in one batch.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Applied {
        self.apply_with(changes, Strictness::default())
    }

    /// [`apply`](Self::apply) with a choice of how unknown fields are treated.
    pub fn apply_with(
        &mut self,
        changes: impl IntoIterator<Item = Change>,
        strictness: Strictness,
    ) -> Applied {
        let mut applied = Applied::default();
        let mut seen: BTreeMap<ResourceKey, Arc<Document>> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Upsert(document) => {
                    let Some(key) = self.upsert(&document, strictness, &mut applied) else { continue };
                    if let Some(earlier) = seen.insert(key.clone(), Arc::clone(&document)) {
                        applied.report.push(duplicate(&key, &document, &earlier));
                    }
                }
                Change::Remove(key) => {
                    if self.remove(&key) {
                        applied.changed.insert(key);
                    }
                }
            }
        }
        applied
    }
}

fn duplicate(key: &ResourceKey, document: &Arc<Document>, earlier: &Document) -> Diagnostic {
    let span = earlier.root.locate("metadata.name");
    let resource = ResourceRef {
        kind: key.kind.to_owned(),
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
    };
    Diagnostic::new(
        Code::DuplicateResource,
        Place::in_document(document, resource, "metadata.name"),
        format!("`{}` is already defined at {}:{}", key.name, earlier.source.file, span.line),
    )
    .help("remove one of the two; the later one is in force here")
}

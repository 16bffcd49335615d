//! Objects of one kind in force, and what changes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::Report;
use crate::document::Document;
use crate::object::{Kind, Object, ResourceKey};

/// A change to the store. Ours: a directory that is read again and a watch that tells changes come to the same.
#[derive(Debug, Clone)]
pub enum Change {
    /// A document that was written or rewritten.
    Upsert(Arc<Document>),
    /// An object that is gone.
    Remove(ResourceKey),
}

/// What became of a batch of changes. Ours: who knows what changed need not compile the rest anew.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// All problems.
    pub report: Report,
    /// Objects whose version in force changed, or what stands for them, in order.
    pub changed: BTreeSet<ResourceKey>,
    /// Documents that were taken in, of kinds that are read; those that were there already count too.
    pub accepted: usize,
    /// Documents that were there already, letter by letter and at the same place: nothing was done for them.
    pub unchanged: usize,
    /// Documents left out because a newer version is known (`Versions::SkipOlder`).
    pub outdated: usize,
}

/// When something came to be: the batch, and the time that the caller gave with it.
/// Ours: time is told by the caller, since nothing here looks at a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp {
    /// The number of the batch, from 1 (`ConfigSet::revision`).
    pub revision: u64,
    /// Seconds since 1970, as the caller said; `None`: not said.
    pub at: Option<i64>,
}

/// A version of an object that was refused. Ours: that an older version is in force has to be seen, with the reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The document.
    pub document: Arc<Document>,
    /// Since when the newest version is a refused one; a second bad version does not move it.
    pub since: Stamp,
    /// What was found in it, at least one error.
    pub reasons: Report,
}

/// What is known of one object. Ours: that an older version is in force has to be seen, with the reason.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status<'s> {
    /// Since when the version in force is there; `None`: none ever was good.
    pub in_force_since: Option<Stamp>,
    /// The newest version, where it was refused: what is in force is older.
    pub refused: Option<&'s Refusal>,
}

/// All objects of one kind. Ours: an object that turns bad must not switch off what it did while it was good (S-366).
#[derive(Debug, Clone)]
pub struct Store<S> {
    objects: BTreeMap<ResourceKey, Slot<S>>,
}

#[derive(Debug, Clone)]
struct Slot<S> {
    good: Option<Good<S>>,
    /// The newest version, where it was refused.
    refused: Option<Arc<Refusal>>,
    /// What is in force in the place of a refused version where none is good.
    stand_in: Option<Arc<Object<S>>>,
    /// The newest `metadata.resourceVersion`, where it is a number.
    version: Option<u64>,
    /// The batch in which a document of it came last.
    batch: u64,
}

impl<S> Slot<S> {
    /// Whether a document is in force as it is.
    fn holds(&self, document: &Document, mode: Mode) -> bool {
        self.good.as_ref().is_some_and(|good| {
            self.refused.is_none() && good.mode == mode && good.object.document().is_same_text(document)
        })
    }

    /// The document that came last, where it came in this batch.
    fn document_of(&self, batch: u64) -> Option<Arc<Document>> {
        let newest = match (&self.refused, &self.good) {
            (Some(refused), _) => &refused.document,
            (None, Some(good)) => good.object.document(),
            (None, None) => return None,
        };
        (self.batch == batch).then(|| Arc::clone(newest))
    }
}

#[derive(Debug, Clone)]
struct Good<S> {
    object: Arc<Object<S>>,
    since: Stamp,
    /// How it was read, small enough to compare: another way may come to another outcome.
    mode: Mode,
    /// What was found, told again when the same document comes again; `None`: nothing.
    findings: Option<Arc<Report>>,
}

/// The way in which documents are read, as far as it changes the outcome.
pub(crate) type Mode = u8;

/// What became of a document that was refused.
#[derive(Debug)]
pub(crate) struct Refused {
    /// What is in force now.
    pub(crate) instead: Instead,
    /// Another document of its key that came in the same batch.
    pub(crate) earlier: Option<Arc<Document>>,
}

/// What is in force in the place of a refused version.
#[derive(Debug)]
pub(crate) enum Instead {
    /// The last good version.
    LastGood,
    /// Something that refuses. `is_new`: it was not there before.
    Refusing { is_new: bool },
    /// Nothing. `is_new`: there was something before.
    Nothing { is_new: bool },
}

/// What a document comes to before it is read.
#[derive(Debug)]
pub(crate) enum Known {
    /// Nothing is known of it.
    New,
    /// It is in force as it is.
    InForce {
        /// What was found in it.
        findings: Option<Arc<Report>>,
        /// Another document of its key that came in the same batch.
        earlier: Option<Arc<Document>>,
    },
    /// A newer version is known.
    Outdated,
}

impl<S> Default for Store<S> {
    fn default() -> Self {
        Self { objects: BTreeMap::new() }
    }
}

impl<S> Store<S> {
    /// Objects in force, by cluster, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Object<S>>> {
        self.objects.values().filter_map(|slot| slot.good.as_ref().map(|good| &good.object))
    }

    /// The object in force under a key.
    pub fn get(&self, key: &ResourceKey) -> Option<&Arc<Object<S>>> {
        self.objects.get(key).and_then(|slot| slot.good.as_ref()).map(|good| &good.object)
    }

    /// What is in force in the place of objects that were refused and have no good version, by cluster, namespace and
    /// name: of kinds that protect, something that refuses ([`Kind::stand_in`]). Not among [`iter`](Self::iter), but
    /// among what is [in effect](Self::in_effect).
    pub fn stand_ins(&self) -> impl Iterator<Item = &Arc<Object<S>>> {
        self.objects.values().filter_map(|slot| slot.stand_in.as_ref())
    }

    /// What decisions are made of, by cluster, namespace and name: objects in force, and what stands for those that were
    /// refused.
    pub fn in_effect(&self) -> impl Iterator<Item = &Arc<Object<S>>> {
        self.objects.values().filter_map(|slot| match &slot.good {
            Some(good) => Some(&good.object),
            None => slot.stand_in.as_ref(),
        })
    }

    /// What is in force in the place of the object under a key, which was refused.
    pub fn stand_in(&self, key: &ResourceKey) -> Option<&Arc<Object<S>>> {
        self.objects.get(key).and_then(|slot| slot.stand_in.as_ref())
    }

    /// What is known of the object under a key.
    pub fn status(&self, key: &ResourceKey) -> Option<Status<'_>> {
        self.objects.get(key).map(|slot| Status {
            in_force_since: slot.good.as_ref().map(|good| good.since),
            refused: slot.refused.as_deref(),
        })
    }

    /// Objects whose newest version was refused, in order; [`status`](Self::status) tells what is in force instead.
    pub fn refusals(&self) -> impl Iterator<Item = (&ResourceKey, &Refusal)> {
        self.objects.iter().filter_map(|(key, slot)| slot.refused.as_deref().map(|refused| (key, refused)))
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
            .filter_map(|(_, slot)| slot.good.as_ref().map(|good| &good.object))
    }

    /// Whether all objects, refused ones among them, were read from one cluster.
    pub fn is_of_one_cluster(&self) -> bool {
        let first = self.objects.first_key_value().map(|(key, _)| &key.cluster);
        first == self.objects.last_key_value().map(|(key, _)| &key.cluster)
    }

    /// Whether the object in force is older than the newest version that was written.
    pub fn is_stale(&self, key: &ResourceKey) -> bool {
        self.objects.get(key).is_some_and(|slot| slot.refused.is_some())
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
    /// What a document of this key is, before it is read. `version`: its number, where older ones are to be left out.
    pub(crate) fn known(
        &mut self,
        key: &ResourceKey,
        document: &Document,
        mode: Mode,
        version: Option<u64>,
        batch: u64,
    ) -> Known {
        let Some(slot) = self.objects.get_mut(key) else { return Known::New };
        if version.zip(slot.version).is_some_and(|(new, newest)| new < newest) {
            return Known::Outdated;
        }
        if !slot.holds(document, mode) {
            return Known::New;
        }
        let earlier = slot.document_of(batch);
        slot.batch = batch;
        Known::InForce { findings: slot.good.as_ref().and_then(|good| good.findings.clone()), earlier }
    }

    /// Whether a document is in force as it is.
    pub(crate) fn is_in_force(&self, key: &ResourceKey, document: &Document, mode: Mode) -> bool {
        self.objects.get(key).is_some_and(|slot| slot.holds(document, mode))
    }

    /// Takes an object in. Gives another document of its key that came in the same batch.
    pub(crate) fn put(
        &mut self,
        key: ResourceKey,
        object: Object<S>,
        mode: Mode,
        findings: &Report,
        since: Stamp,
    ) -> Option<Arc<Document>> {
        let version = object.meta.resource_version.as_deref().and_then(version_number);
        let findings = (!findings.is_empty()).then(|| Arc::new(findings.clone()));
        let good = Good { object: Arc::new(object), since, mode, findings };
        let slot = Slot { good: Some(good), refused: None, stand_in: None, version, batch: since.revision };
        let before = self.objects.insert(key, slot);
        before.and_then(|before| before.document_of(since.revision))
    }

    /// A newer version was refused. `stand_in`: what is in force in its place where no version is good.
    pub(crate) fn refuse(
        &mut self,
        key: &ResourceKey,
        refusal: Refusal,
        version: Option<u64>,
        stand_in: impl FnOnce(&Refusal) -> Option<Object<S>>,
    ) -> Refused {
        let batch = refusal.since.revision;
        let slot = self.objects.entry(key.clone()).or_insert(Slot {
            good: None,
            refused: None,
            stand_in: None,
            version: None,
            batch: 0,
        });
        let earlier = slot.document_of(batch);
        let since = slot.refused.as_ref().map_or(refusal.since, |earlier| earlier.since);
        let refusal = Refusal { since, ..refusal };
        let instead = if slot.good.is_some() {
            Instead::LastGood
        } else {
            // The very same document keeps what stands for it, in memory too.
            let known = slot.stand_in.take();
            let is_same = |known: &Arc<Object<S>>| known.document().is_same_text(&refusal.document);
            match (known, stand_in(&refusal)) {
                (Some(known), Some(_)) if is_same(&known) => {
                    slot.stand_in = Some(known);
                    Instead::Refusing { is_new: false }
                }
                (_, Some(new)) => {
                    slot.stand_in = Some(Arc::new(new));
                    Instead::Refusing { is_new: true }
                }
                (known, None) => Instead::Nothing { is_new: known.is_some() },
            }
        };
        slot.refused = Some(Arc::new(refusal));
        (slot.version, slot.batch) = (version, batch);
        Refused { instead, earlier }
    }

    pub(crate) fn remove(&mut self, key: &ResourceKey) -> bool {
        self.objects.remove(key).is_some_and(|slot| slot.good.is_some() || slot.stand_in.is_some())
    }
}

/// A `resourceVersion` as a number: newer ones are larger, as Kubernetes has it since its versions are comparable.
pub(crate) fn version_number(text: &str) -> Option<u64> {
    let is_plain =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

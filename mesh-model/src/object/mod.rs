//! A typed object with its metadata and its place in the text.

mod header;
mod naming;
mod print;

pub(crate) use header::{Head, Names, read_meta_as};
pub use header::{Header, read_meta};
pub(crate) use naming::{is_dns_part, label_key_problem, label_value_problem};

use std::cmp::Ordering;
use std::sync::Arc;

use crate::document::Document;
use crate::name::StringMap;
use crate::origin::{Origin, Provenance};

/// The part of Kubernetes' `ObjectMeta` that decisions and checks look at. API: meta/v1 `ObjectMeta`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectMeta {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.namespace`; empty for cluster-scoped kinds, `default` where a namespaced object leaves it out
    /// (T-003).
    pub namespace: Arc<str>,
    /// `metadata.labels`.
    pub labels: StringMap,
    /// `metadata.annotations`.
    pub annotations: StringMap,
    /// `metadata.creationTimestamp` in seconds since 1970; `None`: not written (sorts before all others, as Go's
    /// zero time does) (T-004).
    pub created: Option<i64>,
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// `metadata.resourceVersion`.
    pub resource_version: Option<String>,
    /// The cluster the object was read from.
    pub cluster: Arc<str>,
    /// Of a Pod: the owner that made it under a name of its own choice (`metadata.generateName`, and the reference in
    /// `metadata.ownerReferences` with `controller: true`). `None` for all else.
    pub controller: Option<Box<Controller>>,
}

/// What controls a Pod. API: meta/v1 `OwnerReference`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// `ReplicaSet`, `StatefulSet`, `Job`, ...
    pub kind: Box<str>,
    /// Its name.
    pub name: Box<str>,
}

/// What identifies an object (T-001, T-003).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceKey {
    /// `networking.istio.io`; empty for the core group. Two groups have a `Gateway`.
    pub group: &'static str,
    /// `VirtualService`; API versions do not count (T-001).
    pub kind: &'static str,
    /// The cluster it was read from.
    pub cluster: Arc<str>,
    /// Empty for cluster-scoped kinds.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

/// Field by field. Kinds and clusters are most often the very same text, which need not be read.
impl Ord for ResourceKey {
    fn cmp(&self, other: &Self) -> Ordering {
        fn order(own: &str, other: &str) -> Ordering {
            if std::ptr::eq(own, other) { Ordering::Equal } else { own.cmp(other) }
        }
        order(self.group, other.group)
            .then_with(|| order(self.kind, other.kind))
            .then_with(|| order(&self.cluster, &other.cluster))
            .then_with(|| order(&self.namespace, &other.namespace))
            .then_with(|| order(&self.name, &other.name))
    }
}

impl PartialOrd for ResourceKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An object of kind `S`.
/// Ours: content, identity and place stay together, so that every answer can say where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Object<S> {
    /// Its metadata.
    pub meta: ObjectMeta,
    /// Its typed content: the `spec` of Istio kinds, the whole body of Kubernetes kinds.
    pub spec: S,
    /// Where it was written.
    pub provenance: Arc<Provenance>,
}

impl<S: Kind> Object<S> {
    /// What identifies it.
    pub fn key(&self) -> ResourceKey {
        ResourceKey {
            group: S::GROUP,
            kind: S::KIND,
            cluster: Arc::clone(&self.meta.cluster),
            namespace: Arc::clone(&self.meta.namespace),
            name: Arc::clone(&self.meta.name),
        }
    }
}

impl<S> Object<S> {
    /// The field at `path` (`spec.hosts[0]`) as an origin.
    pub fn origin(&self, path: impl Into<Arc<str>>) -> Origin {
        Origin::written(&self.provenance, path)
    }

    /// Where its document was refused; `None`: it was not, the object is what is written there.
    pub fn refused_at(&self) -> Option<Origin> {
        self.provenance.refused_at.as_ref().map(|field| self.origin(Arc::clone(field)))
    }

    /// The document it was read from.
    pub fn document(&self) -> &Arc<Document> {
        &self.provenance.document
    }

    /// Older first; ties by name, then namespace (T-004).
    pub fn precedence(&self) -> (i64, &str, &str) {
        (self.meta.created.unwrap_or(i64::MIN), &self.meta.name, &self.meta.namespace)
    }
}

/// A kind of object: how it is called and how its content is read.
/// Ours: a kind is one implementation and one row of the table of kinds.
pub trait Kind: Sized + serde::de::DeserializeOwned + Send + Sync + 'static {
    /// `VirtualService`.
    const KIND: &'static str;
    /// `networking.istio.io`; empty for the core group.
    const GROUP: &'static str;
    /// Served versions, the storage version first.
    const VERSIONS: &'static [&'static str];
    /// Whether objects live in a namespace.
    const NAMESPACED: bool = true;
    /// What the type is decoded from.
    const BODY: Body = Body::Spec;

    /// Checks what one object alone can tell; every problem goes into the report.
    fn validate(object: &Object<Self>, report: &mut crate::diagnostic::Report) {
        let _ = (object, report);
    }

    /// What is in force in the place of a document of this kind that cannot be used, where no good version of the object
    /// is known: something that refuses, for kinds that protect. `None`: nothing is, as with Istio's other kinds.
    fn stand_in(document: &Document) -> Option<Self> {
        let _ = document;
        None
    }

    /// What a [`stand_in`](Self::stand_in) does to the workloads that it is for, in words.
    const REFUSING: &'static str = "";

    /// Whether objects of this kind protect: one that is not understood to the last field is refused, and a
    /// [`stand_in`](Self::stand_in) takes its place.
    fn fails_closed() -> bool {
        !Self::REFUSING.is_empty()
    }

    /// The same content, told where it was read from. Only kinds that are put together of several documents remember it.
    #[must_use]
    fn placed(self, provenance: &Arc<Provenance>) -> Self {
        let _ = provenance;
        self
    }
}

/// Which part of a document a kind's type holds (T-002).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// The value of `spec`, in protobuf's JSON form (Istio kinds).
    Spec,
    /// The whole document without `apiVersion`, `kind`, `metadata` (Kubernetes kinds).
    Document,
}

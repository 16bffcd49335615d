//! Where an answer comes from: resource, field path, file, line, column.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::document::Document;

/// The cause of an answer: a field of an object, or a built-in default.
/// Ours: an answer that does not say where it comes from cannot be checked.
///
/// Cheap to make and to clone: line and column are looked up when they are printed.
#[derive(Clone)]
pub struct Origin {
    inner: Inner,
}

#[derive(Clone)]
enum Inner {
    /// A field of a written object.
    Written { object: Arc<Provenance>, path: Arc<str> },
    /// A default of the API, the control plane or the proxy, by name (`default retry policy (T-160)`).
    BuiltIn(&'static str),
}

/// Everything an [`Origin`] needs to know of an object.
/// Ours: it is shared, since every field of an object may become an origin.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// `VirtualService`, ...
    pub kind: &'static str,
    /// `metadata.namespace`; empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
    /// The document it was read from.
    pub document: Arc<Document>,
    /// The field for which the document was refused, where what is in force only stands for it (`Kind::stand_in`).
    pub refused_at: Option<Arc<str>>,
}

impl PartialEq for Provenance {
    fn eq(&self, other: &Self) -> bool {
        let Self { kind, namespace, name, document, refused_at } = self;
        // Most often it is the very same document: then nothing is read.
        (*kind, namespace, name, refused_at) == (other.kind, &other.namespace, &other.name, &other.refused_at)
            && (Arc::ptr_eq(document, &other.document) || document == &other.document)
    }
}

impl Origin {
    /// The field `path` of an object (`spec.http[0].timeout`).
    pub fn written(object: &Arc<Provenance>, path: impl Into<Arc<str>>) -> Self {
        Self { inner: Inner::Written { object: Arc::clone(object), path: path.into() } }
    }

    /// A built-in default, named with its rule.
    pub fn built_in(name: &'static str) -> Self {
        Self { inner: Inner::BuiltIn(name) }
    }

    /// The object, where there is one.
    pub fn object(&self) -> Option<&Arc<Provenance>> {
        match &self.inner {
            Inner::Written { object, .. } => Some(object),
            Inner::BuiltIn(_) => None,
        }
    }

    /// The field path inside the object, or the default's name.
    pub fn field(&self) -> &str {
        match &self.inner {
            Inner::Written { path, .. } => path,
            Inner::BuiltIn(name) => name,
        }
    }

    /// The same object, another field: `suffix` is appended as written (`.host`, `[2]`).
    #[must_use]
    pub fn child(&self, suffix: &str) -> Self {
        self.descend(&[suffix])
    }

    /// The same object, another field: all of `parts` are appended one after the other.
    #[must_use]
    pub fn descend(&self, parts: &[&str]) -> Self {
        let Inner::Written { object, path } = &self.inner else { return self.clone() };
        let added: usize = parts.iter().map(|part| part.len()).sum();
        if added == 0 {
            return self.clone();
        }
        let mut longer = String::with_capacity(path.len() + added);
        longer.push_str(path);
        parts.iter().for_each(|part| longer.push_str(part));
        // A path does not begin with a dot.
        let longer = if path.is_empty() { longer.trim_start_matches('.') } else { &longer };
        Self { inner: Inner::Written { object: Arc::clone(object), path: longer.into() } }
    }

    /// Whether both are one field of one version of an object: unlike equality, the document counts.
    pub fn is_same_place(&self, other: &Self) -> bool {
        let same_document = match (self.object(), other.object()) {
            (Some(own), Some(other)) => Arc::ptr_eq(&own.document, &other.document),
            (own, other) => own.is_none() && other.is_none(),
        };
        same_document && self == other
    }

    /// `(file, line, column)`, lines and columns from 1.
    pub fn place(&self) -> Option<(&str, u32, u32)> {
        match &self.inner {
            Inner::Written { object, path } => {
                let span = object.document.root().locate(path);
                Some((&object.document.source.file, span.line, span.column))
            }
            Inner::BuiltIn(_) => None,
        }
    }

    /// What equality and order look at: never the document's content.
    fn identity(&self) -> (&str, &str, &str, &str) {
        match &self.inner {
            Inner::Written { object, path } => (object.kind, &object.namespace, &object.name, path),
            Inner::BuiltIn(name) => ("", "", "", name),
        }
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}
impl Eq for Origin {}
impl std::hash::Hash for Origin {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
impl PartialOrd for Origin {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Origin {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Inner::BuiltIn(name) => write!(f, "built-in: {name}"),
            Inner::Written { object, path } => {
                f.write_str(object.kind)?;
                if !object.namespace.is_empty() {
                    write!(f, " {}/{}", object.namespace, object.name)?;
                } else if !object.name.is_empty() {
                    write!(f, " {}", object.name)?;
                }
                if !path.is_empty() {
                    write!(f, " {path}")?;
                }
                if let Some((file, line, column)) = self.place() {
                    write!(f, " ({file}:{line}:{column})")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// `{"kind","namespace","name","field","file","line","column"}` of the decision format; a built-in has `kind` and `field` only.
impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.inner {
            Inner::BuiltIn(name) => {
                map.serialize_entry("kind", "built-in")?;
                map.serialize_entry("field", name)?;
            }
            Inner::Written { object, path } => {
                map.serialize_entry("kind", object.kind)?;
                map.serialize_entry("namespace", &*object.namespace)?;
                map.serialize_entry("name", &*object.name)?;
                map.serialize_entry("field", &**path)?;
                if let Some((file, line, column)) = self.place() {
                    map.serialize_entry("file", file)?;
                    map.serialize_entry("line", &line)?;
                    map.serialize_entry("column", &column)?;
                }
            }
        }
        map.end()
    }
}

//! The span-carrying tree of one document: the JSON data model, with a place in the text for every key and value.
//!
//! `yaml` builds it from YAML or JSON text; [`crate::decode`] turns it into typed specs; [`crate::origin`] asks it
//! where a field stands. No YAML library type appears here.
//!
//! A [`Tree`] is one run of slots in document order beside the text they were read from, eight bytes each for a text
//! below 64 KiB: a plain scalar is a range of the text, lines and columns are counted when somebody asks. A [`Node`] is a
//! place in a tree, as small as a reference. A [`Document`] that is kept for long has its text only, and reads it again
//! when somebody asks for a place.

mod build;
mod json;
mod line_table;
mod node;
mod path;
mod rest;
mod tree;

#[cfg(test)]
mod tests;

#[cfg(feature = "yaml")]
pub(crate) use build::Plain;
pub(crate) use build::TreeBuilder;
pub use node::{Entries, Entry, Items, Node, Value};
pub(crate) use path::needs_quotes;
pub use path::{join_key, snake_case};
pub use tree::Tree;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

pub use rest::TextAtRest;

use rest::Rest;
use tree::Origin;

/// A place in a source text. Ours: bytes for tools, lines and columns for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: u32,
    /// Byte offset after the last byte.
    pub end: u32,
    /// Line of the first byte, from 1; 0: unknown.
    pub line: u32,
    /// Column of the first byte in characters, from 1; 0: unknown.
    pub column: u32,
}

/// Where a document's text came from. Ours: text may come from files, streams and several clusters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// File name as the user gave it, `-` for standard input, or any label.
    pub file: Arc<str>,
    /// The cluster the configuration was read from (`Kubernetes` unless stated).
    pub cluster: Arc<str>,
}

/// One document of a file. Ours: documents are kept for as long as they are in force, so their text must be enough.
#[derive(Clone)]
pub struct Document {
    /// Where the text came from.
    pub source: Source,
    /// Position in its file, from 0 (items of a `kind: List` count on their own).
    pub index: usize,
    /// Not there in a document at rest until somebody asks. Items of a list in blocks share the tree of the list.
    tree: OnceLock<Arc<Tree>>,
    /// The document's root in it.
    at: u32,
    /// What the tree is read from again.
    rest: Option<Box<Rest>>,
}

impl Document {
    /// A document that is a whole tree.
    pub fn new(source: Source, index: usize, tree: Tree) -> Self {
        Self::part(source, index, &Arc::new(tree), 0)
    }

    /// A document that is a part of a tree: the node at `at`.
    pub(crate) fn part(source: Source, index: usize, tree: &Arc<Tree>, at: u32) -> Self {
        Self { source, index, tree: Arc::clone(tree).into(), at, rest: None }
    }

    /// A document from JSON, without places inside: everything stands at `span`.
    pub fn from_json(source: Source, index: usize, json: &serde_json::Value, span: Span) -> Self {
        Self::new(source, index, Tree::from_json(json, span))
    }

    /// The root of the tree. A document at rest is read once more for it.
    pub fn root(&self) -> Node<'_> {
        Node::at(
            self.tree.get_or_init(|| Arc::new(self.rest.as_deref().map(Rest::read).unwrap_or_default())),
            self.at,
        )
    }

    /// Its `status`, where it is written. API: meta/v1alpha1 `IstioStatus`, for Istio's kinds.
    pub fn status(&self) -> Option<Node<'_>> {
        // Documents with a status do not go to rest.
        if self.rest.is_some() { None } else { self.root().get("status") }
    }

    /// Whether it says when it was deleted: it is there, and about to go.
    /// API: meta/v1 `ObjectMeta.deletionTimestamp`.
    pub fn is_ending(&self) -> bool {
        // Nor do those that are about to go.
        self.rest.is_none()
            && self.root().get("metadata").is_some_and(|metadata| metadata.get("deletionTimestamp").is_some())
    }

    /// The same document without its tree, which is read again when somebody asks for it; `None`: it stays as it is.
    pub(crate) fn at_rest(&self, keep: TextAtRest) -> Option<Self> {
        let tree = self.tree.get().filter(|_| self.at == 0 && self.rest.is_none())?;
        let tree = Some(tree).filter(|_| self.status().is_none() && !self.is_ending())?;
        let rest = Rest::of(tree, keep)?;
        let source = self.source.clone();
        Some(Self { source, index: self.index, tree: OnceLock::new(), at: 0, rest: Some(Box::new(rest)) })
    }

    /// Whether both were read from the same text at the same place: then they are equal in everything.
    ///
    /// Costs a comparison of the texts. `false` also where a document has no text (it came as a JSON value).
    pub fn is_same_text(&self, other: &Self) -> bool {
        self.source == other.source
            && self.index == other.index
            && self.at == other.at
            && self.written_at().is_some_and(|written| written.0 > 0 && other.written_at() == Some(written))
            && self.text() == other.text()
    }

    /// The length of its text and where that stands.
    fn written_at(&self) -> Option<(usize, Origin)> {
        match (&self.rest, self.tree.get()) {
            (Some(rest), _) => Some((rest.length(), rest.origin)),
            (None, Some(tree)) => Some((tree.text.len(), tree.origin)),
            (None, None) => None,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        match (&self.rest, self.tree.get()) {
            (Some(rest), _) => rest.text(),
            (None, Some(tree)) => Cow::Borrowed(&tree.text),
            (None, None) => Cow::Borrowed(""),
        }
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        let is_at_rest = self.rest.is_some() || other.rest.is_some();
        is_at_rest && self.is_same_text(other)
            || self.source == other.source && self.index == other.index && self.root() == other.root()
    }
}

/// Never the content, which may be a secret.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("source", &self.source)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

//! The span-carrying tree of one document: the JSON data model, with a place in the text for every key and value.
//!
//! `yaml` builds it from YAML or JSON text; [`crate::decode`] turns it into typed specs; [`crate::origin`] asks it
//! where a field stands. No YAML library type appears here.
//!
//! A [`Tree`] is one run of slots in document order beside the text they were read from, eight bytes each for a text
//! below 64 KiB: a plain scalar is a range of the text, lines and columns are counted when somebody asks. A [`Node`] is a place in a tree, as small as a
//! reference.

mod build;
mod json;
mod node;
mod path;
mod tree;

#[cfg(test)]
mod tests;

#[cfg(feature = "yaml")]
pub(crate) use build::Plain;
pub(crate) use build::TreeBuilder;
pub use node::{Entries, Entry, Items, Node, Value};
pub use path::{join_key, snake_case};
pub use tree::Tree;

use std::fmt;
use std::sync::Arc;

/// A place in a source text.
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

/// Where a document's text came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// File name as the user gave it, `-` for standard input, or any label.
    pub file: Arc<str>,
    /// The cluster the configuration was read from (`Kubernetes` unless stated).
    pub cluster: Arc<str>,
}

/// One document of a file.
#[derive(Clone)]
pub struct Document {
    /// Where the text came from.
    pub source: Source,
    /// Position in its file, from 0 (items of a `kind: List` count on their own).
    pub index: usize,
    /// Items of one list share the tree of the list.
    tree: Arc<Tree>,
    /// The document's root in it.
    at: u32,
}

impl Document {
    /// A document that is a whole tree.
    pub fn new(source: Source, index: usize, tree: Tree) -> Self {
        Self { source, index, tree: Arc::new(tree), at: 0 }
    }

    /// A document that is a part of a tree: the node at `at`.
    pub(crate) fn part(source: Source, index: usize, tree: &Arc<Tree>, at: u32) -> Self {
        Self { source, index, tree: Arc::clone(tree), at }
    }

    /// A document from JSON, without places inside: everything stands at `span`.
    pub fn from_json(source: Source, index: usize, json: &serde_json::Value, span: Span) -> Self {
        Self::new(source, index, Tree::from_json(json, span))
    }

    /// The root of the tree.
    pub fn root(&self) -> Node<'_> {
        Node::at(&self.tree, self.at)
    }

    /// Whether both were read from the same text at the same place: then they are equal in everything.
    ///
    /// Costs a comparison of the texts. `false` also where a document has no text (it came as a JSON value).
    pub fn is_same_text(&self, other: &Self) -> bool {
        self.source == other.source
            && self.index == other.index
            && self.at == other.at
            && self.tree.is_same_text(&other.tree)
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.index == other.index && self.root() == other.root()
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

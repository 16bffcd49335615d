//! Documents at rest: the text alone, from which the tree is read again when somebody asks.

use std::sync::Arc;

use super::Tree;
use super::tree::{Origin, Reader};

/// What a tree is read from again.
#[derive(Clone)]
pub(super) struct Rest {
    pub(super) text: Arc<str>,
    pub(super) origin: Origin,
    reader: Reader,
}

impl Rest {
    /// `None`: the tree was not quickly read, and would not be quickly read again.
    pub(super) fn of(tree: &Tree) -> Option<Self> {
        Some(Self { text: Arc::clone(&tree.text), origin: tree.origin, reader: tree.reader? })
    }

    /// The tree. What was read once is read again, so there always is one.
    pub(super) fn read(&self) -> Tree {
        let mut tree = (self.reader)(&self.text).unwrap_or_default();
        tree.origin = self.origin;
        tree
    }
}

//! The field path of the value being decoded: a list of borrowed segments, written out only for findings.

use std::fmt;

use crate::document::join_key;

/// Where the decoder stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'p> {
    /// The path that the caller gave.
    Root(&'p str),
    /// A field of a map.
    Key(&'p Path<'p>, &'p str),
    /// An element of a list.
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    fn text(&self) -> String {
        // The depth budget of the reader bounds this recursion.
        match self {
            Self::Root(root) => (*root).to_owned(),
            Self::Key(parent, key) => join_key(&parent.text(), key),
            Self::Index(parent, index) => format!("{}[{index}]", parent.text()),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

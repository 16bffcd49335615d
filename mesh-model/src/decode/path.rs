//! The field path of the value being decoded or checked: a list of borrowed segments, written out only for findings.

use std::fmt::{self, Write as _};

use crate::document::needs_quotes;

/// Where the decoder stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'p> {
    /// The path that the caller gave.
    Root(&'p str),
    /// A field of a map, and the fields that the map may have where they are known.
    Key(&'p Path<'p>, &'p str, &'static [&'static str]),
    /// An element of a list.
    Index(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    /// The field `name` of this value.
    pub(crate) fn field(&'p self, name: &'p str) -> Self {
        Self::Key(self, name, &[])
    }

    /// The element at `index` of this value.
    pub(crate) fn index(&'p self, index: usize) -> Self {
        Self::Index(self, index)
    }

    /// Whether its last part is that of a written path; `false` is certain, `true` is not.
    pub(crate) fn may_be(&self, written: &str) -> bool {
        let bare = written.strip_suffix("\"]").or_else(|| written.strip_suffix(']')).unwrap_or(written);
        match self {
            Self::Root(root) => *root == written,
            Self::Key(_, key, _) => bare.ends_with(key),
            Self::Index(_, index) => {
                let number = bare.rsplit_once('[').map(|(_, number)| number.parse::<usize>());
                number == Some(Ok(*index))
            }
        }
    }

    /// The field beside which `name` could stand: one that this path goes through, of a map that has `name` too.
    pub(crate) fn beside(&self, name: &str) -> Option<&str> {
        match self {
            Self::Key(_, key, fields) if fields.contains(&name) => Some(key),
            Self::Key(parent, ..) | Self::Index(parent, _) => parent.beside(name),
            Self::Root(_) => None,
        }
    }
}

/// As `join_key` writes it, without a text for each part.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The depth budget of the reader bounds this recursion.
        match self {
            Self::Root(root) => f.write_str(root),
            Self::Key(parent, key, _) => {
                fmt::Display::fmt(parent, f)?;
                if needs_quotes(key) {
                    return write!(f, "[\"{key}\"]");
                }
                if !matches!(parent, Self::Root("")) {
                    f.write_char('.')?;
                }
                f.write_str(key)
            }
            Self::Index(parent, index) => {
                fmt::Display::fmt(parent, f)?;
                write!(f, "[{index}]")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::join_key;

    proptest! {
        #[test]
        fn a_path_reads_as_its_parts_joined(
            root in prop_oneof![Just(""), Just("spec")],
            parts in prop::collection::vec(prop_oneof![
                "[a.b \\[\"]{0,3}".prop_map(Ok),
                (0_usize..20).prop_map(Err),
            ], 0..5),
        ) {
            fn check(path: &Path<'_>, text: &str, parts: &[Result<String, usize>]) -> Result<(), TestCaseError> {
                prop_assert_eq!(&path.to_string(), text);
                match parts {
                    [] => Ok(()),
                    [Ok(key), rest @ ..] => check(&path.field(key), &join_key(text, key), rest),
                    [Err(index), rest @ ..] => check(&path.index(*index), &format!("{text}[{index}]"), rest),
                }
            }
            check(&Path::Root(root), root, &parts)?;
        }
    }
}

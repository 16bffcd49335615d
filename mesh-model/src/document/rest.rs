//! Documents at rest: the text alone, from which the tree is read again when somebody asks.

use std::borrow::Cow;
use std::sync::Arc;

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};

use super::Tree;
use super::tree::{Origin, Reader};

/// How the text of a document at rest is kept. Ours: its findings need it, and it is what most memory goes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TextAtRest {
    /// As it is.
    #[default]
    Plain,
    /// Packed to a quarter of its size or so; it is unpacked, in a microsecond or two, for each comparison with a text of
    /// the same length and when a place is asked for.
    Packed,
}

/// What a tree is read from again.
#[derive(Clone)]
pub(super) struct Rest {
    text: Kept,
    pub(super) origin: Origin,
    reader: Reader,
}

#[derive(Clone)]
enum Kept {
    Plain(Arc<str>),
    /// Its length in four bytes, and an LZ4 block over the common words.
    Packed(Arc<[u8]>),
}

/// What configurations say all the time: texts are packed as if it stood before them. Trees are read again in the process
/// that packed their texts, so the words may change.
const COMMON: &[u8] = include_bytes!("common_words.txt");

impl Rest {
    /// `None`: the tree was not quickly read, and would not be quickly read again.
    pub(super) fn of(tree: &Tree, keep: TextAtRest) -> Option<Self> {
        let reader = tree.reader?;
        let text = match keep {
            TextAtRest::Plain => Kept::Plain(Arc::clone(&tree.text)),
            TextAtRest::Packed => Kept::pack(&tree.text),
        };
        Some(Self { text, origin: tree.origin, reader })
    }

    /// The tree. What was read once is read again, so there always is one.
    pub(super) fn read(&self) -> Tree {
        let text = match &self.text {
            Kept::Plain(text) => Arc::clone(text),
            Kept::Packed(_) => self.text.unpacked().into(),
        };
        let mut tree = (self.reader)(&text).unwrap_or_default();
        tree.origin = self.origin;
        tree
    }

    /// Bytes of the text.
    pub(super) fn length(&self) -> usize {
        match &self.text {
            Kept::Plain(text) => text.len(),
            Kept::Packed(packed) => {
                packed.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize)
            }
        }
    }

    pub(super) fn text(&self) -> Cow<'_, str> {
        self.text.unpacked()
    }
}

impl Kept {
    fn pack(text: &Arc<str>) -> Self {
        let packed = compress_prepend_size_with_dict(text.as_bytes(), COMMON);
        if packed.len() < text.len() { Self::Packed(packed.into()) } else { Self::Plain(Arc::clone(text)) }
    }

    /// What was packed here is unpacked here, so the text always is there.
    fn unpacked(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Packed(packed) => {
                let text = decompress_size_prepended_with_dict(packed, COMMON).unwrap_or_default();
                Cow::Owned(String::from_utf8(text).unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(text in "(  host: |apiVersion: |é|[ -~\\n]{0,9}){0,60}") {
            let text: Arc<str> = text.into();
            let kept = Kept::pack(&text);
            prop_assert_eq!(kept.unpacked(), &*text);
            if let Kept::Packed(packed) = &kept {
                prop_assert!(packed.len() < text.len());
            }
        }
    }

    #[test]
    fn texts_of_any_size_come_back() {
        for text in ["".to_owned(), "x".to_owned(), "kind: A\n".repeat(200_000), "\u{10ffff}".repeat(70_000)]
        {
            let text: Arc<str> = text.into();
            let kept = Kept::pack(&text);
            assert_eq!(kept.unpacked(), &*text);
            assert!(text.len() < 9 || matches!(kept, Kept::Packed(_)));
        }
    }
}

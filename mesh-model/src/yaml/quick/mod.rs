//! The short road of the reader: ordinary block YAML and JSON, straight from bytes to slots.
//!
//! It reads what it is certain of and declines everything else: anchors, tags, block scalars, scalars of several lines,
//! empty values, scalars that other readers see differently, whatever is over budget. A declined text is read by `events`
//! from its start. What is reported here are doubled keys, which need no other road, and too many nodes, which would be
//! counted twice; and what comes out is what `events` gives and says, slot by slot. Property tests compare the two.

mod block;
mod doubles;
mod flow;
pub(super) mod items;
mod over;
mod scalar;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use self::doubles::Doubled;
use super::LoadOptions;
use super::problems::Problems;
use super::text::{Chunk, find, narrow};
use crate::document::{Tree, TreeBuilder};

/// What comes of a chunk.
pub(super) enum Outcome {
    /// It holds one ordinary document.
    Tree(Tree),
    /// It may not be what it is, which is reported: more nodes than allowed, or doubled keys where they are errors.
    Refused,
    /// The long road has to look.
    Declined,
}

/// Reads a chunk that holds one ordinary document.
pub(super) fn read(
    text: &str,
    chunk: &Chunk<'_>,
    options: &LoadOptions,
    tree: &mut TreeBuilder,
    problems: &mut Problems<'_>,
) -> Outcome {
    if !is_ordinary(text) {
        return Outcome::Declined;
    }
    tree.clear();
    let budget = &options.budget;
    let mut reader = Reader::of(text, tree, budget.nodes, budget.depth_limit(), budget.scalar_bytes);
    let (read, too_many) = (reader.document(), reader.too_many.take());
    let doubled = std::mem::take(&mut reader.doubled);
    if read.is_some() || too_many.is_some() {
        doubles::report(text, chunk, options.strict, tree, &doubled, problems);
    }
    match (read, too_many) {
        (Some(()), _) => {
            let (offset, line) = (narrow(chunk.offset), narrow(chunk.line));
            let tree = tree.finish_quick(text.into(), offset, line, again);
            if doubled.is_empty() {
                return Outcome::Tree(tree);
            }
            problems.name_resource(tree.root());
            if options.strict { Outcome::Refused } else { Outcome::Tree(tree) }
        }
        (None, Some(range)) => {
            over::report(text, chunk, budget.nodes, &range, tree, problems);
            tree.clear();
            Outcome::Refused
        }
        (None, None) => Outcome::Declined,
    }
}

/// Whether no character of a text has a story of its own.
fn is_ordinary(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.contains(&b'\r') || bytes.contains(&b'\t') {
        return false;
    }
    // Line breaks of YAML 1.1, and the mark that may only stand at the start.
    bytes.is_ascii() || !text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'])
}

/// The tree of a text that was read here before, within the budget of that time.
fn again(text: &Arc<str>) -> Option<Tree> {
    let mut tree = TreeBuilder::default();
    Reader::of(text, &mut tree, usize::MAX, usize::MAX, usize::MAX).document()?;
    Some(tree.finish(Arc::clone(text), 0, 0))
}

/// Whether a chunk holds no document: blanks, perhaps after a marker or before the end of one.
pub(super) fn is_empty(text: &str) -> bool {
    let content = text.strip_prefix("---").unwrap_or(text);
    let ended = content.trim_end_matches([' ', '\n']).strip_suffix("...");
    let is_ended = |before: &str| before.ends_with('\n') || before.is_empty() && content.len() == text.len();
    let content = ended.filter(|before| is_ended(before)).unwrap_or(content);
    content.bytes().all(|byte| matches!(byte, b' ' | b'\n'))
}

/// Keys may be this long; the scanner behind `events` gives up some characters later.
const KEY_MAX: usize = 1_000;

struct Reader<'t, 'b> {
    text: &'t str,
    bytes: &'t [u8],
    /// The next byte.
    at: usize,
    tree: &'b mut TreeBuilder,
    /// Fingerprints of the keys of all open maps, the innermost last.
    keys: Vec<u64>,
    /// Keys that stand twice, in the order in which their maps end.
    doubled: Vec<Doubled>,
    nodes_left: usize,
    depth_left: usize,
    scalar_bytes: usize,
    /// Room for strings with escapes.
    scratch: String,
    /// Where the first node stands that is one too many.
    too_many: Option<Range<usize>>,
}

impl<'t, 'b> Reader<'t, 'b> {
    fn of(text: &'t str, tree: &'b mut TreeBuilder, nodes: usize, depth: usize, scalar_bytes: usize) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            tree,
            keys: Vec::new(),
            doubled: Vec::new(),
            nodes_left: nodes,
            depth_left: depth,
            scalar_bytes,
            scratch: String::new(),
            too_many: None,
        }
    }

    fn document(&mut self) -> Option<()> {
        if let Some(rest) = self.bytes.strip_prefix(b"---") {
            // Content on the line of the marker is rare.
            let length = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
            self.at = 3 + length;
            self.end_of_line(length > 0)?;
        }
        match self.first_byte()? {
            b'{' | b'[' => self.flow_document(),
            _ => self.block_document(),
        }
    }

    /// The first byte of content; nothing is passed.
    fn first_byte(&self) -> Option<u8> {
        self.bytes.get(self.at..)?.iter().copied().find(|byte| !matches!(byte, b' ' | b'\n'))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn byte_after(&self) -> Option<u8> {
        self.bytes.get(self.at + 1).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Passes the break of a line that holds nothing more but a comment. `spaced`: a blank stands before.
    fn end_of_line(&mut self, spaced: bool) -> Option<()> {
        match self.peek() {
            None => Some(()),
            Some(b'\n') => {
                self.at += 1;
                Some(())
            }
            Some(b'#') if spaced => {
                self.skip_line();
                Some(())
            }
            Some(_) => None,
        }
    }

    /// Passes the rest of the line and its break.
    fn skip_line(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += find(rest, *b"\n").map_or(rest.len(), |length| length + 1);
    }

    /// Counts the node at `range`.
    fn count(&mut self, range: Range<usize>) -> Option<()> {
        match self.nodes_left.checked_sub(1) {
            Some(left) => {
                self.nodes_left = left;
                Some(())
            }
            None => {
                self.too_many = Some(range);
                None
            }
        }
    }

    /// Whether two keys since `from` may be the same; forgets them.
    fn has_doubles(&mut self, from: usize) -> bool {
        let Some(keys) = self.keys.get_mut(from..) else { return false };
        let has = if keys.len() <= 16 {
            let mut rest = &*keys;
            let mut has = false;
            while let [key, others @ ..] = rest {
                has |= others.contains(key);
                rest = others;
            }
            has
        } else {
            keys.sort_unstable();
            keys.chunk_by(|a, b| a == b).any(|same| same.len() > 1)
        };
        self.keys.truncate(from);
        has
    }
}

/// A number that equal keys share, and others only by accident: then the keys are looked at, no more.
fn fingerprint(key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = key.as_chunks::<8>();
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let hash = words.iter().fold(key.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let hash = mix(hash, last);
    hash ^ hash >> 29
}

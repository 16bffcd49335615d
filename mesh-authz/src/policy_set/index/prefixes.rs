//! All of a set of texts that begin a text, or end it: one binary search, then a walk along those that do.
//!
//! Entries are sorted. The last entry not after the text, or one of the entries that begin it, is the longest that
//! begins the text; the shorter ones begin that one, so each entry knows the next shorter.

use std::cmp::Ordering;

use super::{Positions, push};

/// From which side texts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Start,
    End,
}

/// The texts of one side.
#[derive(Debug, Clone)]
pub(super) struct Prefixes {
    side: Side,
    /// INVARIANT once sealed: sorted as `side` reads, no text twice.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    text: Box<[u8]>,
    positions: Positions,
    /// The longest other entry that begins this one.
    shorter: Option<usize>,
}

impl Prefixes {
    pub(super) fn new(side: Side) -> Self {
        Self { side, entries: Vec::new() }
    }

    pub(super) fn insert(&mut self, text: Box<[u8]>, position: u32) {
        self.entries.push(Entry { text, positions: vec![position], shorter: None });
    }

    /// Sorts and joins; to be called once, after the last text.
    pub(super) fn seal(&mut self) {
        let side = self.side;
        // Stable: positions stay in order.
        self.entries.sort_by(|a, b| side.compare(&a.text, &b.text));
        self.entries.dedup_by(|next, kept| {
            let same = next.text == kept.text;
            if same {
                next.positions.iter().for_each(|position| push(&mut kept.positions, *position));
            }
            same
        });
        // The entries that begin the present one, shortest first.
        let mut open: Vec<(usize, Box<[u8]>)> = Vec::new();
        for (at, entry) in self.entries.iter_mut().enumerate() {
            while open.last().is_some_and(|(_, text)| !side.begins(text, &entry.text)) {
                open.pop();
            }
            entry.shorter = open.last().map(|(at, _)| *at);
            open.push((at, entry.text.clone()));
        }
    }

    /// Calls for each entry that begins the text (or ends it, by side).
    pub(super) fn look_up(&self, text: &[u8], visit: &mut dyn FnMut(&[u32])) {
        let after = self.entries.partition_point(|entry| self.side.compare(&entry.text, text).is_le());
        let mut next = after.checked_sub(1);
        while let Some(entry) = next.and_then(|at| self.entries.get(at)) {
            if self.side.begins(&entry.text, text) {
                visit(&entry.positions);
            }
            next = entry.shorter;
        }
    }
}

impl Side {
    fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Start => a.cmp(b),
            Self::End => a.iter().rev().cmp(b.iter().rev()),
        }
    }

    fn begins(self, part: &[u8], text: &[u8]) -> bool {
        match self {
            Self::Start => text.starts_with(part),
            Self::End => text.ends_with(part),
        }
    }
}

//! All of a set of texts that begin a text: one binary search, then a walk along those that do.
//!
//! Entries are sorted. The last entry not after the text, or one of the entries that begin it, is the longest that
//! begins the text; the shorter ones begin that one, so each entry knows the next shorter.

use super::{Positions, push};

/// Rules by the texts that they ask for.
#[derive(Debug, Clone, Default)]
pub(super) struct Prefixes {
    /// INVARIANT once sealed: sorted, no text twice.
    entries: Vec<Entry>,
    longest: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    text: Box<[u8]>,
    positions: Positions,
    /// The longest other entry that begins this one.
    shorter: Option<usize>,
}

impl Prefixes {
    pub(super) fn insert(&mut self, text: Box<[u8]>, position: u32) {
        self.longest = self.longest.max(text.len());
        self.entries.push(Entry { text, positions: vec![position], shorter: None });
    }

    /// Sorts and joins; to be called once, after the last text.
    pub(super) fn seal(&mut self) {
        // Stable: positions stay in order.
        self.entries.sort_by(|a, b| a.text.cmp(&b.text));
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
            while open.last().is_some_and(|(_, text)| !entry.text.starts_with(text)) {
                open.pop();
            }
            entry.shorter = open.last().map(|(at, _)| *at);
            open.push((at, entry.text.clone()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Length in bytes of the longest text; more of a text than that is never looked at.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Calls for each entry that begins the text.
    pub(super) fn look_up(&self, text: &[u8], visit: &mut dyn FnMut(&[u32])) {
        let after = self.entries.partition_point(|entry| *entry.text <= *text);
        let mut next = after.checked_sub(1);
        while let Some(entry) = next.and_then(|at| self.entries.get(at)) {
            if text.starts_with(&entry.text) {
                visit(&entry.positions);
            }
            next = entry.shorter;
        }
    }
}

//! The entries of a map while it is read: duplicates found, merge keys (`<<`) applied.

use std::collections::HashMap;

use crate::document::{Entry, Node, Span, Value};

/// Above this size a hash table finds duplicates; below, a scan does.
const SCAN_MAX: usize = 16;

/// A map being built. INVARIANT: the keys of `entries` are distinct; `merged` has one flag for each.
#[derive(Debug, Default)]
pub(super) struct MapBuilder {
    entries: Vec<Entry>,
    /// Whether an entry came in through a merge key: replacing it is no duplicate.
    merged: Vec<bool>,
    index: HashMap<Box<str>, usize>,
}

impl MapBuilder {
    /// Adds an entry; the last of several wins. Gives the place of the written one it replaces.
    pub(super) fn insert(&mut self, key: Box<str>, key_span: Span, value: Node) -> Option<Span> {
        self.put(Entry { key, key_span, value }, false)
    }

    /// Applies the value of a merge key. `false`: it is neither a map nor a list of maps.
    ///
    /// As in Kubernetes' reader, order counts: merged keys replace keys written above the `<<` and are replaced by
    /// keys written below it. Of several maps in a list, the first wins.
    pub(super) fn merge(&mut self, value: Node) -> bool {
        match value.value {
            Value::Map(entries) => self.merge_entries(entries),
            Value::List(items) if items.iter().all(|item| matches!(item.value, Value::Map(_))) => {
                for item in items.into_iter().rev() {
                    if let Value::Map(entries) = item.value {
                        self.merge_entries(entries);
                    }
                }
            }
            _ => return false,
        }
        true
    }

    /// The finished map.
    pub(super) fn finish(mut self) -> Vec<Entry> {
        // Most maps have one or two entries: the spare room would be most of a tree's memory.
        self.entries.shrink_to_fit();
        self.entries
    }

    fn merge_entries(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.put(entry, true);
        }
    }

    fn put(&mut self, entry: Entry, merged: bool) -> Option<Span> {
        if let Some(position) = self.position(&entry.key) {
            let (slot, was_merged) = (self.entries.get_mut(position)?, self.merged.get_mut(position)?);
            let before = slot.key_span;
            let duplicate = !merged && !*was_merged;
            *slot = entry;
            *was_merged = merged;
            return duplicate.then_some(before);
        }
        if self.entries.len() >= SCAN_MAX {
            if self.index.is_empty() {
                self.index =
                    self.entries.iter().enumerate().map(|(at, entry)| (entry.key.clone(), at)).collect();
            }
            self.index.insert(entry.key.clone(), self.entries.len());
        }
        self.entries.push(entry);
        self.merged.push(merged);
        None
    }

    fn position(&self, key: &str) -> Option<usize> {
        if self.index.is_empty() {
            self.entries.iter().position(|entry| &*entry.key == key)
        } else {
            self.index.get(key).copied()
        }
    }
}

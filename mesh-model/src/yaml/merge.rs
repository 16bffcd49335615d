//! The keys of a map once it is read: duplicates found, merge keys (`<<`) applied.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::events::Builder;
use crate::diagnostic::Code;
use crate::document::TreeBuilder;

/// Above this number of keys duplicates are found by hash; below, by comparing all with all.
const SCAN_MAX: usize = 16;

/// Pairs of equal keys in the map at `at`, each with the one before it, in the order of the text.
pub(super) fn doubled_keys(tree: &TreeBuilder, text: &str, at: usize) -> Vec<(usize, usize)> {
    let mut few = [0_usize; SCAN_MAX];
    let mut doubled = Vec::new();
    for (count, key) in tree.keys(at).enumerate() {
        let Some(slot) = few.get_mut(count) else { return doubled_by_hash(tree, text, at) };
        *slot = key;
        let name = tree.string(text, key);
        let earlier = few.get(..count).unwrap_or_default();
        let twin = earlier.iter().rev().find(|other| tree.string(text, **other) == name);
        doubled.extend(twin.map(|twin| (*twin, key)));
    }
    doubled
}

fn doubled_by_hash(tree: &TreeBuilder, text: &str, at: usize) -> Vec<(usize, usize)> {
    let hasher = RandomState::new();
    let name = |key: usize| tree.string(text, key).unwrap_or_default();
    let mut keys: Vec<(u64, usize)> = tree.keys(at).map(|key| (hasher.hash_one(name(key)), key)).collect();
    keys.sort_unstable();
    let mut doubled = Vec::new();
    for same_hash in keys.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (_, key) in same_hash {
            doubled.extend(last.insert(name(*key), *key).map(|first| (first, *key)));
        }
    }
    doubled.sort_unstable_by_key(|(_, key)| *key);
    doubled
}

impl Builder<'_, '_, '_> {
    /// Reports keys that stand twice in the map at `at`; the last of several wins.
    pub(super) fn find_duplicates(&mut self, at: usize) {
        for (first, key) in doubled_keys(self.tree, self.text, at) {
            self.duplicate(first, key);
            self.tree.kill(first);
        }
    }

    /// Applies the merge keys of the map at `at`.
    ///
    /// As in Kubernetes' reader, order counts: merged keys replace keys written above the `<<` and are replaced by
    /// keys written below it. Of several maps in a list, the first wins.
    pub(super) fn merge(&mut self, at: usize, merges: &[usize]) {
        let written: Vec<usize> = self.tree.keys(at).collect();
        let mut entries = Merged::default();
        for key in written {
            if !merges.contains(&key) {
                if let Some(first) = self.put(&mut entries, key, false) {
                    self.duplicate(first, key);
                }
                continue;
            }
            self.tree.kill(key);
            let value = key + 1;
            let maps: Vec<usize> = if self.tree.is_map(value) {
                vec![value]
            } else if self.tree.is_list(value) && self.tree.elements(value).all(|map| self.tree.is_map(map)) {
                self.tree.elements(value).collect()
            } else {
                self.bad_merge(value);
                continue;
            };
            for map in maps.into_iter().rev() {
                for inner in self.tree.keys(map).collect::<Vec<_>>() {
                    let copy = self.tree.len();
                    self.tree.repeat_entry(inner);
                    self.put(&mut entries, copy, true);
                }
            }
        }
    }

    /// Puts an entry among those in force. Gives the written key that it repeats.
    fn put(&mut self, entries: &mut Merged, key: usize, is_merged: bool) -> Option<usize> {
        let text = self.tree.string(self.text, key).unwrap_or_default();
        let (before, was_merged) = match entries.0.get_mut(text) {
            Some(entry) => std::mem::replace(entry, (key, is_merged)),
            None => {
                entries.0.insert(text.into(), (key, is_merged));
                return None;
            }
        };
        self.tree.kill(before);
        (!is_merged && !was_merged).then_some(before)
    }

    fn bad_merge(&mut self, value: usize) {
        // Counting lines back to a place costs more than a finding that is not kept.
        if self.problems.is_full(Code::BadKey.severity()) {
            return self.problems.drop_one(Code::BadKey.severity());
        }
        let message = "the value of `<<` is neither a map nor a list of maps".to_owned();
        let span = self.place(value);
        let path = self.path();
        self.problems.note(Code::BadKey, Code::BadKey.severity(), span, &path, message);
    }
}

/// The key in force for each text, and whether it came in through a merge key: replacing that is no duplicate.
#[derive(Default)]
struct Merged(HashMap<Box<str>, (usize, bool)>);

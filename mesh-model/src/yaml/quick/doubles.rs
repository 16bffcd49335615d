//! Keys that stand twice in their map: the last one counts, and each is told as the long road tells it.

use std::collections::BTreeMap;

use super::super::merge::doubled_keys;
use super::super::places::{note_doubled, shorten};
use super::super::problems::{NOTES_MAX, Problems};
use super::super::text::Chunk;
use super::Reader;
use crate::diagnostic::Severity;
use crate::document::{TreeBuilder, join_key};

/// A key that stands twice, by slots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doubled {
    map: usize,
    first: usize,
    key: usize,
}

impl Reader<'_, '_> {
    /// Looks at the keys of the map at `map`, which just ended, some of which may be the same.
    #[cold]
    pub(super) fn find_doubles(&mut self, map: usize) {
        for (first, key) in doubled_keys(self.tree, self.text, map) {
            self.tree.kill(first);
            self.doubled.push(Doubled { map, first, key });
        }
    }
}

/// Says which keys stand twice. `tree` holds what was read, which may not be all.
pub(super) fn report(
    text: &str,
    chunk: &Chunk<'_>,
    is_strict: bool,
    tree: &TreeBuilder,
    doubled: &[Doubled],
    problems: &mut Problems<'_>,
) {
    if doubled.is_empty() {
        return;
    }
    let severity = if is_strict { Severity::Error } else { Severity::Warning };
    // What will not be kept needs no path.
    let paths = paths(text, tree, doubled.iter().take(2 * NOTES_MAX).map(|doubled| doubled.map));
    for Doubled { map, first, key } in doubled {
        if problems.is_full(severity) {
            problems.drop_one(severity);
            continue;
        }
        let path = paths.get(map).map_or("", String::as_str);
        note_doubled(problems, severity, text, chunk, tree, (*first, *key), path);
    }
}

/// A collection on the way to a value.
struct Step {
    end: usize,
    is_map: bool,
    /// The key whose value comes next.
    key: Option<usize>,
    /// Elements before the next.
    elements: usize,
}

impl Step {
    fn pass(&mut self) {
        self.key = None;
        self.elements += 1;
    }
}

/// The field paths of the values at some slots, found in one pass.
fn paths(text: &str, tree: &TreeBuilder, wanted: impl Iterator<Item = usize>) -> BTreeMap<usize, String> {
    let mut paths: BTreeMap<usize, String> = wanted.map(|at| (at, String::new())).collect();
    let last = paths.keys().next_back().copied().unwrap_or_default();
    let mut steps: Vec<Step> = Vec::new();
    for at in 0..=last.min(tree.len().saturating_sub(1)) {
        while steps.last().is_some_and(|step| step.end <= at) {
            steps.pop();
            if let Some(parent) = steps.last_mut() {
                parent.pass();
            }
        }
        if let Some(step) = steps.last_mut()
            && step.is_map
            && step.key.is_none()
        {
            step.key = Some(at);
            continue;
        }
        if let Some(path) = paths.get_mut(&at) {
            *path = path_of(text, tree, &steps);
        }
        if tree.is_collection(at) {
            let end = if tree.is_open(at) { usize::MAX } else { at + tree.size(at) };
            steps.push(Step { end, is_map: tree.is_map(at), key: None, elements: 0 });
        } else if let Some(step) = steps.last_mut() {
            step.pass();
        }
    }
    paths
}

fn path_of(text: &str, tree: &TreeBuilder, steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |mut path, step| match step.key {
        Some(key) => join_key(&path, &shorten(tree.string(text, key).unwrap_or_default())),
        None => {
            path.push_str(&format!("[{}]", step.elements));
            path
        }
    })
}

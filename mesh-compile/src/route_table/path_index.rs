//! Which routes of a host can match a path, in configured order, at a cost that stays flat as routes grow.
//!
//! Exact paths are hashed, prefixes hang on a radix tree, and so do regexes under the literal text that all their
//! matches start with; where many regexes share that text, one automaton answers for all of them. Routes with the same path are told apart by a header or query parameter.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Route;
use super::bucket::Bucket;
use super::candidates::{Candidates, List};
use super::host_index::Name;
use super::matcher::{Case, PathMatch};
use super::pattern::Pattern;
use super::predicate::Subject;
use super::prefix_tree::{Folding, PrefixTree};
use super::regex_set::RegexSet;

/// Hosts with at most this many routes are scanned.
pub(super) const SCANNED_MAX: usize = 8;

/// At most this many regexes with the same literal start are tested one by one.
const TESTED_MAX: usize = 8;

/// The index of one virtual host.
#[derive(Debug, Clone)]
pub(super) struct PathIndex {
    /// The text is the route's own.
    exact: HashMap<Name, Bucket, RandomState>,
    tree: PrefixTree,
    folded: PrefixTree,
    regexes: Option<RegexSet>,
}

impl PathIndex {
    /// Indexes routes; `None`: there are too few to gain anything.
    pub(super) fn new(routes: &[Route]) -> Option<Self> {
        if routes.len() <= SCANNED_MAX {
            return None;
        }
        let mut index = Self {
            exact: HashMap::default(),
            tree: PrefixTree::new(Folding::None),
            folded: PrefixTree::new(Folding::Ascii),
            regexes: None,
        };
        let mut regexes: BTreeMap<Vec<u8>, Vec<(u32, &Route, &Pattern)>> = BTreeMap::new();
        for (position, route) in (0..).zip(routes) {
            match &route.matcher.path {
                PathMatch::Regex(pattern) => {
                    regexes
                        .entry(pattern.literal_start().to_vec())
                        .or_default()
                        .push((position, route, pattern));
                }
                other => index.insert(position, other)?,
            }
        }
        index.insert_regexes(regexes)?;
        index.seal(routes);
        Some(index)
    }

    /// The candidates for a request.
    pub(super) fn candidates<'i>(&'i self, subject: &Subject<'i>) -> Candidates<'i> {
        let path = subject.path.as_bytes();
        let mut candidates = Candidates::new();
        if let Some(bucket) = self.exact.get(path) {
            bucket.lists(subject, |positions| candidates.add(List::fitting(positions)));
        }
        for tree in [&self.tree, &self.folded] {
            if tree.is_empty() {
                continue;
            }
            tree.walk(path, |entries, rest| {
                entries.open.lists(subject, |positions| candidates.add(List::fitting(positions)));
                entries.maybe.lists(subject, |positions| candidates.add(List::possible(positions)));
                if rest.is_empty() {
                    entries.whole.lists(subject, |positions| candidates.add(List::fitting(positions)));
                }
                if matches!(rest.first(), None | Some(b'/')) {
                    entries.segment.lists(subject, |positions| candidates.add(List::fitting(positions)));
                }
            });
        }
        candidates.with_regexes(self.regexes.as_ref().map(|regexes| regexes.matches(path)))
    }

    fn seal(&mut self, routes: &[Route]) {
        self.exact.shrink_to_fit();
        for bucket in self.exact.values_mut() {
            bucket.seal(routes);
        }
        self.tree.seal(routes);
        self.folded.seal(routes);
    }

    fn insert(&mut self, position: u32, path: &PathMatch) -> Option<()> {
        match path {
            PathMatch::Exact(text, Case::Sensitive) => {
                self.exact.entry(Name(Arc::clone(text))).or_default().push(position);
            }
            PathMatch::Exact(text, Case::Insensitive) => {
                self.folded.entries_at(text.to_ascii_lowercase().as_bytes())?.whole.push(position);
            }
            PathMatch::Prefix(text, Case::Sensitive) => {
                self.tree.entries_at(text.as_bytes())?.open.push(position);
            }
            PathMatch::Prefix(text, Case::Insensitive) => {
                self.folded.entries_at(text.to_ascii_lowercase().as_bytes())?.open.push(position);
            }
            PathMatch::SegmentPrefix(text) => self.tree.entries_at(text.as_bytes())?.segment.push(position),
            PathMatch::Regex(pattern) => self.tree.entries_at(pattern.literal_start())?.maybe.push(position),
        }
        Some(())
    }

    /// Small groups are tested one by one, the others by one automaton, if it can be built within its limits.
    fn insert_regexes(&mut self, groups: BTreeMap<Vec<u8>, Vec<(u32, &Route, &Pattern)>>) -> Option<()> {
        let mut many = Vec::new();
        for (start, group) in groups {
            if group.len() > TESTED_MAX {
                many.extend(group);
            } else {
                let entries = self.tree.entries_at(&start)?;
                group.iter().for_each(|(position, ..)| entries.maybe.push(*position));
            }
        }
        many.sort_unstable_by_key(|(position, ..)| *position);
        self.regexes = RegexSet::new(&many);
        if self.regexes.is_none() {
            for (position, _, pattern) in many {
                self.tree.entries_at(pattern.literal_start())?.maybe.push(position);
            }
        }
        Some(())
    }
}

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

/// Hosts with at most this many routes are scanned: up to there a scan costs no more than the index.
pub(super) const SCANNED_MAX: usize = 16;

/// At most this many routes are listed for a whole path.
const SETTLED_MAX: usize = 8;

/// At most this many regexes with the same literal start are tested one by one.
const TESTED_MAX: usize = 8;

/// The index of one virtual host.
#[derive(Debug, Clone)]
pub(super) struct PathIndex {
    /// The text is the route's own.
    exact: HashMap<Name, Whole, RandomState>,
    tree: PrefixTree,
    folded: PrefixTree,
    regexes: Option<RegexSet>,
}

/// What is known of one whole path.
#[derive(Debug, Clone, Default)]
struct Whole {
    /// Routes that name it; where [`is_all`](Self::is_all), prefixes and single regexes that may come before them too.
    bucket: Bucket,
    /// Whether no other route can win: the path itself tells which prefixes it has, so that was settled once.
    is_all: bool,
    /// Whether the path predicates of all of them are known to hold.
    fits: bool,
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
        if let Some(whole) = self.exact.get(path) {
            let list = if whole.fits { List::fitting } else { List::possible };
            whole.bucket.lists(subject, |positions| candidates.add(list(positions)));
            if whole.is_all {
                return candidates;
            }
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
        self.tree.seal(routes);
        self.folded.seal(routes);
        let mut exact = std::mem::take(&mut self.exact);
        for (path, whole) in &mut exact {
            match self.settled(path.0.as_bytes(), &whole.bucket, routes) {
                Some((positions, fits)) => {
                    *whole = Whole { bucket: Bucket::of(positions), is_all: true, fits };
                }
                None => {
                    whole.bucket.seal(routes);
                    whole.fits = true;
                }
            }
        }
        self.exact = exact;
    }

    /// Every route that can win for a path that some route names, in order, and whether the path predicates of all of them
    /// hold; `None`: they are many, or depend on what else the request has.
    fn settled(&self, path: &[u8], own: &Bucket, routes: &[Route]) -> Option<(Vec<u32>, bool)> {
        let mut found: Vec<(u32, bool)> = Vec::new();
        let mut is_plain = true;
        let mut take = |bucket: &Bucket, fits: bool| match bucket.plain() {
            Some(positions) => found.extend(positions.iter().map(|position| (*position, fits))),
            None => is_plain = false,
        };
        take(own, true);
        for tree in [&self.tree, &self.folded] {
            tree.walk(path, |entries, rest| {
                take(&entries.open, true);
                take(&entries.maybe, false);
                if rest.is_empty() {
                    take(&entries.whole, true);
                }
                if matches!(rest.first(), None | Some(b'/')) {
                    take(&entries.segment, true);
                }
            });
        }
        found.sort_unstable();
        // The first that asks for nothing else wins wherever nothing before it does.
        let is_last = |(position, fits): &(u32, bool)| {
            let route = routes.get(*position as usize);
            *fits && route.is_some_and(|route| !route.matcher.looks_beyond_path())
        };
        if let Some(last) = found.iter().position(is_last) {
            found.truncate(last + 1);
        }
        let last = found.last().map(|(position, _)| *position);
        let regex_before = self.regexes.as_ref().is_some_and(|regexes| {
            regexes.least().is_some_and(|least| last.is_none_or(|last| least < last))
                || !found.iter().any(is_last)
        });
        if !is_plain || regex_before || found.len() > SETTLED_MAX {
            return None;
        }
        let fits = found.iter().all(|(_, fits)| *fits);
        Some((found.into_iter().map(|(position, _)| position).collect(), fits))
    }

    fn insert(&mut self, position: u32, path: &PathMatch) -> Option<()> {
        match path {
            PathMatch::Exact(text, Case::Sensitive) => {
                self.exact.entry(Name(Arc::clone(text))).or_default().bucket.push(position);
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

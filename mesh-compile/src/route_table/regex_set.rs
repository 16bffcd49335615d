//! One automaton over many regexes, answering with positions in configured order.
//!
//! For regexes that have no text in common with the path to be told apart by.

use std::sync::Arc;

use regex_automata::{Anchored, Input, MatchKind, PatternSet, meta};
use regex_syntax::hir::Hir;

use super::Route;
use super::pattern::Pattern;

/// Bound on the compiled size of the automaton, in bytes; beyond it regexes are tested one by one.
const SIZE_LIMIT: usize = 32 << 20;

/// Bound on the cache of lazily built states, in bytes per thread.
const CACHE_LIMIT: usize = 8 << 20;

/// Regexes of one host under one automaton.
#[derive(Debug, Clone)]
pub(super) struct RegexSet {
    /// Positions of the routes, ascending; the n-th belongs to the n-th pattern.
    positions: Arc<[u32]>,
    /// Prefers the first pattern.
    first: meta::Regex,
    /// Finds every pattern; `None` where the first settles the question, having no further predicates beside it.
    every: Option<meta::Regex>,
}

impl RegexSet {
    /// `None` for no regexes, or where the automaton would be too large.
    pub(super) fn new(members: &[(u32, &Route, &Pattern)]) -> Option<Self> {
        if members.is_empty() {
            return None;
        }
        let hirs: Vec<Hir> =
            members.iter().map(|(_, _, pattern)| pattern.full_match_syntax()).collect::<Option<_>>()?;
        let conditional = members.iter().any(|(_, route, _)| route.matcher.looks_beyond_path());
        Some(Self {
            positions: members.iter().map(|(position, ..)| *position).collect(),
            first: build(&hirs, MatchKind::LeftmostFirst)?,
            every: if conditional { Some(build(&hirs, MatchKind::All)?) } else { None },
        })
    }

    /// The regexes that match a path; nothing is searched before it is asked for.
    pub(super) fn matches<'i>(&'i self, path: &'i [u8]) -> RegexMatches<'i> {
        RegexMatches { set: self, path, state: State::Unasked }
    }

    fn first(&self, path: &[u8]) -> Option<u32> {
        let found = self.first.search_half(&input(path))?;
        self.positions.get(found.pattern().as_usize()).copied()
    }

    /// All that match after a position.
    fn after(&self, position: u32, path: &[u8]) -> Vec<u32> {
        let Some(every) = &self.every else { return Vec::new() };
        let mut found = PatternSet::new(self.positions.len());
        every.which_overlapping_matches(&input(path), &mut found);
        found
            .iter()
            .filter_map(|pattern| self.positions.get(pattern.as_usize()).copied())
            .filter(|other| *other > position)
            .collect()
    }
}

fn input(path: &[u8]) -> Input<'_> {
    Input::new(path).anchored(Anchored::Yes)
}

fn build(hirs: &[Hir], kind: MatchKind) -> Option<meta::Regex> {
    let config = meta::Config::new()
        .match_kind(kind)
        .utf8_empty(false)
        .nfa_size_limit(Some(SIZE_LIMIT))
        .hybrid_cache_capacity(CACHE_LIMIT);
    meta::Builder::new().configure(config).build_many_from_hir(hirs).ok()
}

/// A stream of matching positions, ascending.
#[derive(Debug)]
pub(super) struct RegexMatches<'i> {
    set: &'i RegexSet,
    path: &'i [u8],
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was searched.
    Unasked,
    /// The first match is known and not yet taken.
    First(u32),
    /// The first match was taken, later ones were not searched.
    Taken(u32),
    /// Later matches, the next one last.
    Rest(Vec<u32>),
}

impl RegexMatches<'_> {
    /// The next position, provided it is smaller than `bound`. Searches only when the answer can matter.
    pub(super) fn peek_below(&mut self, bound: Option<u32>) -> Option<u32> {
        self.prepare(bound);
        let next = match &self.state {
            State::First(position) => Some(*position),
            State::Rest(rest) => rest.last().copied(),
            State::Unasked | State::Taken(_) => None,
        };
        next.filter(|next| bound.is_none_or(|bound| *next < bound))
    }

    /// Leaves behind what was peeked at.
    pub(super) fn take(&mut self) {
        match &mut self.state {
            State::First(position) => self.state = State::Taken(*position),
            State::Rest(rest) => {
                rest.pop();
            }
            State::Unasked | State::Taken(_) => {}
        }
    }

    fn prepare(&mut self, bound: Option<u32>) {
        let can_matter = |least: u32| bound.is_none_or(|bound| least < bound);
        match self.state {
            State::Unasked if self.set.positions.first().is_some_and(|least| can_matter(*least)) => {
                self.state = self.set.first(self.path).map_or(State::Rest(Vec::new()), State::First);
            }
            State::Taken(position) if can_matter(position.saturating_add(1)) => {
                let mut rest = self.set.after(position, self.path);
                rest.reverse();
                self.state = State::Rest(rest);
            }
            _ => {}
        }
    }
}

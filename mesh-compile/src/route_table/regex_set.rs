//! One automaton over many regexes, answering with positions in configured order.
//!
//! For regexes that have no text in common with the path to be told apart by.

use std::sync::Arc;

use regex_automata::{Anchored, Input, MatchKind, PatternSet, meta};
use regex_syntax::hir::Hir;

use super::Route;
use super::pattern::{OnDemand, Pattern};

/// Bound on the size of the automaton, in bytes; beyond it regexes are tested one by one. It is made when the first
/// request asks, which may take some ten milliseconds at this size.
const SIZE_LIMIT: usize = 4 << 20;

/// Bound on the cache of lazily built states, in bytes per thread.
const CACHE_LIMIT: usize = 8 << 20;

/// Regexes of one host under one automaton.
#[derive(Debug, Clone)]
pub(super) struct RegexSet {
    members: Arc<Members>,
}

#[derive(Debug)]
struct Members {
    /// Positions of the routes, ascending; the n-th belongs to the n-th pattern.
    positions: Box<[u32]>,
    patterns: Box<[Pattern]>,
    /// Bytes that an automaton takes at most.
    bytes: usize,
    /// Prefers the first pattern.
    first: OnDemand<meta::Regex>,
    /// Finds every pattern.
    every: OnDemand<meta::Regex>,
    /// Whether a match may fail for what stands beside it, so that later ones matter too.
    conditional: bool,
}

impl RegexSet {
    /// `None` where one automaton is of no use (one regex at most), or would be too large.
    pub(super) fn new(members: &[(u32, &Route, &Pattern)]) -> Option<Self> {
        let bytes =
            members.iter().fold(0_usize, |sum, (.., pattern)| sum.saturating_add(pattern.size_bound()));
        if members.len() < 2 || bytes > SIZE_LIMIT {
            return None;
        }
        let members = Members {
            positions: members.iter().map(|(position, ..)| *position).collect(),
            patterns: members.iter().map(|(.., pattern)| (*pattern).clone()).collect(),
            bytes,
            first: OnDemand::default(),
            every: OnDemand::default(),
            conditional: members.iter().any(|(_, route, _)| route.matcher.looks_beyond_path()),
        };
        Some(Self { members: Arc::new(members) })
    }

    /// The regexes that match a path; nothing is searched before it is asked for.
    pub(super) fn matches<'i>(&'i self, path: &'i [u8]) -> RegexMatches<'i> {
        RegexMatches { set: &self.members, path, state: State::Unasked }
    }
}

impl Members {
    fn build(&self, kind: MatchKind) -> Option<meta::Regex> {
        let syntaxes = self.patterns.iter().map(Pattern::full_match_syntax).collect::<Option<Vec<_>>>()?;
        build(&syntaxes, kind)
    }

    fn first(&self, path: &[u8]) -> Option<u32> {
        match self.first.get(self.bytes, || self.build(MatchKind::LeftmostFirst)) {
            Some(regex) => {
                let found = regex.search_half(&input(path))?;
                self.positions.get(found.pattern().as_usize()).copied()
            }
            None => self.one_by_one(path).next(),
        }
    }

    /// All that match after a position.
    fn after(&self, position: u32, path: &[u8]) -> Vec<u32> {
        if !self.conditional {
            return Vec::new();
        }
        let is_after = |other: &u32| *other > position;
        match self.every.get(self.bytes, || self.build(MatchKind::All)) {
            Some(regex) => {
                let mut found = PatternSet::new(self.positions.len());
                regex.which_overlapping_matches(&input(path), &mut found);
                let positions = found.iter().filter_map(|pattern| self.positions.get(pattern.as_usize()));
                positions.copied().filter(is_after).collect()
            }
            None => self.one_by_one(path).filter(is_after).collect(),
        }
    }

    /// What the automaton says, where there is no room for it.
    fn one_by_one<'i>(&'i self, path: &'i [u8]) -> impl Iterator<Item = u32> + 'i {
        let members = self.positions.iter().zip(&self.patterns);
        members.filter(move |(_, pattern)| pattern.is_match(path)).map(|(position, _)| *position)
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
    set: &'i Members,
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

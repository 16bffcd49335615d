//! Candidate routes from several sorted lists, in configured order.

use std::vec::IntoIter;

use smallvec::SmallVec;

use super::regex_set::RegexMatches;

/// Lists that are merged by looking at all their heads; more are sorted together.
const MERGED_MAX: usize = 16;

/// A route that may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// Its position in the host.
    pub(super) position: u32,
    /// Whether its path predicate is known to hold.
    pub(super) path_fits: bool,
}

/// Positions from one place of the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'i> {
    positions: &'i [u32],
    path_fits: bool,
}

impl<'i> List<'i> {
    /// Routes whose path predicate holds.
    pub(super) fn fitting(positions: &'i [u32]) -> Self {
        Self { positions, path_fits: true }
    }

    /// Routes whose path predicate has to be tested.
    pub(super) fn possible(positions: &'i [u32]) -> Self {
        Self { positions, path_fits: false }
    }

    fn iter(self) -> impl Iterator<Item = Candidate> + use<'i> {
        self.positions
            .iter()
            .map(move |position| Candidate { position: *position, path_fits: self.path_fits })
    }
}

/// The stream of candidates.
#[derive(Debug)]
pub(super) struct Candidates<'i> {
    lists: SmallVec<[List<'i>; MERGED_MAX]>,
    sorted: Option<IntoIter<Candidate>>,
    regexes: Option<RegexMatches<'i>>,
}

impl<'i> Candidates<'i> {
    pub(super) fn new() -> Self {
        Self { lists: SmallVec::new(), sorted: None, regexes: None }
    }

    pub(super) fn add(&mut self, list: List<'i>) {
        if !list.positions.is_empty() {
            self.lists.push(list);
        }
    }

    /// Completes the stream.
    pub(super) fn with_regexes(mut self, regexes: Option<RegexMatches<'i>>) -> Self {
        self.regexes = regexes;
        if self.lists.len() > MERGED_MAX {
            // A repeated header line leads to the same list again; different lists never share a position.
            self.lists.sort_unstable_by_key(|list| list.positions.first());
            self.lists.dedup_by_key(|list| list.positions.first());
            let mut all: Vec<Candidate> = self.lists.drain(..).flat_map(List::iter).collect();
            all.sort_unstable();
            self.sorted = Some(all.into_iter());
        }
        self
    }

    /// The smallest head of the lists.
    fn peek(&self) -> Option<Candidate> {
        match &self.sorted {
            Some(sorted) => sorted.as_slice().first().copied(),
            None => self.lists.iter().filter_map(|list| list.iter().next()).min(),
        }
    }

    fn advance_past(&mut self, taken: Candidate) {
        if let Some(sorted) = &mut self.sorted {
            sorted.next();
            return;
        }
        for list in &mut self.lists {
            if let Some((first, rest)) = list.positions.split_first()
                && *first == taken.position
            {
                list.positions = rest;
            }
        }
    }
}

impl Iterator for Candidates<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        let listed = self.peek();
        let bound = listed.map(|candidate| candidate.position);
        if let Some(position) = self.regexes.as_mut().and_then(|regexes| regexes.next_below(bound)) {
            return Some(Candidate { position, path_fits: true });
        }
        if let Some(candidate) = listed {
            self.advance_past(candidate);
        }
        listed
    }
}

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
    /// One more, of no list.
    one: Option<Candidate>,
    sorted: Option<IntoIter<Candidate>>,
    regexes: SmallVec<[RegexMatches<'i>; 1]>,
}

impl<'i> Candidates<'i> {
    pub(super) fn new() -> Self {
        Self { lists: SmallVec::new(), one: None, sorted: None, regexes: SmallVec::new() }
    }

    pub(super) fn add(&mut self, list: List<'i>) {
        if !list.positions.is_empty() {
            self.lists.push(list);
        }
    }

    /// A route whose path predicate holds.
    pub(super) fn add_one(&mut self, position: u32) {
        self.one = Some(Candidate { position, path_fits: true });
    }

    /// Routes that an automaton answers for.
    pub(super) fn add_regexes(&mut self, regexes: RegexMatches<'i>) {
        self.regexes.push(regexes);
    }

    /// Completes the stream.
    pub(super) fn complete(mut self) -> Self {
        if self.lists.len() > MERGED_MAX {
            // A repeated header line leads to the same list again; different lists never share a position.
            self.lists.sort_unstable_by_key(|list| list.positions.first());
            self.lists.dedup_by_key(|list| list.positions.first());
            let mut all: Vec<Candidate> = self.lists.drain(..).flat_map(List::iter).collect();
            all.extend(self.one.take());
            all.sort_unstable();
            self.sorted = Some(all.into_iter());
        }
        self
    }

    /// The smallest head of the lists.
    fn peek(&self) -> Option<Candidate> {
        match &self.sorted {
            Some(sorted) => sorted.as_slice().first().copied(),
            None => self.lists.iter().filter_map(|list| list.iter().next()).chain(self.one).min(),
        }
    }

    fn advance_past(&mut self, taken: Candidate) {
        if let Some(sorted) = &mut self.sorted {
            sorted.next();
            return;
        }
        self.one.take_if(|one| one.position == taken.position);
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
        let mut matched: Option<(u32, &mut RegexMatches<'_>)> = None;
        for regexes in &mut self.regexes {
            let bound = matched.as_ref().map(|(least, _)| *least).or(bound);
            if let Some(position) = regexes.peek_below(bound) {
                matched = Some((position, regexes));
            }
        }
        if let Some((position, regexes)) = matched {
            regexes.take();
            return Some(Candidate { position, path_fits: true });
        }
        if let Some(candidate) = listed {
            self.advance_past(candidate);
        }
        listed
    }
}

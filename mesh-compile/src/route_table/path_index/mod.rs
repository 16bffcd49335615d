//! Which routes of a host can match a path, in configured order, at a cost that stays flat as routes grow.
//!
//! Whole paths and prefixes are hashed. For each of them it is settled when the index is made which routes can win where
//! it is the longest that fits, so most look-ups read one slot of a table and compare one text. Regexes count as prefixes
//! by the literal text that all their matches start with. What cannot be settled (many routes of one path, many regexes
//! that start alike, paths whose case does not count) is merged from lists when a request comes.

mod build;
mod lengths;

use std::hint::select_unpredictable;

use super::Route;
use super::bucket::Bucket;
use super::candidates::{Candidates, List};
use super::folded_tree::FoldedTree;
use super::key_table::{Found, KeyTable, Sort, mark};
use super::predicate::Subject;
use super::regex_group::RegexGroup;
use super::text_hash::{HashedPath, Seed};
use lengths::Lengths;

/// Hosts with at most this many routes are scanned: up to there a scan costs no more than the index.
pub(super) const SCANNED_MAX: usize = 10;

/// Hosts with more routes than this are not scanned where more than [`ALIKE_SCANNED_MAX`] of their regexes start alike: a
/// scan runs each of these, the index one automaton for all.
const SCANNED_WITH_REGEXES_MAX: usize = 8;
const ALIKE_SCANNED_MAX: usize = 4;

/// At most this many routes are settled for a path.
const SETTLED_MAX: usize = 8;

/// The index of one virtual host. In this order, so that what every look-up reads is together.
#[derive(Debug, Clone)]
#[repr(C)]
pub(super) struct PathIndex {
    /// Whether no beginning is longer than the noted places, case counts everywhere, and keys have hashes of their own.
    is_simple: bool,
    has_folded: bool,
    seed: Seed,
    lengths: Lengths,
    /// Paths that have to be met whole, and beginnings of paths.
    keys: KeyTable,
    /// What the empty beginning leads to.
    empty: Option<u32>,
    /// Lists of settled positions: twice their number, plus one if all their path predicates hold; then the positions.
    lists: Box<[u32]>,
    /// What is not settled.
    open: Box<[Unsettled]>,
    folded: FoldedTree,
}

/// Routes of one path, to be merged with those of its beginnings.
#[derive(Debug, Clone, Default)]
struct Unsettled {
    /// Path predicates hold.
    fitting: Bucket,
    /// Regexes whose matches all start like this; to be tested.
    maybe: Bucket,
    /// More of them.
    regexes: Option<RegexGroup>,
}

/// The routes that can win for a path.
#[derive(Debug)]
pub(super) enum Answer<'i> {
    /// None.
    Nothing,
    /// This one does, without a look at it.
    Winner(u32),
    /// These, in order; `true`: their path predicates are known to hold.
    List(&'i [u32], bool),
    /// Ask for [`PathIndex::candidates`].
    Merge,
}

/// Keys that are a whole path.
const WHOLE: Sort = Sort::Second;
/// Keys that are the beginning of a path.
const BEGINNING: Sort = Sort::First;

/// What a key leads to, in the upper bits of its value.
const KIND_SHIFT: u32 = 30;
const VALUE_MASK: u32 = (1 << KIND_SHIFT) - 1;
const WINNER: u32 = 0;
const LIST: u32 = 1;
const UNSETTLED: u32 = 2;

enum Known<'i> {
    Winner(u32),
    List(&'i [u32], bool),
    Unsettled(&'i Unsettled),
}

impl PathIndex {
    /// Reads a request target.
    #[inline]
    pub(super) fn read<'p>(&self, target: &'p [u8]) -> HashedPath<'p> {
        HashedPath::new(target, self.seed, self.lengths.slashes())
    }

    /// What is settled for a path.
    #[inline]
    pub(super) fn answer(&self, path: &HashedPath<'_>) -> Answer<'_> {
        if self.is_simple { self.simple_answer(path) } else { self.general_answer(path) }
    }

    /// Asks for the whole path and for its two longest beginnings at once: which of them it will be cannot be foreseen,
    /// and a wrong guess costs more than the questions.
    #[inline]
    fn simple_answer(&self, path: &HashedPath<'_>) -> Answer<'_> {
        let mut places = self.lengths.places(path);
        let [long, short] = [places.pop_length(), places.pop_length()];
        let whole = self.candidate(path, path.path().len(), WHOLE, 0);
        let longer = self.candidate(path, long, BEGINNING, 1);
        // Where there is none, the same again: hashing an empty text instead takes another road.
        let other = select_unpredictable(short == 0, long, short);
        let shorter = self.candidate(path, other, BEGINNING, 2);
        let found = whole.min(longer).min(shorter);
        if found.is_nowhere() && short == 0 {
            return self.empty.and_then(|value| self.known(value)).map_or(Answer::Nothing, Answer::from);
        }
        match self.keys.value(found, path.path()).and_then(|value| self.known(value)) {
            Some(known) => known.into(),
            None => self.general_answer(path),
        }
    }

    #[inline]
    fn candidate(&self, path: &HashedPath<'_>, length: usize, sort: Sort, rank: u32) -> Found {
        let mark = mark(length, sort);
        path.beginning(length, mark).map_or(Found::NOWHERE, |(hash, _)| self.keys.candidate(hash, mark, rank))
    }

    fn general_answer(&self, path: &HashedPath<'_>) -> Answer<'_> {
        if let Some(known) = self.whole(path) {
            return known.into();
        }
        if self.has_folded {
            return Answer::Merge;
        }
        self.beginnings(path).next().map_or(Answer::Nothing, Answer::from)
    }

    /// The candidates for a request whose answer is not settled.
    pub(super) fn candidates<'i>(&'i self, path: &HashedPath<'i>, subject: &Subject<'i>) -> Candidates<'i> {
        let mut candidates = Candidates::new();
        let own = self.whole(path);
        for known in own.into_iter().chain(self.beginnings(path)) {
            match known {
                Known::Winner(position) => candidates.add_one(position),
                Known::List(positions, true) => candidates.add(List::fitting(positions)),
                Known::List(positions, false) => candidates.add(List::possible(positions)),
                Known::Unsettled(open) => {
                    open.add_to(&mut candidates, path.path(), subject);
                    continue;
                }
            }
            // Those of shorter beginnings are among them.
            break;
        }
        self.folded.walk(path.path(), |entries, rest| {
            entries.open.lists(subject, |positions| candidates.add(List::fitting(positions)));
            if rest.is_empty() {
                entries.whole.lists(subject, |positions| candidates.add(List::fitting(positions)));
            }
        });
        candidates.complete()
    }

    #[inline]
    fn whole(&self, path: &HashedPath<'_>) -> Option<Known<'_>> {
        self.get(path, path.path().len(), WHOLE)
    }

    /// What is known of the beginnings of a path, longest first.
    #[inline]
    fn beginnings<'i>(&'i self, path: &HashedPath<'_>) -> impl Iterator<Item = Known<'i>> {
        self.lengths.of(path).filter_map(|length| self.beginning(path, length))
    }

    /// What is known of the first `length` bytes of a path.
    #[inline]
    fn beginning(&self, path: &HashedPath<'_>, length: usize) -> Option<Known<'_>> {
        self.get(path, length, BEGINNING)
    }

    #[inline]
    fn get(&self, path: &HashedPath<'_>, length: usize, sort: Sort) -> Option<Known<'_>> {
        let (hash, text) = path.beginning(length, mark(length, sort))?;
        self.known(self.keys.get(hash, text, sort)?)
    }

    #[inline]
    fn known(&self, value: u32) -> Option<Known<'_>> {
        let number = value & VALUE_MASK;
        match value >> KIND_SHIFT {
            WINNER => Some(Known::Winner(number)),
            LIST => {
                let (head, rest) = self.lists.get(number as usize..)?.split_first()?;
                Some(Known::List(rest.get(..*head as usize / 2)?, head % 2 == 1))
            }
            _ => self.open.get(number as usize).map(Known::Unsettled),
        }
    }
}

impl<'i> From<Known<'i>> for Answer<'i> {
    #[inline]
    fn from(known: Known<'i>) -> Self {
        match known {
            Known::Winner(position) => Self::Winner(position),
            Known::List(positions, fits) => Self::List(positions, fits),
            Known::Unsettled(_) => Self::Merge,
        }
    }
}

impl Unsettled {
    fn add_to<'i>(&'i self, candidates: &mut Candidates<'i>, path: &'i [u8], subject: &Subject<'_>) {
        self.fitting.lists(subject, |positions| candidates.add(List::fitting(positions)));
        self.maybe.lists(subject, |positions| candidates.add(List::possible(positions)));
        if let Some(regexes) = &self.regexes {
            regexes.add_to(candidates, path);
        }
    }

    fn seal(&mut self, routes: &[Route]) {
        self.fitting.seal(routes);
        self.maybe.seal(routes);
    }
}

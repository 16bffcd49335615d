//! Many regexes that start alike. A text that every match of a regex holds tells which of them can match at all, so that a
//! path asks only those whose text it has; the others share one automaton.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use regex_syntax::hir::{Hir, HirKind};
use smallvec::SmallVec;

use super::Route;
use super::candidates::{Candidates, List};
use super::pattern::Pattern;
use super::regex_set::RegexSet;

/// Bytes of a text that is looked for.
const WIDTH: usize = 8;

/// At most this many regexes are tested for one text.
const TESTED_MAX: usize = 8;

type Window = [u8; WIDTH];

/// Positions of routes, ascending.
type Positions = SmallVec<[u32; 2]>;

/// Regexes under one literal start.
#[derive(Debug, Clone, Default)]
pub(super) struct RegexGroup {
    by_window: HashMap<Window, Positions, RandomState>,
    /// Those that no text tells apart.
    set: Option<RegexSet>,
    /// Those of which no automaton could be made.
    tested: Vec<u32>,
}

impl RegexGroup {
    /// Of routes in order.
    pub(super) fn new(members: &[(u32, &Route, &Pattern)]) -> Self {
        let windows: Vec<Vec<Window>> = members.iter().map(|(.., pattern)| windows(pattern)).collect();
        let mut count: BTreeMap<Window, usize> = BTreeMap::new();
        for window in windows.iter().flatten() {
            *count.entry(*window).or_default() += 1;
        }
        let mut group = Self::default();
        let mut many = Vec::new();
        for (member, windows) in members.iter().zip(&windows) {
            // The text that the fewest others have too.
            let best = windows.iter().filter_map(|window| Some((*count.get(window)?, window))).min();
            match best {
                Some((others, window)) if others <= TESTED_MAX => {
                    group.by_window.entry(*window).or_default().push(member.0);
                }
                _ => many.push(*member),
            }
        }
        group.set = RegexSet::new(&many);
        if group.set.is_none() {
            group.tested = many.iter().map(|(position, ..)| *position).collect();
        }
        group
    }

    /// The routes that can match a path.
    pub(super) fn add_to<'i>(&'i self, candidates: &mut Candidates<'i>, path: &'i [u8]) {
        if !self.by_window.is_empty() {
            for window in path.windows(WIDTH).filter_map(|window| Window::try_from(window).ok()) {
                if let Some(positions) = self.by_window.get(&window) {
                    candidates.add(List::possible(positions));
                }
            }
        }
        candidates.add(List::possible(&self.tested));
        if let Some(set) = &self.set {
            candidates.add_regexes(set.matches(path));
        }
    }
}

/// Texts of [`WIDTH`] bytes, each of which every match holds; without repetition.
fn windows(pattern: &Pattern) -> Vec<Window> {
    let mut found = Vec::new();
    if let Some(syntax) = pattern.full_match_syntax() {
        each_required(&syntax, &mut |text| {
            found.extend(text.windows(WIDTH).filter_map(|window| Window::try_from(window).ok()));
        });
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Visits literal texts that every match holds.
fn each_required(syntax: &Hir, visit: &mut impl FnMut(&[u8])) {
    match syntax.kind() {
        HirKind::Literal(literal) => visit(&literal.0),
        HirKind::Capture(capture) => each_required(&capture.sub, visit),
        HirKind::Concat(parts) => parts.iter().for_each(|part| each_required(part, visit)),
        HirKind::Repetition(repetition) if repetition.min > 0 => each_required(&repetition.sub, visit),
        _ => {}
    }
}

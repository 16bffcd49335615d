//! Rules that were packed together, and which of their policies no longer count.

use std::sync::Arc;

use mesh_model::diagnostic::Report;

use super::index::{Filing, RuleIndex};
use super::packed::{Asked, Found, Packed};
use super::source::{Recipe, Source};
use crate::verdict::RuleAt;

/// One packing of rules; what changes later goes to another one.
#[derive(Debug, Clone)]
pub(super) struct Run {
    packing: Arc<Packing>,
    /// Policies that were taken away or moved to a later run, ascending.
    gone: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Packing {
    packed: Packed,
    /// `None`: they are walked.
    index: Option<RuleIndex>,
    /// In order (S-080, S-083).
    sources: Vec<Source>,
}

/// A rule that matched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match<'s> {
    pub(super) rule: RuleAt<'s>,
    /// A CUSTOM rule in dry-run mode.
    pub(super) dry_run: bool,
    /// The policy that has it.
    pub(super) source: &'s Source,
}

impl Match<'_> {
    /// Whether it is named rather than a match of another run.
    pub(super) fn precedes(&self, other: &Self) -> bool {
        self.dry_run.cmp(&other.dry_run).then_with(|| self.source.in_order(other.source)).is_lt()
    }
}

impl Run {
    /// Packs all rules of policies that are in order; with an index where they are more than `walked_max`. What is wrong
    /// in a policy is added to its report.
    pub(super) fn pack(
        sources: Vec<Source>,
        recipe: &Recipe,
        walked_max: usize,
        reports: &mut [Report],
    ) -> Self {
        let written = |source: &Source| source.policy.spec.rules.len().max(1);
        let indexed = sources.iter().map(written).sum::<usize>() > walked_max;
        let mut filing = Filing::default();
        let mut packed = Packed::default();
        let mut unheard = Report::new();
        for (at, source) in sources.iter().enumerate() {
            let report = reports.get_mut(source.position).unwrap_or(&mut unheard);
            for rule in source.rules(recipe, report) {
                if let Some(place) = packed.push(at, &rule)
                    && indexed
                {
                    filing.push(place, &rule);
                }
            }
        }
        packed.finish();
        let index = if indexed { filing.index() } else { None };
        Self { packing: Arc::new(Packing { packed, index, sources }), gone: Vec::new() }
    }

    /// The first rule that matches; one in dry-run mode only where no other does.
    #[inline]
    pub(super) fn find(&self, asked: &Asked<'_>) -> Option<Match<'_>> {
        let packing = &*self.packing;
        let found = if self.gone.is_empty() {
            packing.first(asked, |_| true)
        } else {
            packing.first(asked, |found| self.gone.binary_search(&found.source).is_err())
        }?;
        let source = packing.sources.get(found.source)?;
        Some(Match { rule: source.at(found.rule), dry_run: found.dry_run, source })
    }

    /// The policies that count, in order.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        let counts = |(at, source)| self.gone.binary_search(&at).is_err().then_some(source);
        self.packing.sources.iter().enumerate().filter_map(counts)
    }

    /// How many policies count.
    pub(super) fn len(&self) -> usize {
        self.packing.sources.len() - self.gone.len()
    }

    /// Whether most of its policies are gone.
    pub(super) fn is_hollow(&self) -> bool {
        self.len() < self.gone.len()
    }

    /// A policy by namespace and name.
    pub(super) fn named(&self, name: (&str, &str)) -> Option<&Source> {
        self.position(name).and_then(|at| self.packing.sources.get(at))
    }

    fn position(&self, name: (&str, &str)) -> Option<usize> {
        let find = |allows: bool| {
            let order = |source: &Source| source.order_to(allows, name);
            self.packing.sources.binary_search_by(order).ok()
        };
        find(false).or_else(|| find(true)).filter(|at| self.gone.binary_search(at).is_err())
    }

    /// Takes a policy away. Policies that it had spared from being packed, since they ask for the same, move to `moved`.
    pub(super) fn remove(&mut self, name: (&str, &str), moved: &mut Vec<Source>) {
        let Some(at) = self.position(name) else { return };
        let packing = Arc::clone(&self.packing);
        let mut leaving = vec![at];
        while let Some(at) = leaving.pop() {
            let Err(place) = self.gone.binary_search(&at) else { continue };
            self.gone.insert(place, at);
            for other in packing.packed.spared_by(at) {
                if self.gone.binary_search(&other).is_err() && !leaving.contains(&other) {
                    moved.extend(packing.sources.get(other).map(Source::known));
                    leaving.push(other);
                }
            }
        }
    }

    /// Forgets the index: every rule is asked in turn.
    pub(super) fn drop_index(&mut self) {
        Arc::make_mut(&mut self.packing).index = None;
    }

    /// How many rules may be asked about the request.
    #[cfg(test)]
    pub(super) fn asked(&self, asked: &Asked<'_>) -> usize {
        self.packing.index.as_ref().map_or(usize::MAX, |index| index.candidates(asked).len())
    }
}

impl Packing {
    #[inline]
    fn first(&self, asked: &Asked<'_>, counts: impl Fn(&Found) -> bool) -> Option<Found> {
        match &self.index {
            Some(index) => index.first(&self.packed, asked, counts),
            None => self.packed.first(asked, counts),
        }
    }
}

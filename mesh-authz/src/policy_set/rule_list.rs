//! The rules of one action, in the order in which they are asked.

use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::trace::Observer;

use super::index::{Filing, RuleIndex};
use super::linear;
use super::packed::{Asked, Packed};
use super::source::{Recipe, Source};
use crate::verdict::{Facts, RuleAt};

/// Lists of at most this many rules are walked.
const WALKED_MAX: usize = 8;

/// Rules with an index where they are many.
#[derive(Debug, Clone, Default)]
pub(super) struct RuleList {
    packed: Packed,
    index: Option<RuleIndex>,
    /// In order (S-083).
    sources: Vec<Source>,
    /// `None`: there are no rules.
    recipe: Option<Arc<Recipe>>,
}

/// A rule that matched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match<'s> {
    pub(super) rule: RuleAt<'s>,
    /// A CUSTOM rule in dry-run mode.
    pub(super) dry_run: bool,
    /// Which of the list's policies has it.
    pub(super) source: usize,
}

impl RuleList {
    /// Puts the rules of policies in order (S-083).
    pub(super) fn new(mut sources: Vec<Source>, recipe: &Arc<Recipe>, reports: &mut [Report]) -> Self {
        sources.sort_by(Source::order);
        Self::sorted(sources, recipe, reports)
    }

    /// Rules in the order in which their policies come; what is wrong in one is added to its report.
    pub(super) fn sorted(sources: Vec<Source>, recipe: &Arc<Recipe>, reports: &mut [Report]) -> Self {
        let mut list = Self { sources, recipe: Some(Arc::clone(recipe)), ..Self::default() };
        list.index = list.pack(WALKED_MAX, reports);
        list
    }

    /// Packs all rules; with an index where they are more than `walked_max`.
    fn pack(&mut self, walked_max: usize, reports: &mut [Report]) -> Option<RuleIndex> {
        let recipe = self.recipe.as_deref()?;
        let written = |source: &Source| source.policy.spec.rules.len().max(1);
        let indexed = self.sources.iter().map(written).sum::<usize>() > walked_max;
        let mut filing = Filing::default();
        let mut packed = Packed::default();
        let mut unheard = Report::new();
        for (at, source) in self.sources.iter().enumerate() {
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
        self.packed = packed;
        indexed.then(|| filing.index())?
    }

    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }

    pub(super) fn recipe(&self) -> Option<&Recipe> {
        self.recipe.as_deref()
    }

    /// The first rule that matches; one in dry-run mode only where no other does.
    pub(super) fn find(&self, facts: &Facts<'_>) -> Option<Match<'_>> {
        let asked = Asked::new(facts);
        let found = match &self.index {
            Some(index) => index.first(&self.packed, &asked),
            None => self.packed.first(&asked),
        }?;
        let source = self.sources.get(found.source)?;
        Some(Match { rule: source.at(found.rule), dry_run: found.dry_run, source: found.source })
    }

    /// The same, told to an observer.
    ///
    /// A trace hears of every rule, so with one they are walked; the answer is the same.
    pub(super) fn first<O: Observer>(
        &self,
        action: &'static str,
        facts: &Facts<'_>,
        observer: &mut O,
    ) -> Option<Match<'_>> {
        if self.sources.is_empty() {
            return None;
        }
        if O::EXHAUSTIVE {
            return linear::first(self.sources(), self.recipe()?, action, facts, observer);
        }
        let found = self.find(facts)?;
        linear::note_won(found.rule, action, observer);
        Some(found)
    }

    /// Forgets the index: every rule is asked in turn.
    pub(super) fn drop_index(&mut self) {
        self.index = None;
    }

    /// How many rules may be asked about the request.
    #[cfg(test)]
    pub(super) fn asked(&self, facts: &Facts<'_>) -> usize {
        let asked = Asked::new(facts);
        self.index.as_ref().map_or(usize::MAX, |index| index.candidates(&asked).len())
    }

    /// Indexes however few rules there are.
    #[cfg(test)]
    pub(super) fn force_index(&mut self) {
        self.index = self.pack(0, &mut []);
    }
}

//! The rules of one action, in the order in which they are asked.
//!
//! They are packed once. What changes after that is packed apart, in a run of its own, which grows together with the
//! smaller runs before it: a change costs what it changes, and a decision asks few runs.

use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::trace::Observer;

use super::linear;
use super::packed::Asked;
pub(super) use super::run::Match;
use super::run::Run;
use super::source::{Recipe, Source};
use crate::verdict::Facts;

/// Runs of at most this many rules are walked.
const WALKED_MAX: usize = 8;

/// A run of at most so many times the policies of a new one is packed again with it.
const MERGED_MAX: usize = 8;

/// Rules with an index where they are many.
#[derive(Debug, Clone, Default)]
pub(super) struct RuleList {
    /// The first one, which is all there is before the first change, holds the most.
    runs: Vec<Run>,
    /// `None`: there are no rules.
    recipe: Option<Arc<Recipe>>,
}

impl RuleList {
    /// Puts the rules of policies in order (S-080, S-083); what is wrong in one is added to its report.
    pub(super) fn new(mut sources: Vec<Source>, recipe: &Arc<Recipe>, reports: &mut [Report]) -> Self {
        sources.sort_by(Source::in_order);
        let runs = vec![Run::pack(sources, recipe, WALKED_MAX, reports)];
        Self { runs, recipe: Some(Arc::clone(recipe)) }
    }

    /// The list without the policy of this name, and with the new one; `None`: it has none of that name, and gets none.
    pub(super) fn changed(
        &self,
        name: (&str, &str),
        new: Option<Source>,
        recipe: &Arc<Recipe>,
        reports: &mut [Report],
    ) -> Option<Self> {
        if new.is_none() && self.named(name).is_none() {
            return None;
        }
        let mut runs = self.runs.clone();
        let mut fresh: Vec<Source> = new.into_iter().collect();
        runs.iter_mut().for_each(|run| run.remove(name, &mut fresh));
        while runs.iter().any(Run::is_hollow)
            || runs.last().is_some_and(|last| last.len() <= MERGED_MAX * fresh.len())
        {
            let Some(last) = runs.pop() else { break };
            fresh.extend(last.sources().map(Source::known));
        }
        let recipe = self.recipe.as_ref().unwrap_or(recipe);
        if !fresh.is_empty() {
            fresh.sort_by(Source::in_order);
            runs.push(Run::pack(fresh, recipe, WALKED_MAX, reports));
        }
        Some(Self { runs, recipe: Some(Arc::clone(recipe)) })
    }

    /// The policies in order.
    pub(super) fn sources(&self) -> Vec<&Source> {
        let mut sources: Vec<&Source> = self.runs.iter().flat_map(Run::sources).collect();
        if self.runs.len() > 1 {
            sources.sort_by(|one, other| one.in_order(other));
        }
        sources
    }

    /// A policy by namespace and name.
    pub(super) fn named(&self, name: (&str, &str)) -> Option<&Source> {
        self.runs.iter().find_map(|run| run.named(name))
    }

    /// Whether it has no policy.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.iter().all(|run| run.len() == 0)
    }

    pub(super) fn recipe(&self) -> Option<&Recipe> {
        self.recipe.as_deref()
    }

    /// The first rule that matches; one in dry-run mode only where no other does.
    #[inline]
    pub(super) fn find(&self, facts: &Facts<'_>) -> Option<Match<'_>> {
        let (first, others) = self.runs.split_first()?;
        let asked = Asked::new(facts);
        let mut best = first.find(&asked);
        for run in others {
            if let Some(found) = run.find(&asked)
                && best.is_none_or(|best| found.precedes(&best))
            {
                best = Some(found);
            }
        }
        best
    }

    /// The same, told to an observer.
    ///
    /// A trace hears of every rule, so with one they are walked; the answer is the same.
    #[inline]
    pub(super) fn first<O: Observer>(
        &self,
        action: &'static str,
        facts: &Facts<'_>,
        observer: &mut O,
    ) -> Option<Match<'_>> {
        if self.runs.is_empty() {
            return None;
        }
        if O::EXHAUSTIVE {
            return linear::first(&self.sources(), self.recipe()?, action, facts, observer);
        }
        let found = self.find(facts)?;
        linear::note_won(found.rule, action, observer);
        Some(found)
    }

    /// Forgets the index: every rule is asked in turn.
    pub(super) fn drop_index(&mut self) {
        self.runs.iter_mut().for_each(Run::drop_index);
    }

    /// How many rules may be asked about the request.
    #[cfg(test)]
    pub(super) fn asked(&self, facts: &Facts<'_>) -> usize {
        let asked = Asked::new(facts);
        self.runs.iter().map(|run| run.asked(&asked)).sum()
    }

    /// Indexes however few rules there are.
    #[cfg(test)]
    pub(super) fn force_index(&mut self) {
        let Some(recipe) = self.recipe.clone() else { return };
        for run in &mut self.runs {
            let sources = run.sources().map(Source::known).collect();
            *run = Run::pack(sources, &recipe, 0, &mut []);
        }
    }

    /// In how many runs its rules are.
    #[cfg(test)]
    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }
}

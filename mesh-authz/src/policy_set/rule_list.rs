//! The rules of one action, in the order in which they are asked.

use mesh_model::trace::Observer;

use super::index::RuleIndex;
use super::linear;
use super::rule::Rule;
use crate::verdict::Facts;

/// Rules with an index where they are many.
#[derive(Debug, Clone, Default)]
pub(super) struct RuleList {
    rules: Vec<Rule>,
    index: Option<RuleIndex>,
}

impl RuleList {
    /// Puts rules in order (S-083).
    pub(super) fn new(mut rules: Vec<Rule>) -> Self {
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        Self { index: RuleIndex::new(&rules), rules }
    }

    /// All rules, in order.
    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The first rule that matches; one in dry-run mode only where no other does.
    ///
    /// A trace hears of every rule, so with one they are walked; the answer is the same.
    pub(super) fn first<O: Observer>(
        &self,
        action: &'static str,
        facts: &Facts<'_>,
        observer: &mut O,
    ) -> Option<&Rule> {
        match &self.index {
            Some(index) if !O::EXHAUSTIVE => {
                let found = index.first(&self.rules, facts);
                if let Some(rule) = found {
                    linear::note(rule, action, None, facts, observer);
                }
                found
            }
            _ => linear::first(&self.rules, action, facts, observer),
        }
    }

    /// How many rules may be asked about the request.
    #[cfg(test)]
    pub(super) fn asked(&self, facts: &Facts<'_>) -> usize {
        self.index.as_ref().map_or(self.rules.len(), |index| index.candidates(facts).len())
    }

    /// Indexes however few rules there are.
    #[cfg(test)]
    pub(super) fn force_index(&mut self) {
        self.index = Some(RuleIndex::of(&self.rules));
    }
}

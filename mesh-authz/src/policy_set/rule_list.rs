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
        Self::sorted(rules)
    }

    /// Rules in the order in which they come.
    pub(super) fn sorted(rules: Vec<Rule>) -> Self {
        Self { index: RuleIndex::new(&rules), rules }
    }

    /// All rules, in order.
    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The first rule that matches, with its position; one in dry-run mode only where no other does.
    pub(super) fn find(&self, facts: &Facts<'_>) -> Option<(usize, &Rule)> {
        match &self.index {
            Some(index) => index.first(&self.rules, facts),
            None => {
                let mut matching = self.rules.iter().enumerate().filter(|(_, rule)| rule.matches(facts));
                let first = matching.next()?;
                if first.1.dry_run {
                    matching.find(|(_, rule)| !rule.dry_run).or(Some(first))
                } else {
                    Some(first)
                }
            }
        }
    }

    /// The same, told to an observer.
    ///
    /// A trace hears of every rule, so with one they are walked; the answer is the same.
    pub(super) fn first<O: Observer>(
        &self,
        action: &'static str,
        facts: &Facts<'_>,
        observer: &mut O,
    ) -> Option<&Rule> {
        if O::EXHAUSTIVE {
            return linear::first(&self.rules, action, facts, observer);
        }
        let (_, rule) = self.find(facts)?;
        linear::note(rule, action, None, facts, observer);
        Some(rule)
    }

    /// Forgets the index: every rule is asked in turn.
    pub(super) fn drop_index(&mut self) {
        self.index = None;
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

//! DENY and ALLOW rules in one list, DENY first: the first rule that matches is the one that decides (S-080).
//!
//! One list needs one look-up in one index, whatever the actions are.

use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use super::linear;
use super::rule_list::RuleList;
use super::source::{Recipe, Source};
use crate::verdict::{Facts, Lack, NearMiss, RuleAt};

/// The enforced rules of both actions.
#[derive(Debug, Clone, Default)]
pub(super) struct Enforced {
    rules: RuleList,
    /// How many ALLOW policies there are, with or without rules (S-082).
    allows: usize,
}

impl Enforced {
    /// From DENY and ALLOW policies.
    pub(super) fn new(sources: Vec<Source>, recipe: &Arc<Recipe>, reports: &mut [Report]) -> Self {
        if sources.is_empty() {
            return Self::default();
        }
        let allows = sources.iter().filter(|source| source.allows()).count();
        Self { rules: RuleList::new(sources, recipe, reports), allows }
    }

    /// Without the policy of this namespace and name, and with the new one.
    pub(super) fn changed(
        &self,
        name: (&str, &str),
        new: Option<Source>,
        recipe: &Arc<Recipe>,
        reports: &mut [Report],
    ) -> Self {
        let known = self.rules.named(name).is_some_and(Source::allows);
        let more = new.as_ref().is_some_and(Source::allows);
        let allows = self.allows + usize::from(more) - usize::from(known);
        let rules = self.rules.changed(name, new, recipe, reports);
        Self { rules: rules.unwrap_or_else(|| self.rules.clone()), allows }
    }

    pub(super) fn list(&mut self) -> &mut RuleList {
        &mut self.rules
    }

    /// Whether an ALLOW policy is there at all.
    fn has_allow(&self) -> bool {
        self.allows > 0
    }

    pub(super) fn rules(&self) -> &RuleList {
        &self.rules
    }

    pub(super) fn denying(&self) -> Vec<&Source> {
        self.rules.sources().into_iter().filter(|source| !source.allows()).collect()
    }

    pub(super) fn allowing(&self) -> Vec<&Source> {
        self.rules.sources().into_iter().filter(|source| source.allows()).collect()
    }

    /// Whether it may pass, and the rule that decided. Denied without a rule: no ALLOW rule matched.
    pub(super) fn decide<'s, O: Observer>(
        &'s self,
        facts: &Facts<'_>,
        observer: &mut O,
    ) -> (bool, Option<RuleAt<'s>>) {
        if O::EXHAUSTIVE {
            return self.explain(facts, observer);
        }
        let Some(found) = self.rules.find(facts) else { return (!self.has_allow(), None) };
        let allowed = found.source.allows();
        linear::note_won(found.rule, if allowed { "ALLOW" } else { "DENY" }, observer);
        (allowed, Some(found.rule))
    }

    /// The same with every rule walked, which is what an exhaustive observer hears.
    fn explain<'s, O: Observer>(&'s self, facts: &Facts<'_>, observer: &mut O) -> (bool, Option<RuleAt<'s>>) {
        let Some(recipe) = self.rules.recipe() else { return (!self.has_allow(), None) };
        if let Some(denied) = linear::first(&self.denying(), recipe, "DENY", facts, observer) {
            linear::not_asked(&self.allowing(), Some(recipe), "ALLOW", observer);
            return (false, Some(denied.rule));
        }
        let allowed = linear::first(&self.allowing(), recipe, "ALLOW", facts, observer);
        if allowed.is_none() && self.has_allow() {
            self.note_nearest(facts, observer);
        }
        (allowed.is_some() || !self.has_allow(), allowed.map(|found| found.rule))
    }

    /// The ALLOW rule that lacks the fewest fields, the first of several (S-083); `None`: one allows, or none can.
    pub(super) fn nearest(&self, facts: &Facts<'_>) -> Option<NearMiss> {
        let recipe = self.rules.recipe()?;
        let mut nearest: Option<(RuleAt<'_>, Vec<Lack>)> = None;
        for source in self.allowing() {
            for rule in source.rules(recipe, &mut Report::new()) {
                let Some(lacks) = rule.lacks(facts) else { continue };
                if nearest.as_ref().is_some_and(|(_, least)| least.len() <= lacks.len()) {
                    continue;
                }
                let told = lacks.into_iter().map(|field| Lack {
                    field: field.name.into(),
                    wanted: field.wanted().into(),
                    got: field.attribute.value_of(facts),
                });
                nearest = Some((source.at(rule.index), told.collect()));
            }
        }
        let (rule, lacks) = nearest?;
        (!lacks.is_empty()).then(|| NearMiss { rule: Arc::new(rule.to_owned()), lacks })
    }

    /// A step for each field that the nearest ALLOW rule lacked.
    fn note_nearest<O: Observer>(&self, facts: &Facts<'_>, observer: &mut O) {
        let Some(NearMiss { rule, lacks }) = self.nearest(facts) else { return };
        let at = rule.rule.map_or_else(String::new, |index| format!(" rules[{index}]"));
        let label = format!("nearest ALLOW: {}{at}", rule.policy);
        for Lack { field, wanted, got } in &lacks {
            observer.note(|| {
                Step::new(Stage::Authorize, Outcome::Lost, &*label)
                    .because(Because::new(&**field, &**wanted, &**got))
                    .origin(&rule.origin)
            });
        }
    }
}

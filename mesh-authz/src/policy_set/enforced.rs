//! DENY and ALLOW rules in one list, DENY first: the first rule that matches is the one that decides (S-080).
//!
//! One list needs one look-up in one index, whatever the actions are.

use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use super::linear;
use super::rule::Rule;
use super::rule_list::RuleList;
use crate::verdict::{Facts, Lack, NearMiss};

/// The enforced rules of both actions.
#[derive(Debug, Clone, Default)]
pub(super) struct Enforced {
    rules: RuleList,
    /// How many of them deny.
    denies: usize,
    /// Whether an ALLOW policy is there at all, with or without rules (S-082).
    has_allow: bool,
}

impl Enforced {
    /// `allow`: `None`: there is no enforced ALLOW policy.
    pub(super) fn new(mut deny: Vec<Rule>, allow: Option<Vec<Rule>>) -> Self {
        let has_allow = allow.is_some();
        let mut allow = allow.unwrap_or_default();
        deny.sort_by(|a, b| a.id.cmp(&b.id));
        allow.sort_by(|a, b| a.id.cmp(&b.id));
        let denies = deny.len();
        deny.extend(allow);
        Self { rules: RuleList::sorted(deny), denies, has_allow }
    }

    pub(super) fn list(&mut self) -> &mut RuleList {
        &mut self.rules
    }

    #[cfg(test)]
    pub(super) fn rules(&self) -> &RuleList {
        &self.rules
    }

    pub(super) fn denying(&self) -> &[Rule] {
        self.rules.rules().get(..self.denies).unwrap_or_default()
    }

    pub(super) fn allowing(&self) -> &[Rule] {
        self.rules.rules().get(self.denies..).unwrap_or_default()
    }

    /// Whether it may pass, and the rule that decided. Denied without a rule: no ALLOW rule matched.
    pub(super) fn decide<O: Observer>(&self, facts: &Facts<'_>, observer: &mut O) -> (bool, Option<&Rule>) {
        if O::EXHAUSTIVE {
            return self.explain(facts, observer);
        }
        let Some((at, rule)) = self.rules.find(facts) else { return (!self.has_allow, None) };
        let allowed = at >= self.denies;
        linear::note(rule, if allowed { "ALLOW" } else { "DENY" }, None, facts, observer);
        (allowed, Some(rule))
    }

    /// The same with every rule walked, which is what an exhaustive observer hears.
    fn explain<O: Observer>(&self, facts: &Facts<'_>, observer: &mut O) -> (bool, Option<&Rule>) {
        if let Some(rule) = linear::first(self.denying(), "DENY", facts, observer) {
            linear::not_asked(self.allowing(), "ALLOW", observer);
            return (false, Some(rule));
        }
        let allowed = linear::first(self.allowing(), "ALLOW", facts, observer);
        if allowed.is_none() && self.has_allow {
            self.note_nearest(facts, observer);
        }
        (allowed.is_some() || !self.has_allow, allowed)
    }

    /// The ALLOW rule that lacks the fewest fields, the first of several (S-083); `None`: one allows, or none can.
    pub(super) fn nearest(&self, facts: &Facts<'_>) -> Option<NearMiss> {
        let candidates = self.allowing().iter().filter_map(|rule| Some((rule, rule.lacks(facts)?)));
        let (rule, lacks) = candidates.min_by_key(|(_, lacks)| lacks.len())?;
        let lacks: Vec<Lack> = lacks
            .into_iter()
            .map(|field| Lack {
                field: field.name.clone(),
                wanted: field.wanted.clone(),
                got: field.attribute.value_of(facts),
            })
            .collect();
        (!lacks.is_empty()).then(|| NearMiss { rule: rule.reference.clone(), lacks })
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

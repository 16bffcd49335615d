//! Under which of its keys a rule is filed.

use std::collections::HashMap;

use super::fingerprint::of_key;
use super::key::{self, Key};
use super::{Condition, Hashed, Rule};
use crate::policy_set::rule::Field;

/// How many rules have a key: what finding it costs.
type Shared = HashMap<u64, usize, Hashed>;

/// The keys of each rule: one of them is found in every request that the rule matches. Empty: it never matches.
/// `None`: it has no value that a request must have.
pub(super) fn keys(rules: &[Rule]) -> impl Iterator<Item = Option<Vec<Key>>> {
    let mut shared = Shared::default();
    for key in rules.iter().flat_map(fields).flat_map(|field| field_keys(field).flatten()).flatten() {
        *shared.entry(of_key(&key)).or_default() += 1;
    }
    rules.iter().map(move |rule| best_of_rule(rule, &shared).map(|choice| choice.keys))
}

fn fields(rule: &Rule) -> impl Iterator<Item = &Field> {
    let (from, to, when): (&[_], &[_], &[_]) = match &rule.condition {
        Condition::Never(_) => (&[], &[], &[]),
        Condition::When { from, to, when } => (from, to, when),
    };
    from.iter().chain(to).flatten().chain(when)
}

/// The keys of each value of a field.
fn field_keys(field: &Field) -> impl Iterator<Item = Option<Vec<Key>>> {
    field.any.iter().map(|pattern| key::of(&field.attribute, pattern))
}

/// Keys one of which must be found, and what that costs.
#[derive(Default)]
struct Choice {
    cost: usize,
    keys: Vec<Key>,
}

/// The cheapest of the sources, the operations, and each condition: a request must have all of these.
fn best_of_rule(rule: &Rule, shared: &Shared) -> Option<Choice> {
    match &rule.condition {
        Condition::Never(_) => Some(Choice::default()),
        Condition::When { from, to, when } => {
            let conditions = when.iter().map(|field| of_field(field, shared));
            let choices = [of_alternatives(from, shared), of_alternatives(to, shared)];
            choices.into_iter().chain(conditions).flatten().min_by_key(|choice| choice.cost)
        }
    }
}

/// The keys of all alternatives together; `None`: one of them has none, or there are no alternatives.
fn of_alternatives(alternatives: &[Vec<Field>], shared: &Shared) -> Option<Choice> {
    if alternatives.is_empty() {
        return None;
    }
    let mut all = Choice::default();
    for fields in alternatives {
        let choices = fields.iter().filter_map(|field| of_field(field, shared));
        let best = choices.min_by_key(|choice| choice.cost)?;
        all.cost = all.cost.saturating_add(best.cost);
        all.keys.extend(best.keys);
    }
    Some(all)
}

/// The keys of all values together, the least shared of each; `None`: one of them has none, or there are no values.
fn of_field(field: &Field, shared: &Shared) -> Option<Choice> {
    if field.any.is_empty() {
        return None;
    }
    let cost = |key: &Key| shared.get(&of_key(key)).copied().unwrap_or(usize::MAX);
    let mut all = Choice::default();
    for keys in field_keys(field).flatten() {
        let best = keys.into_iter().min_by_key(cost)?;
        all.cost = all.cost.saturating_add(cost(&best));
        all.keys.push(best);
    }
    Some(all)
}

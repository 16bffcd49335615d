//! Which rules ask for what an earlier one asks for: they match when that one does, and only the first is ever named.

use std::collections::HashSet;

use super::{Condition, Hashed, Rule};
use crate::policy_set::attribute::{Attribute, Pattern};
use crate::policy_set::rule::Field;

/// A field without the words that explain it.
type Asked<'r> = (&'r Attribute, &'r [Pattern], &'r [Pattern]);

/// A rule's alternatives and conditions.
type Whole<'r> = (bool, [Vec<Vec<Asked<'r>>>; 2], Vec<Asked<'r>>);

/// For each rule whether no earlier one asks for the same.
pub(super) fn distinct(rules: &[Rule]) -> impl Iterator<Item = bool> {
    let mut seen: HashSet<Whole<'_>, Hashed> = HashSet::default();
    rules.iter().map(move |rule| match &rule.condition {
        Condition::Never(_) => false,
        Condition::When { from, to, when } => {
            seen.insert((rule.dry_run, [entries(from), entries(to)], asked(when)))
        }
    })
}

fn entries(alternatives: &[Vec<Field>]) -> Vec<Vec<Asked<'_>>> {
    alternatives.iter().map(|fields| asked(fields)).collect()
}

fn asked(fields: &[Field]) -> Vec<Asked<'_>> {
    fields.iter().map(|field| (&field.attribute, &*field.any, &*field.none)).collect()
}

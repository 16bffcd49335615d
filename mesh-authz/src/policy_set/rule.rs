//! A rule that can be read and told about: alternatives of conjunctions (S-113 to S-117).
//!
//! Decisions go through the `packed` form of it; a trace, and the tests that compare, go through this one.

use std::borrow::Cow;

use super::attribute::{Attribute, Pattern};
use crate::verdict::Facts;

/// One rule of a policy, or a policy that has none.
#[derive(Debug, Clone)]
pub(super) struct Rule<'p> {
    /// Position in `rules`; `None`: the policy as a whole.
    pub(super) index: Option<usize>,
    /// A CUSTOM rule in dry-run mode: it counts only where no other rule of its provider matches.
    pub(super) dry_run: bool,
    /// When it matches.
    pub(super) condition: Condition<'p>,
}

/// When a rule matches.
#[derive(Debug, Clone)]
pub(super) enum Condition<'p> {
    /// Never, and why: a policy without rules, a rule that cannot be used on this chain.
    Never(Cow<'static, str>),
    /// Some source, some operation, and all conditions.
    When {
        /// Any; none: any source.
        from: Vec<Vec<Field<'p>>>,
        /// Any; none: any operation.
        to: Vec<Vec<Field<'p>>>,
        /// All.
        when: Vec<Field<'p>>,
    },
}

/// One field with its values and its `not` values.
#[derive(Debug, Clone)]
pub(super) struct Field<'p> {
    /// What is looked at.
    pub(super) attribute: Attribute,
    /// The field's name in the API.
    pub(super) name: &'p str,
    /// The values as written, for explanations.
    pub(super) values: &'p [String],
    /// The `not` values as written.
    pub(super) not_values: &'p [String],
    /// One must fit; empty: not asked for.
    pub(super) any: Vec<Pattern>,
    /// None may fit.
    pub(super) none: Vec<Pattern>,
}

/// The first thing that kept a rule from matching.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mismatch<'r> {
    Never(&'r str),
    Field(&'r Field<'r>),
}

impl<'p> Rule<'p> {
    /// What would have to be otherwise for it to match: the fields that fail in the nearest source, in the nearest
    /// operation, and in the conditions. `None`: it never matches.
    pub(super) fn lacks(&self, facts: &Facts<'_>) -> Option<Vec<&Field<'p>>> {
        match &self.condition {
            Condition::Never(_) => None,
            Condition::When { from, to, when } => {
                let mut lacks = failing_in_nearest(from, facts);
                lacks.extend(failing_in_nearest(to, facts));
                lacks.extend(failing(when, facts));
                Some(lacks)
            }
        }
    }

    /// Why it does not match; `None`: it does.
    pub(super) fn mismatch(&self, facts: &Facts<'_>) -> Option<Mismatch<'_>> {
        match &self.condition {
            Condition::Never(why) => Some(Mismatch::Never(why)),
            Condition::When { from, to, when } => any_of(from, facts)
                .or_else(|| any_of(to, facts))
                .or_else(|| all_of(when, facts))
                .map(Mismatch::Field),
        }
    }
}

impl Field<'_> {
    /// The values as written, for explanations.
    pub(super) fn wanted(&self) -> String {
        match (self.values, self.not_values) {
            (values, []) => values.join(", "),
            ([], not_values) => format!("none of {}", not_values.join(", ")),
            (values, not_values) => format!("{}, and none of {}", values.join(", "), not_values.join(", ")),
        }
    }

    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        let fits = |pattern: &Pattern| self.attribute.fits(pattern, facts);
        (self.any.is_empty() || self.any.iter().any(fits)) && !self.none.iter().any(fits)
    }
}

fn failing<'r, 'p>(fields: &'r [Field<'p>], facts: &Facts<'_>) -> Vec<&'r Field<'p>> {
    fields.iter().filter(|field| !field.holds(facts)).collect()
}

/// What fails in the alternative where the least does.
fn failing_in_nearest<'r, 'p>(alternatives: &'r [Vec<Field<'p>>], facts: &Facts<'_>) -> Vec<&'r Field<'p>> {
    let failing = alternatives.iter().map(|fields| failing(fields, facts));
    failing.min_by_key(Vec::len).unwrap_or_default()
}

/// The first field that does not hold.
fn all_of<'r, 'p>(fields: &'r [Field<'p>], facts: &Facts<'_>) -> Option<&'r Field<'p>> {
    fields.iter().find(|field| !field.holds(facts))
}

/// The field that failed in the first alternative, where every alternative fails.
fn any_of<'r, 'p>(alternatives: &'r [Vec<Field<'p>>], facts: &Facts<'_>) -> Option<&'r Field<'p>> {
    let mut first = None;
    for alternative in alternatives {
        let failed = all_of(alternative, facts)?;
        first = first.or(Some(failed));
    }
    first
}

//! A compiled rule: alternatives of conjunctions (S-113 to S-117).

use std::sync::Arc;

use super::attribute::{Attribute, Pattern};
use crate::verdict::{Facts, RuleRef};

/// One rule of a policy, or a policy that has none.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// Envoy's name of it; rules are asked, and reported, in this order (S-083).
    pub(super) id: String,
    /// What the verdict says when it decides.
    pub(super) reference: Arc<RuleRef>,
    /// A CUSTOM rule in dry-run mode: it counts only where no other rule of its provider matches.
    pub(super) dry_run: bool,
    /// When it matches.
    pub(super) condition: Condition,
}

/// When a rule matches.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// Never, and why: a policy without rules, a rule that cannot be used on this chain.
    Never(Arc<str>),
    /// Some source, some operation, and all conditions.
    When {
        /// Any; none: any source.
        from: Vec<Vec<Field>>,
        /// Any; none: any operation.
        to: Vec<Vec<Field>>,
        /// All.
        when: Vec<Field>,
    },
}

/// One field with its values and its `not` values.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// What is looked at.
    pub(super) attribute: Attribute,
    /// The field's name in the API.
    pub(super) name: Arc<str>,
    /// The values as written, for explanations.
    pub(super) wanted: Arc<str>,
    /// One must fit; empty: not asked for.
    pub(super) any: Vec<Pattern>,
    /// None may fit.
    pub(super) none: Vec<Pattern>,
}

/// The first thing that kept a rule from matching.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mismatch<'r> {
    Never(&'r str),
    Field(&'r Field),
}

impl Rule {
    /// Whether it does.
    pub(super) fn matches(&self, facts: &Facts<'_>) -> bool {
        let all = |fields: &[Field]| fields.iter().all(|field| field.holds(facts));
        let any = |entries: &[Vec<Field>]| entries.is_empty() || entries.iter().any(|fields| all(fields));
        match &self.condition {
            Condition::Never(_) => false,
            Condition::When { from, to, when } => any(from) && any(to) && all(when),
        }
    }

    /// What would have to be otherwise for it to match: the fields that fail in the nearest source, in the nearest
    /// operation, and in the conditions. `None`: it never matches.
    pub(super) fn lacks(&self, facts: &Facts<'_>) -> Option<Vec<&Field>> {
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

impl Field {
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        let fits = |pattern: &Pattern| self.attribute.fits(pattern, facts);
        (self.any.is_empty() || self.any.iter().any(fits)) && !self.none.iter().any(fits)
    }
}

fn failing<'r>(fields: &'r [Field], facts: &Facts<'_>) -> Vec<&'r Field> {
    fields.iter().filter(|field| !field.holds(facts)).collect()
}

/// What fails in the alternative where the least does.
fn failing_in_nearest<'r>(alternatives: &'r [Vec<Field>], facts: &Facts<'_>) -> Vec<&'r Field> {
    let failing = alternatives.iter().map(|fields| failing(fields, facts));
    failing.min_by_key(Vec::len).unwrap_or_default()
}

/// The first field that does not hold.
fn all_of<'r>(fields: &'r [Field], facts: &Facts<'_>) -> Option<&'r Field> {
    fields.iter().find(|field| !field.holds(facts))
}

/// The field that failed in the first alternative, where every alternative fails.
fn any_of<'r>(alternatives: &'r [Vec<Field>], facts: &Facts<'_>) -> Option<&'r Field> {
    let mut first = None;
    for alternative in alternatives {
        let failed = all_of(alternative, facts)?;
        first = first.or(Some(failed));
    }
    first
}

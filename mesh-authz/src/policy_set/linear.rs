//! Every rule in turn, in the order of their names: what a trace hears, and the oracle for the index.

use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use super::rule::{Mismatch, Rule};
use crate::verdict::Facts;

/// The first rule that matches; one in dry-run mode only where no other does.
pub(super) fn first<'s, O: Observer>(
    rules: &'s [Rule],
    action: &'static str,
    facts: &Facts<'_>,
    observer: &mut O,
) -> Option<&'s Rule> {
    let mut found: Option<&Rule> = None;
    let mut remaining = rules.iter();
    for rule in remaining.by_ref() {
        let mismatch = rule.mismatch(facts);
        note(rule, action, mismatch, facts, observer);
        if mismatch.is_some() || (found.is_some() && rule.dry_run) {
            continue;
        }
        found = Some(rule);
        if !rule.dry_run {
            break;
        }
    }
    if O::EXHAUSTIVE {
        not_asked(remaining, action, observer);
    }
    found
}

/// Tells of rules that can no longer win.
pub(super) fn not_asked<'s, O: Observer>(
    rules: impl IntoIterator<Item = &'s Rule>,
    action: &'static str,
    observer: &mut O,
) {
    for rule in rules {
        observer.note(|| {
            Step::new(Stage::Authorize, Outcome::NotAsked, label(action, rule)).origin(&rule.reference.origin)
        });
    }
}

/// Tells of a rule that was asked.
pub(super) fn note<O: Observer>(
    rule: &Rule,
    action: &'static str,
    mismatch: Option<Mismatch<'_>>,
    facts: &Facts<'_>,
    observer: &mut O,
) {
    observer.note(|| {
        let outcome = if mismatch.is_some() { Outcome::Lost } else { Outcome::Won };
        let step = Step::new(Stage::Authorize, outcome, label(action, rule)).origin(&rule.reference.origin);
        match mismatch {
            None => step,
            Some(Mismatch::Never(why)) => step.because(Because::new("rule", "a rule that can match", why)),
            Some(Mismatch::Field(field)) => {
                step.because(Because::new(&*field.name, &*field.wanted, field.attribute.value_of(facts)))
            }
        }
    });
}

/// `DENY shop/orders rules[0]`
pub(super) fn label(action: &str, rule: &Rule) -> String {
    match rule.reference.rule {
        Some(index) => format!("{action} {} rules[{index}]", rule.reference.policy),
        None => format!("{action} {}", rule.reference.policy),
    }
}

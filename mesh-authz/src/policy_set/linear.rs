//! Every rule in turn, in the order of their names: what a trace hears, and the oracle for packed rules and their index.

use std::borrow::Cow;

use mesh_model::diagnostic::Report;
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use super::rule::Mismatch;
use super::rule_list::Match;
use super::source::{Recipe, Source};
use crate::verdict::{Facts, RuleAt};

/// The first rule that matches; one in dry-run mode only where no other does.
pub(super) fn first<'s, O: Observer>(
    sources: &[&'s Source],
    recipe: &'s Recipe,
    action: &'static str,
    facts: &Facts<'_>,
    observer: &mut O,
) -> Option<Match<'s>> {
    let mut found: Option<Match<'s>> = None;
    for source in sources.iter().copied() {
        for rule in source.rules(recipe, &mut Report::new()) {
            let at = source.at(rule.index);
            if found.is_some_and(|found| !found.dry_run) {
                note_not_asked(at, action, observer);
                continue;
            }
            let mismatch = rule.mismatch(facts);
            note(at, action, mismatch, facts, observer);
            if mismatch.is_none() && !(found.is_some() && rule.dry_run) {
                found = Some(Match { rule: at, dry_run: rule.dry_run, source });
            }
        }
    }
    found
}

/// Tells of rules that can no longer win.
pub(super) fn not_asked<O: Observer>(
    sources: &[&Source],
    recipe: Option<&Recipe>,
    action: &'static str,
    observer: &mut O,
) {
    let Some(recipe) = recipe else { return };
    for source in sources {
        for rule in source.rules(recipe, &mut Report::new()) {
            note_not_asked(source.at(rule.index), action, observer);
        }
    }
}

fn note_not_asked<O: Observer>(rule: RuleAt<'_>, action: &'static str, observer: &mut O) {
    observer.note(|| step(Outcome::NotAsked, action, rule));
}

/// Tells of the rule that decided.
pub(super) fn note_won<O: Observer>(rule: RuleAt<'_>, action: &'static str, observer: &mut O) {
    observer.note(|| step(Outcome::Won, action, rule));
}

/// Tells of a rule that was asked.
fn note<O: Observer>(
    rule: RuleAt<'_>,
    action: &'static str,
    mismatch: Option<Mismatch<'_>>,
    facts: &Facts<'_>,
    observer: &mut O,
) {
    let Some(mismatch) = mismatch else { return note_won(rule, action, observer) };
    observer.note(|| {
        let because = match mismatch {
            Mismatch::Never(why) => Because::new("rule", "a rule that can match", why),
            Mismatch::Field(field) => {
                Because::new(field.name, field.wanted(), field.attribute.value_of(facts))
            }
        };
        step(Outcome::Lost, action, rule).because(because)
    });
}

/// What became of a rule.
pub(super) fn step<'e>(outcome: Outcome, action: &str, rule: RuleAt<'_>) -> Step<'e> {
    let origin = Some(Cow::Owned(rule.origin()));
    Step { origin, ..Step::new(Stage::Authorize, outcome, label(action, rule)) }
}

/// `DENY shop/orders rules[0]`
fn label(action: &str, rule: RuleAt<'_>) -> String {
    match rule.rule() {
        _ if rule.is_refused() => format!("{action} {} (refused, no good version)", rule.policy()),
        Some(index) => format!("{action} {} rules[{index}]", rule.policy()),
        None => format!("{action} {}", rule.policy()),
    }
}

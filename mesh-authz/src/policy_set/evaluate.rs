//! The order of actions: CUSTOM, AUDIT, DENY, ALLOW (S-080).

use mesh_model::trace::{Because, Observer, Outcome};

use super::rule_list::Match;
use super::{Answer, External, PolicySet, linear};
use crate::verdict::{ExternalAuthz, Facts, RuleAt, Verdict};

/// Steps 2 to 4 of the decision: AUDIT, DENY, ALLOW.
pub(super) fn enforce<'s, O: Observer>(
    set: &'s PolicySet,
    facts: &Facts<'_>,
    observer: &mut O,
) -> Verdict<'s> {
    let (audited, dry_run) =
        if set.is_only_enforced() { (Vec::new(), Vec::new()) } else { unenforced(set, facts, observer) };
    let (allowed, decided_by) = set.enforced.decide(facts, observer);
    Verdict { allowed, decided_by, external: Vec::new(), dry_run, audited }
}

/// The AUDIT rule that matches, and those in dry-run mode.
#[inline(never)]
fn unenforced<'s, O: Observer>(
    set: &'s PolicySet,
    facts: &Facts<'_>,
    observer: &mut O,
) -> (Vec<RuleAt<'s>>, Vec<RuleAt<'s>>) {
    let reference = |found: Match<'s>| found.rule;
    let mut dry_run = Vec::new();
    let audited = set.audit.first("AUDIT", facts, observer).map(reference);
    dry_run.extend(set.dry_run_deny.first("DENY (dry run)", facts, observer).map(reference));
    if let Some(allow) = &set.dry_run_allow {
        dry_run.extend(allow.first("ALLOW (dry run)", facts, observer).map(reference));
    }
    (audited.into_iter().collect(), dry_run)
}

/// Step 1: which external authorizers are to be asked, and the rule that refuses where one cannot be
/// (S-104 to S-108).
pub(super) fn ask<'s, O: Observer>(
    externals: &'s [External],
    facts: &Facts<'_>,
    observer: &mut O,
) -> (Vec<ExternalAuthz>, Option<RuleAt<'s>>) {
    let mut asked = Vec::new();
    let mut remaining = externals.iter();
    for External { provider, answer, rules } in remaining.by_ref() {
        let Some(Match { rule, dry_run, .. }) = rules.first("CUSTOM", facts, observer) else { continue };
        match answer {
            Answer::Ask(authorizer) => asked.push(ExternalAuthz {
                authorizer: authorizer.clone(),
                provider: provider.clone(),
                policy: rule.name.clone(),
                dry_run,
            }),
            Answer::Skip => {}
            // A policy in dry-run mode has no say, not even through its missing authorizer.
            Answer::Refuse(_) if dry_run => {}
            Answer::Refuse(why) => {
                observer.note(|| {
                    linear::step(Outcome::Won, "CUSTOM", rule).because(Because::new(
                        "provider",
                        "an external authorizer to ask",
                        &**why,
                    ))
                });
                if O::EXHAUSTIVE {
                    for external in remaining {
                        let rules = &external.rules;
                        linear::not_asked(&rules.sources(), rules.recipe(), "CUSTOM", observer);
                    }
                }
                return (asked, Some(rule));
            }
        }
    }
    (asked, None)
}

//! The evaluator: every rule in turn, in the order of their names. It is the oracle for whatever is faster.

use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use super::rule::{Mismatch, Rule};
use super::{Answer, External, PolicySet};
use crate::verdict::{ExternalAuthz, Facts, RuleRef, Verdict};

/// Steps 2 to 4 of the decision: AUDIT, DENY, ALLOW (S-080).
pub(super) fn enforce<O: Observer>(set: &PolicySet, facts: &Facts<'_>, observer: &mut O) -> Verdict {
    let mut verdict = Verdict {
        allowed: true,
        decided_by: None,
        external: Vec::new(),
        dry_run: Vec::new(),
        audited: Vec::new(),
    };
    verdict.audited.extend(first(&set.audit, "AUDIT", facts, observer).cloned());
    verdict.dry_run.extend(first(&set.dry_run_deny, "DENY (dry run)", facts, observer).cloned());
    let denied = first(&set.deny, "DENY", facts, observer);
    if let Some(allow) = &set.dry_run_allow {
        verdict.dry_run.extend(first(allow, "ALLOW (dry run)", facts, observer).cloned());
    }
    let Some(allow) = &set.allow else {
        // S-082: without an enforced ALLOW policy, what is not denied is allowed.
        verdict.allowed = denied.is_none();
        verdict.decided_by = denied.cloned();
        return verdict;
    };
    if let Some(rule) = denied {
        if O::EXHAUSTIVE {
            not_asked(allow, "ALLOW", observer);
        }
        verdict.allowed = false;
        verdict.decided_by = Some(rule.clone());
        return verdict;
    }
    let allowed = first(allow, "ALLOW", facts, observer);
    verdict.allowed = allowed.is_some();
    verdict.decided_by = allowed.cloned();
    verdict
}

/// Step 1: which external authorizers are to be asked; `Err`: refused by one that cannot be (S-104 to S-108).
pub(super) fn ask<O: Observer>(
    externals: &[External],
    facts: &Facts<'_>,
    observer: &mut O,
) -> (Vec<ExternalAuthz>, Option<RuleRef>) {
    let mut asked = Vec::new();
    let mut refused: Option<RuleRef> = None;
    for External { provider, answer, rules } in externals {
        let mut found: Option<(&Rule, bool)> = None;
        for (rule, dry_run) in rules {
            if found.is_some_and(|(_, found_dry_run)| !found_dry_run) || refused.is_some() {
                if O::EXHAUSTIVE {
                    observer.note(|| Step::new(Stage::Authorize, Outcome::NotAsked, label("CUSTOM", rule)));
                    continue;
                }
                break;
            }
            let mismatch = rule.mismatch(facts);
            note(rule, "CUSTOM", mismatch, facts, observer);
            if mismatch.is_none() && (found.is_none() || !*dry_run) {
                found = Some((rule, *dry_run));
            }
        }
        let Some((rule, dry_run)) = found else { continue };
        match answer {
            Answer::Ask => asked.push(ExternalAuthz {
                provider: provider.clone(),
                policy: rule.reference.policy.clone(),
                dry_run,
            }),
            Answer::Skip => {}
            // A policy in dry-run mode has no say, not even through its missing authorizer.
            Answer::Refuse(_) if dry_run => {}
            Answer::Refuse(why) => {
                observer.note(|| {
                    Step::new(Stage::Authorize, Outcome::Won, label("CUSTOM", rule))
                        .because(Because::new("provider", "an external authorizer to ask", *why))
                        .origin(&rule.reference.origin)
                });
                refused = Some(rule.reference.clone());
            }
        }
    }
    (asked, refused)
}

/// The first rule that matches.
fn first<'s, O: Observer>(
    rules: &'s [Rule],
    action: &'static str,
    facts: &Facts<'_>,
    observer: &mut O,
) -> Option<&'s RuleRef> {
    let mut remaining = rules.iter();
    let winner = remaining.by_ref().find(|rule| {
        let mismatch = rule.mismatch(facts);
        note(rule, action, mismatch, facts, observer);
        mismatch.is_none()
    });
    if O::EXHAUSTIVE {
        not_asked(remaining, action, observer);
    }
    winner.map(|rule| &rule.reference)
}

fn not_asked<'s, O: Observer>(
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

fn note<O: Observer>(
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

fn label(action: &str, rule: &Rule) -> String {
    match rule.reference.rule {
        Some(index) => format!("{action} {} rules[{index}]", rule.reference.policy),
        None => format!("{action} {}", rule.reference.policy),
    }
}

//! Folding a rule into those of the same host that came before it (T-226).

use super::MergedDestinationRule;

/// Takes `rule` into the list of its host, folded, as an entry of its own, or both.
///
/// Whether it gets an entry of its own is decided by the last entry looked at (T-226, point 4), as in Istio.
pub(super) fn fold_into(list: &mut Vec<MergedDestinationRule>, rule: MergedDestinationRule) {
    let mut keep = true;
    for existing in list.iter_mut() {
        keep = match relation(existing, &rule) {
            Relation::Apart => true,
            Relation::Folded { keep } => {
                fold(existing, &rule);
                keep
            }
        };
    }
    if keep {
        list.push(rule);
    }
}

/// What becomes of a rule beside an earlier one of the same host.
enum Relation {
    /// They do not touch.
    Apart,
    /// It is folded into the earlier one, and may stay as an entry too.
    Folded { keep: bool },
}

fn relation(existing: &MergedDestinationRule, rule: &MergedDestinationRule) -> Relation {
    let same_export = existing.export_to == rule.export_to;
    let wider_export = !existing.export_to.is_empty() && rule.export_to.is_superset(&existing.export_to);
    if !same_export && !wider_export {
        return Relation::Apart;
    }
    match (&existing.spec.workload_selector, &rule.spec.workload_selector) {
        (None, None) => Relation::Folded { keep: false },
        (Some(old), Some(new)) if old.match_labels == new.match_labels => Relation::Folded { keep: false },
        (Some(_), Some(_)) => Relation::Apart,
        // One with a selector, one without: folded all the same, and gone where exportTo is equal (T-227 (b)).
        _ => Relation::Folded { keep: !same_export },
    }
}

/// Appends subsets with new names, and takes the traffic policy where there is none yet (T-226, point 3).
fn fold(existing: &mut MergedDestinationRule, rule: &MergedDestinationRule) {
    let known: std::collections::BTreeSet<String> =
        existing.spec.subsets.iter().map(|subset| subset.name.clone()).collect();
    for (subset, origin) in rule.spec.subsets.iter().zip(&rule.subset_origins) {
        if !known.contains(&subset.name) {
            existing.spec.subsets.push(subset.clone());
            existing.subset_origins.push(origin.clone());
        }
    }
    if existing.spec.traffic_policy.is_none() {
        existing.spec.traffic_policy.clone_from(&rule.spec.traffic_policy);
        existing.policy_origin.clone_from(&rule.policy_origin);
    }
    existing.from.extend(rule.from.iter().cloned());
}

//! Folding a rule into those of the same host that came before it (T-226).

use mesh_model::part::{PortTrafficPolicy, TrafficPolicy};

use super::{MergedDestinationRule, RuleSource};

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
        } else {
            existing.lost.push(origin.clone());
        }
    }
    match (existing.source, rule.source) {
        (RuleSource::Written, RuleSource::BackendPolicy) => {
            let written = existing.spec.traffic_policy.take();
            existing.spec.traffic_policy = overlay(written, rule.spec.traffic_policy.clone());
        }
        (RuleSource::BackendPolicy, RuleSource::Written) => {
            let made = existing.spec.traffic_policy.take();
            existing.spec.traffic_policy = overlay(rule.spec.traffic_policy.clone(), made);
            if rule.policy_origin.is_some() {
                existing.policy_origin.clone_from(&rule.policy_origin);
            }
        }
        _ if existing.spec.traffic_policy.is_none() => {
            existing.spec.traffic_policy.clone_from(&rule.spec.traffic_policy);
            existing.policy_origin.clone_from(&rule.policy_origin);
        }
        _ => existing.lost.extend(rule.policy_origin.clone()),
    }
    existing.lost.extend(rule.lost.iter().cloned());
    existing.from.extend(rule.from.iter().cloned());
}

/// What is written over what a policy of the Gateway API wants, block by block (T-226, point 5).
fn overlay(
    written: Option<Box<TrafficPolicy>>,
    made: Option<Box<TrafficPolicy>>,
) -> Option<Box<TrafficPolicy>> {
    let (written, made) = match (written, made) {
        (Some(written), Some(made)) => (*written, *made),
        (written, made) => return written.or(made),
    };
    Some(Box::new(TrafficPolicy {
        load_balancer: written.load_balancer.or(made.load_balancer),
        connection_pool: written.connection_pool.or(made.connection_pool),
        outlier_detection: written.outlier_detection.or(made.outlier_detection),
        tls: written.tls.or(made.tls),
        port_level_settings: overlay_ports(written.port_level_settings, made.port_level_settings),
        tunnel: written.tunnel.or(made.tunnel),
        proxy_protocol: written.proxy_protocol.or(made.proxy_protocol),
        retry_budget: written.retry_budget.or(made.retry_budget),
    }))
}

fn overlay_ports(
    mut written: Vec<PortTrafficPolicy>,
    made: Vec<PortTrafficPolicy>,
) -> Vec<PortTrafficPolicy> {
    let number = |port: &PortTrafficPolicy| port.port.as_ref().map_or(0, |port| port.number);
    for made in made {
        // Of several entries for one port the last counts.
        let Some(port) = written.iter_mut().rfind(|port| number(port) == number(&made)) else {
            written.push(made);
            continue;
        };
        port.load_balancer = port.load_balancer.take().or(made.load_balancer);
        port.connection_pool = port.connection_pool.take().or(made.connection_pool);
        port.outlier_detection = port.outlier_detection.take().or(made.outlier_detection);
        port.tls = port.tls.take().or(made.tls);
    }
    written
}

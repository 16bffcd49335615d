//! DestinationRules of one host and namespace: what the older one has, the younger ones do not get to say (T-226).

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::Code;
use mesh_model::name::StringMap;
use mesh_model::name::resolve_short_name;
use mesh_model::networking::destination_rule::spec::DestinationRule;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, short};

/// Rules that are folded into one: namespace, host, exportTo as a set, labels that are selected.
type Group<'a> = (&'a str, String, BTreeSet<&'a str>, Option<&'a StringMap>);

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut groups: BTreeMap<Group<'_>, Vec<&Object<DestinationRule>>> = BTreeMap::new();
    let domain = context.mesh.trust_domain();
    for rule in context.objects(&context.config.destination_rules) {
        let namespace = &*rule.meta.namespace;
        let host = resolve_short_name(&rule.spec.host, namespace, domain).into_owned();
        let export_to = rule.spec.export_to.iter().map(String::as_str).collect();
        let selected = rule.spec.workload_selector.as_ref().map(|selector| &selector.match_labels);
        groups.entry((namespace, host, export_to, selected)).or_default().push(rule);
    }
    for ((_, host, ..), mut rules) in groups {
        if rules.len() > 1 {
            rules.sort_by(|left, right| left.precedence().cmp(&right.precedence()));
            group(&host, &rules, found);
        }
    }
}

/// Rules of one group, the oldest first.
fn group(host: &str, rules: &[&Object<DestinationRule>], found: &mut Findings) {
    let mut policy: Option<&Object<DestinationRule>> = None;
    let mut subsets: BTreeMap<&str, &Object<DestinationRule>> = BTreeMap::new();
    for rule in rules {
        if rule.spec.traffic_policy.is_some() {
            match policy {
                Some(older) => {
                    let message = format!(
                        "the older DestinationRule `{}` has the traffic policy of `{}`: this one is not used",
                        full_name(older),
                        short(host)
                    );
                    let help =
                        "write one DestinationRule for the host; only subsets of the others are added to it";
                    found.add(rule, "spec.trafficPolicy", Code::PolicyIgnored, message, help);
                }
                None => policy = Some(rule),
            }
        }
        for (index, subset) in rule.spec.subsets.iter().enumerate() {
            match subsets.get(subset.name.as_str()) {
                // Twice in one rule: validation says so.
                Some(older) if !std::ptr::eq(*older, *rule) => {
                    let message = format!(
                        "the older DestinationRule `{}` has a subset `{}` of `{}`: this one is not used",
                        full_name(older),
                        short(&subset.name),
                        short(host)
                    );
                    let help = "give it a name of its own, or remove it";
                    found.add(
                        rule,
                        &format!("spec.subsets[{index}].name"),
                        Code::PolicyIgnored,
                        message,
                        help,
                    );
                }
                Some(_) => {}
                None => {
                    subsets.insert(&subset.name, rule);
                }
            }
        }
    }
}

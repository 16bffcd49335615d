//! What Istio refuses or warns about in a DestinationRule (T-229).

use std::collections::BTreeSet;

use super::spec::{DestinationRule, Subset};
use crate::check::export_to::{Exporter, export_to};
use crate::check::traffic_policy::traffic_policy;
use crate::check::{Checker, Hearing, Path, Problem, host, label, selector, short};
use crate::diagnostic::{Code, Report};
use crate::name::is_dns_label;
use crate::object::Object;

const SPEC: Path<'static> = Path::Root("spec");

/// Checks an object.
pub(super) fn validate(object: &Object<DestinationRule>, report: &mut Report) {
    let DestinationRule {
        host: name,
        traffic_policy: policy,
        subsets,
        export_to: entries,
        workload_selector,
    } = &object.spec;
    let found = &mut Checker::new(object, report);
    let checked = if name.is_empty() {
        Err(Problem::missing("`host` is required").help("add the host whose traffic the rule is for"))
    } else {
        host::wildcard_domain(name)
    };
    found.check(&SPEC.field("host"), checked);
    if let Some(policy) = policy {
        traffic_policy(found, &SPEC.field("trafficPolicy"), policy);
    }
    let mut names = BTreeSet::new();
    for (index, one) in subsets.iter().enumerate() {
        let subsets = SPEC.field("subsets");
        let at = subsets.index(index);
        found.require(names.insert(&one.name), &at.field("name"), || {
            Problem::conflict(format!("subset `{}` is defined twice", short(&one.name)))
                .help("rename or remove one of the two")
        });
        subset(found, &at, one);
    }
    let exporter = if workload_selector.is_some() { Exporter::SelectingRule } else { Exporter::Other };
    export_to(found, &SPEC.field("exportTo"), entries, exporter);
    if let Some(workloads) = workload_selector {
        selector::workload(found, &SPEC.field("workloadSelector"), workloads);
    }
}

fn subset(found: &mut Checker<'_>, at: &Path<'_>, subset: &Subset) {
    found.require(is_dns_label(&subset.name), &at.field("name"), || {
        if subset.name.is_empty() {
            Problem::missing("a subset needs a `name`").help("add the name that routes refer to")
        } else {
            Problem::new(Code::InvalidName, format!("`{}` is not a subset name", short(&subset.name)))
                .help("letters, digits and inner hyphens, at most 63")
        }
    });
    label::labels(found, &at.field("labels"), &subset.labels);
    if let Some(policy) = &subset.traffic_policy {
        let at = at.field("trafficPolicy");
        found.hearing(Hearing::Errors, |found| traffic_policy(found, &at, policy));
    }
}

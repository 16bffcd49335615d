//! What policies are attached to: `targetRef`, `targetRefs`, or a selector.

use super::{Checker, Path, Problem, selector, short};
use crate::part::{PolicyTargetReference, WorkloadSelector};

/// Kinds that a policy can be attached to, with their group.
const TARGETS: [(&str, &str); 4] = [
    ("", "Service"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "GatewayClass"),
];

/// The three fields of a policy that say where it applies; `at` is the path of the `spec`.
pub(crate) fn attachment(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    selector: Option<&WorkloadSelector>,
    target: Option<&PolicyTargetReference>,
    targets: &[PolicyTargetReference],
) {
    let are_written = !targets.is_empty() || found.is_written_empty(&at.field("targetRefs"));
    found.at_most_one(
        at,
        &[("selector", selector.is_some()), ("targetRef", target.is_some()), ("targetRefs", are_written)],
    );
    if let Some(selector) = selector {
        selector::workload(found, &at.field("selector"), selector);
    }
    if let Some(target) = target {
        reference(found, &at.field("targetRef"), target);
    }
    let at = at.field("targetRefs");
    found.at_most(&at, targets.len(), 16);
    for (index, target) in targets.iter().enumerate() {
        reference(found, &at.index(index), target);
    }
}

fn reference(found: &mut Checker<'_>, at: &Path<'_>, target: &PolicyTargetReference) {
    found.require(!target.name.is_empty(), &at.field("name"), || Problem::missing("`name` is required"));
    found.no_longer_than(&at.field("name"), &target.name, 253);
    found.require(target.namespace.is_empty(), &at.field("namespace"), || {
        Problem::invalid("a policy cannot be attached to an object of another namespace")
            .help("remove `namespace`")
    });
    let group = if target.group == "core" { "" } else { &target.group };
    if TARGETS.contains(&(group, &target.kind)) {
        return;
    }
    let problem = Problem::invalid(format!(
        "a policy cannot be attached to kind `{}` of group `{}`",
        short(&target.kind),
        short(&target.group)
    ));
    let expected = TARGETS.iter().find(|(_, kind)| *kind == target.kind);
    found.find(
        &at.field("kind"),
        match expected {
            Some((group, kind)) => problem.help(format!("`{kind}` is of group `{group}`")),
            None => problem.help("one of `Gateway`, `GatewayClass`, `Service`, `ServiceEntry`"),
        },
    );
}

//! What policies are attached to: `targetRef`, `targetRefs`, or a selector.

use super::{Checker, Path, Problem, selector, short};
use crate::part::{NetworkingWorkloadSelector, PolicyTargetReference, WorkloadSelector};

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

/// The fields that say where an EnvoyFilter applies; any kind may be named there.
pub(crate) fn of_any_kind(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    selector: Option<&NetworkingWorkloadSelector>,
    targets: &[PolicyTargetReference],
) {
    let are_written = !targets.is_empty() || found.is_written_empty(&at.field("targetRefs"));
    found.at_most_one(at, &[("workloadSelector", selector.is_some()), ("targetRefs", are_written)]);
    if let Some(selector) = selector {
        selector::networking(found, &at.field("workloadSelector"), selector);
    }
    let at = at.field("targetRefs");
    found.at_most(&at, targets.len(), 16);
    for (index, target) in targets.iter().enumerate() {
        let at = at.index(index);
        name(found, &at, target);
        found.require(is_kind(&target.kind), &at.field("kind"), || {
            Problem::invalid(format!("`{}` is not the name of a kind", short(&target.kind)))
                .help("write a kind such as `Service` or `Gateway`")
        });
        found.require(is_group(&target.group), &at.field("group"), || {
            Problem::invalid(format!("`{}` is not an API group", short(&target.group)))
                .help("write a group such as `gateway.networking.k8s.io`; the core group is empty")
        });
    }
}

/// 1 to 63 letters, digits and inner hyphens, a letter first.
fn is_kind(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Empty for the core group, or a DNS name in lower case of at most 253 characters.
fn is_group(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(is_inner)
    };
    text.is_empty() || (text.len() <= 253 && text.split('.').all(is_label))
}

/// The name and the namespace, which every kind has.
fn name(found: &mut Checker<'_>, at: &Path<'_>, target: &PolicyTargetReference) {
    found.require(!target.name.is_empty(), &at.field("name"), || {
        Problem::missing("`name` is required").help("add the name of the target")
    });
    found.no_longer_than(&at.field("name"), &target.name, 253);
    found.require(target.namespace.is_empty(), &at.field("namespace"), || {
        Problem::invalid("a policy cannot be attached to an object of another namespace")
            .help("remove `namespace`")
    });
}

fn reference(found: &mut Checker<'_>, at: &Path<'_>, target: &PolicyTargetReference) {
    name(found, at, target);
    let group = if target.group == "core" { "" } else { &target.group };
    if TARGETS.contains(&(group, &target.kind)) {
        return;
    }
    let problem = Problem::invalid(format!(
        "a policy cannot be attached to kind `{}` of group `{}`",
        short(&target.kind),
        short(&target.group)
    ))
    .relative();
    let expected = TARGETS.iter().find(|(_, kind)| *kind == target.kind);
    found.find(
        &at.field("kind"),
        match expected {
            Some((group, kind)) => problem.help(format!("`{kind}` is of group `{group}`")),
            None => problem.help("one of `Gateway`, `GatewayClass`, `Service`, `ServiceEntry`"),
        },
    );
}

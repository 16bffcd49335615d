//! AuthorizationPolicies: workloads they apply to, and namespaces they name.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place, nearest};
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, selector_text, short};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let names = Names::of(context);
    let mut asked = BTreeMap::new();
    for policy in context.objects(&context.config.authorization_policies) {
        if context.knows("Pod") {
            workloads(context, policy, found);
        }
        for (path, written) in named(policy) {
            let known = *asked.entry(written).or_insert_with(|| names.have(written));
            if known {
                continue;
            }
            let message = format!("there is no namespace `{}`", short(written));
            let help = match nearest(written, names.exact.iter().copied().take(1_000)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "create it, or remove it from the rule: nothing can come from there".to_owned(),
            };
            let at = Place::of(&policy.provenance, &path);
            let missing = Missing::object("Namespace", "", written);
            found.push(Diagnostic::new(Code::NamespaceUnknown, at, message).help(help).missing(missing));
        }
    }
}

fn workloads(context: &Context<'_>, policy: &Object<AuthorizationPolicy>, found: &mut Findings) {
    let namespace = &*policy.meta.namespace;
    let is_mesh_wide = namespace == context.mesh.root_namespace();
    let selector = policy.spec.selector.as_ref().map(|selector| &selector.match_labels);
    let applies = match selector {
        None if is_mesh_wide => true,
        None => !context.mesh_pods.of(namespace).is_empty(),
        Some(selector) if is_mesh_wide => context.mesh_pods.matching(selector).next().is_some(),
        Some(selector) => context.mesh_pods.matching_in(namespace, selector).next().is_some(),
    };
    if applies {
        return;
    }
    let (path, message) = match selector {
        Some(selector) => (
            "spec.selector.matchLabels",
            format!("no Pod of the mesh has the labels `{}`", selector_text(selector)),
        ),
        None => ("metadata.namespace", format!("namespace `{namespace}` has no Pod in the mesh")),
    };
    let help = "the policy does nothing: correct its labels, or see to it that the Pods get a sidecar";
    let labels = selector.into_iter().flatten();
    let missing = Missing::pods((!is_mesh_wide).then_some(namespace), labels);
    let at = Place::of(&policy.provenance, path);
    found.push(Diagnostic::new(Code::PolicyWithoutWorkload, at, message).help(help).missing(missing));
}

/// Namespaces that the rules of a policy name, with their paths.
fn named(policy: &Object<AuthorizationPolicy>) -> impl Iterator<Item = (String, &str)> {
    policy.spec.rules.iter().enumerate().flat_map(|(rule_index, rule)| {
        rule.from.iter().enumerate().flat_map(move |(from_index, from)| {
            let source = from.source.as_ref();
            let wanted = source.map_or(&[][..], |source| &source.namespaces);
            let unwanted = source.map_or(&[][..], |source| &source.not_namespaces);
            let at = move |field: &str, index: usize| {
                format!("spec.rules[{rule_index}].from[{from_index}].source.{field}[{index}]")
            };
            let wanted =
                wanted.iter().enumerate().map(move |(index, name)| (at("namespaces", index), name.as_str()));
            let unwanted = unwanted
                .iter()
                .enumerate()
                .map(move |(index, name)| (at("notNamespaces", index), name.as_str()));
            wanted.chain(unwanted)
        })
    })
}

/// Names of namespaces.
struct Names<'a> {
    exact: BTreeSet<&'a str>,
    lower_case: BTreeSet<String>,
}

impl<'a> Names<'a> {
    fn of(context: &Context<'a>) -> Self {
        let exact: BTreeSet<_> = context.namespaces.keys().copied().collect();
        let lower_case = exact.iter().map(|name| name.to_lowercase()).collect();
        Self { exact, lower_case }
    }

    /// Whether any is meant: a whole name in any case, or a beginning or an end beside a `*`.
    fn have(&self, written: &str) -> bool {
        if written == "*" {
            !self.exact.is_empty()
        } else if let Some(end) = written.strip_prefix('*') {
            self.exact.iter().any(|name| name.ends_with(end))
        } else if let Some(start) = written.strip_suffix('*') {
            self.exact.range(start..).next().is_some_and(|name| name.starts_with(start))
        } else {
            self.lower_case.contains(&written.to_lowercase())
        }
    }
}

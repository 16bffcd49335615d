//! CUSTOM policies of one workload that ask different external authorizers: what they match is denied (S-106).

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::Code;
use mesh_model::name::{StringMap, labels_subset_of};
use mesh_model::object::Object;
use mesh_model::part::PolicyTargetReference;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::Action;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, short};

/// Comparisons of one policy with others: beyond it only Pods tell.
const COMPARED_MAX: usize = 1_000;

/// A CUSTOM policy.
struct Custom<'a> {
    policy: &'a Object<AuthorizationPolicy>,
    provider: &'a str,
    labels: Option<&'a StringMap>,
    references: Vec<&'a PolicyTargetReference>,
}

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut policies: Vec<_> =
        context.objects(&context.config.authorization_policies).filter_map(Custom::of).collect();
    if policies.iter().all(|custom| policies.first().is_some_and(|first| first.provider == custom.provider)) {
        return;
    }
    policies.sort_by(|left, right| left.policy.precedence().cmp(&right.policy.precedence()));
    let root = context.mesh.root_namespace();
    // Those seen so far, one of each kind, by namespace; and who had a Pod first.
    let mut older: BTreeMap<&str, Vec<&Custom<'_>>> = BTreeMap::new();
    let mut kinds = BTreeSet::new();
    let mut first_at: BTreeMap<(&str, &str), &Custom<'_>> = BTreeMap::new();
    for custom in &policies {
        let namespace = &*custom.policy.meta.namespace;
        let near: Vec<&[&Custom<'_>]> = if namespace == root {
            older.values().map(Vec::as_slice).collect()
        } else {
            [namespace, root].iter().filter_map(|name| older.get(name)).map(Vec::as_slice).collect()
        };
        let other = near
            .into_iter()
            .flatten()
            .copied()
            .take(COMPARED_MAX)
            .find(|other| other.provider != custom.provider && other.surely_meets(custom));
        let is_new =
            custom.references.is_empty() && kinds.insert((namespace, custom.labels, custom.provider));
        let at_pod = is_new.then(|| first_other(context, custom, root, &mut first_at)).flatten();
        match (other, at_pod) {
            (Some(other), _) => tell(custom, other, None, found),
            (None, Some((other, pod))) => tell(custom, other, Some(pod), found),
            (None, None) => {}
        }
        if is_new || !custom.references.is_empty() {
            older.entry(namespace).or_default().push(custom);
        }
    }
}

/// Takes the Pods that a policy is for. The first that one with another provider has already.
fn first_other<'p, 'a>(
    context: &Context<'a>,
    custom: &'p Custom<'a>,
    root: &str,
    first_at: &mut BTreeMap<(&'a str, &'a str), &'p Custom<'a>>,
) -> Option<(&'p Custom<'a>, &'a str)> {
    let namespace = &*custom.policy.meta.namespace;
    let everywhere = namespace == root;
    let nothing = StringMap::default();
    let labels = custom.labels.unwrap_or(&nothing);
    let here = (!everywhere).then(|| context.mesh_pods.matching_in(namespace, labels));
    let anywhere = everywhere.then(|| context.mesh_pods.matching(labels));
    let mut other = None;
    for pod in here.into_iter().flatten().chain(anywhere.into_iter().flatten()) {
        let first = *first_at.entry((&pod.meta.namespace, &pod.meta.name)).or_insert(custom);
        if first.provider != custom.provider && other.is_none() {
            other = Some((first, &*pod.meta.name));
        }
    }
    other
}

fn tell(custom: &Custom<'_>, other: &Custom<'_>, pod: Option<&str>, found: &mut Findings) {
    let place = match pod {
        Some(pod) => format!("Pod `{}`", short(pod)),
        None => "workloads of both".to_owned(),
    };
    let message = format!(
        "`{}` asks `{}`, this policy `{}`: what the rules of either match is denied at {place}, and nobody is asked",
        full_name(other.policy),
        short(other.provider),
        short(custom.provider)
    );
    let help = "ask one external authorizer, or select workloads that the other policy is not for";
    found.add(custom.policy, "spec.provider.name", Code::AuthorizersConflict, message, help);
}

impl<'a> Custom<'a> {
    fn of(policy: &'a Object<AuthorizationPolicy>) -> Option<Self> {
        let spec = &policy.spec;
        let provider = spec.provider.as_ref().map(|it| it.name.as_str()).filter(|name| !name.is_empty())?;
        let labels = spec.selector.as_ref().map(|it| &it.match_labels).filter(|it| !it.is_empty());
        let references = spec.target_ref.iter().chain(&spec.target_refs).collect();
        (spec.action == Action::Custom).then_some(Self { policy, provider, labels, references })
    }

    /// Whether there is no workload of one that is not the other's too; their namespaces are known to fit.
    fn surely_meets(&self, other: &Self) -> bool {
        if !self.references.is_empty() || !other.references.is_empty() {
            let same_namespace = self.policy.meta.namespace == other.policy.meta.namespace;
            return same_namespace && self.references.iter().any(|it| other.references.contains(it));
        }
        match (self.labels, other.labels) {
            (Some(one), Some(two)) => labels_subset_of(one, two) || labels_subset_of(two, one),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::analyze::analyzers::testing::found;

    fn policy(name: &str, namespace: &str, selector: &str, provider: &str) -> String {
        format!(
            "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             spec: {{{selector} action: CUSTOM, provider: {{name: {provider}}}, rules: [{{}}]}}\n"
        )
    }

    fn told(text: &str) -> Vec<String> {
        found("auth.SeveralAuthorizersAnalyzer", text)
    }

    const WEB: &str = "selector: {matchLabels: {app: web}},";
    const OLD: &str = "selector: {matchLabels: {version: v1}},";
    const GATEWAY: &str = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}],";
    const PODS: &str = "---\napiVersion: v1\nkind: Pod\n\
        metadata: {name: web-0, namespace: shop, labels: {app: web, version: v1, sidecar.istio.io/inject: 'true'}}\n";

    #[test]
    fn s_106_a_workload_asks_one_external_authorizer() {
        let place = "authorizers-conflict a/two spec.provider.name";
        let (all, web) = (policy("one", "a", "", "opa"), policy("two", "a", WEB, "login"));
        assert_eq!(told(&(all.clone() + &web)), [place]);
        assert_eq!(told(&(web.clone() + &all)), [place], "the order of documents does not matter");
        let whole_mesh = policy("one", "istio-system", "", "opa");
        assert_eq!(told(&(whole_mesh + &web)), [place]);
        assert_eq!(
            told(&(policy("one", "istio-system", WEB, "opa") + &policy("two", "a", "", "login"))),
            [place]
        );
        // Three of them: each of the later ones is told.
        let third = policy("zoo", "a", WEB, "ask");
        assert_eq!(
            told(&(all.clone() + &web + &third)),
            [place, "authorizers-conflict a/zoo spec.provider.name"]
        );
        assert_eq!(
            told(&(policy("one", "a", GATEWAY, "opa") + &policy("two", "a", GATEWAY, "login"))),
            [place]
        );
    }

    #[test]
    fn labels_that_no_pod_has_both_of_are_two_workloads() {
        let partly = policy("one", "shop", WEB, "opa") + &policy("two", "shop", OLD, "login");
        assert!(told(&partly).is_empty());
        assert_eq!(told(&(partly + PODS)), ["authorizers-conflict shop/two spec.provider.name"]);
    }

    #[test]
    fn one_provider_other_namespaces_and_other_actions_are_right() {
        let all = policy("one", "a", "", "opa");
        for other in [
            policy("two", "a", WEB, "opa"),
            policy("two", "b", WEB, "login"),
            policy("two", "a", GATEWAY, "login"),
            policy("two", "a", WEB, "login").replace("CUSTOM", "DENY"),
        ] {
            assert!(told(&(all.clone() + &other)).is_empty(), "{other}");
        }
    }
}

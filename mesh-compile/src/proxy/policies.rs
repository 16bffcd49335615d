//! The security resources in force at a workload, compiled for HTTP and for bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_authz::external_authorizer::{Authorizers, ExternalAuthorizer};
use mesh_authz::policy_set::{self, PolicyOptions, PolicySet, Protocol};
use mesh_authz::request_authn::{self, AuthnOptions, RequestAuthn};
use mesh_model::diagnostic::{Diagnostic, Report};
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::request_authentication::RequestAuthentication;

use super::telemetry::providers::{NO_SERVICE, target};
use crate::view::View;

/// Verified tokens that are remembered for each workload; the longest kept are 8 KiB.
const REMEMBERED_TOKENS: usize = 4_096;

/// What runs on a workload's chains (S-077, S-079).
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// Tokens, before HTTP policies.
    pub authn: Option<Arc<RequestAuthn>>,
    /// Policies over requests.
    pub http: Option<Arc<PolicySet>>,
    /// Policies over connections.
    pub tcp: Option<Arc<PolicySet>>,
}

impl Policies {
    /// Selects and compiles what applies to the proxy's workload.
    pub fn compile(view: &View<'_>, report: &mut Report) -> Self {
        let compiled = CompiledPolicies::compile(view, None);
        compiled.problems(report);
        compiled.policies
    }
}

/// Policies with what they were made of: when some of it changes, the rest stays.
#[derive(Debug, Clone)]
pub(crate) struct CompiledPolicies {
    pub(crate) policies: Policies,
    token_rules: Vec<Arc<Object<RequestAuthentication>>>,
    token_problems: Report,
    written: Vec<Arc<Object<AuthorizationPolicy>>>,
    policy_problems: Report,
    authorizers: Authorizers,
}

/// Sets of fewer policies are compiled anew, so that they stay in one run.
const CHANGED_MIN: usize = if cfg!(test) { 1 } else { 16 };

/// More policies at once are not exchanged one by one.
const CHANGES_MAX: usize = 8;

impl CompiledPolicies {
    /// [`Policies::compile`] after an earlier revision with the same mesh settings and profile.
    ///
    /// Token rules that are the same stay as they are, with the tokens that they remember. Where few policies of many
    /// differ they are exchanged ([`PolicySet::with`]); decisions are those of a set that is compiled anew.
    pub(crate) fn compile(view: &View<'_>, earlier: Option<Self>) -> Self {
        let (proxy, root) = (view.proxy(), view.mesh().root_namespace());
        let rules =
            request_authn::applicable(view.request_authentications(), root, &proxy.namespace, &proxy.labels);
        let written =
            policy_set::applicable(view.authorization_policies(), root, &proxy.namespace, &proxy.labels);
        let authorizers = authorizers(view, &written);
        let mut known = earlier.unwrap_or_else(|| Self {
            policies: Policies::default(),
            token_rules: Vec::new(),
            token_problems: Report::new(),
            written: Vec::new(),
            policy_problems: Report::new(),
            authorizers: authorizers.clone(),
        });
        if !is_same(&known.token_rules, &rules) {
            (known.policies.authn, known.token_problems) = token_rules(view, &rules);
            known.token_rules = rules.into_iter().cloned().collect();
        }
        let options = options(view, authorizers);
        if known.authorizers != options.authorizers || !known.exchange(&written, &options) {
            let (http, problems) = PolicySet::compile(&written, Protocol::Http, &options);
            // What is wrong with a policy was said: the second compilation finds the same again.
            let (tcp, _) = PolicySet::compile(&written, Protocol::Tcp, &options);
            (known.policies.http, known.policies.tcp) = (http.map(Arc::new), tcp.map(Arc::new));
            known.policy_problems = problems;
        }
        known.written = written.into_iter().cloned().collect();
        known.authorizers = options.authorizers;
        known
    }

    /// What is wrong with them.
    pub(crate) fn problems(&self, report: &mut Report) {
        report.merge(self.token_problems.clone());
        report.merge(self.policy_problems.clone());
    }

    /// Exchanges the policies that differ. `false`: they are better compiled anew.
    fn exchange(
        &mut self,
        written: &[&Arc<Object<AuthorizationPolicy>>],
        options: &PolicyOptions<'_>,
    ) -> bool {
        let (Some(http), Some(tcp)) = (&self.policies.http, &self.policies.tcp) else {
            return is_same(&self.written, written);
        };
        let Some((gone, come)) = differences(&self.written, written) else { return false };
        if gone.is_empty() && come.is_empty() {
            return true;
        }
        let changes = gone.len() + come.len();
        if written.len() < CHANGED_MIN || changes > CHANGES_MAX {
            return false;
        }
        let (mut http, mut tcp) = ((**http).clone(), (**tcp).clone());
        let about = |found: &Diagnostic, (namespace, name): Name<'_>| {
            (&*found.at.resource.namespace, &*found.at.resource.name) == (namespace, name)
        };
        let names: Vec<Name<'_>> = gone.iter().chain(&come).map(|policy| name_of(policy)).collect();
        let mut problems = Report::new();
        let others =
            self.policy_problems.iter().filter(|found| !names.iter().any(|name| about(found, *name)));
        others.for_each(|found| problems.push(found.clone()));
        for (namespace, name) in gone.iter().map(|policy| name_of(policy)) {
            if !come.iter().any(|policy| name_of(policy) == (namespace, name)) {
                http = http.without(namespace, name, Protocol::Http, options);
                tcp = tcp.without(namespace, name, Protocol::Tcp, options);
            }
        }
        for policy in &come {
            let (new, found) = http.with(policy, Protocol::Http, options);
            problems.merge(found);
            (http, tcp) = (new, tcp.with(policy, Protocol::Tcp, options).0);
        }
        self.policy_problems = problems;
        (self.policies.http, self.policies.tcp) = (Some(Arc::new(http)), Some(Arc::new(tcp)));
        true
    }
}

type Name<'p> = (&'p str, &'p str);

fn name_of(policy: &Object<AuthorizationPolicy>) -> Name<'_> {
    (&policy.meta.namespace, &policy.meta.name)
}

/// Whether both lists hold the same objects, in memory.
fn is_same<S>(old: &[Arc<Object<S>>], new: &[&Arc<Object<S>>]) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| Arc::ptr_eq(old, new))
}

type Listed<'p> = Vec<&'p Arc<Object<AuthorizationPolicy>>>;

/// Policies that are only in the old or only in the new list; `None`: two clusters have one of the same name, which tells
/// them apart no longer.
fn differences<'p>(
    old: &'p [Arc<Object<AuthorizationPolicy>>],
    new: &[&'p Arc<Object<AuthorizationPolicy>>],
) -> Option<(Listed<'p>, Listed<'p>)> {
    let (old, new) = (by_name(old.iter())?, by_name(new.iter().copied())?);
    let only_in = |one: &ByName<'p>, other: &ByName<'p>| -> Listed<'p> {
        let is_new = |(name, policy): &(&Name<'p>, &&'p Arc<Object<AuthorizationPolicy>>)| {
            other.get(*name).is_none_or(|other| !Arc::ptr_eq(other, policy))
        };
        one.iter().filter(is_new).map(|(_, policy)| *policy).collect()
    };
    Some((only_in(&old, &new), only_in(&new, &old)))
}

type ByName<'p> = BTreeMap<Name<'p>, &'p Arc<Object<AuthorizationPolicy>>>;

/// Policies by namespace and name; `None`: two have the same.
fn by_name<'p>(mut list: impl Iterator<Item = &'p Arc<Object<AuthorizationPolicy>>>) -> Option<ByName<'p>> {
    let mut named = ByName::new();
    list.all(|policy| named.insert(name_of(policy), policy).is_none()).then_some(named)
}

fn token_rules(
    view: &View<'_>,
    rules: &[&Arc<Object<RequestAuthentication>>],
) -> (Option<Arc<RequestAuthn>>, Report) {
    let options = AuthnOptions { profile: view.profile(), ..AuthnOptions::default() };
    let (authn, problems) = RequestAuthn::compile(rules, &options);
    (authn.map(|authn| Arc::new(authn.with_token_cache(REMEMBERED_TOKENS))), problems)
}

/// The mesh's external authorizers, as far as policies name them and they can be asked.
fn authorizers(view: &View<'_>, policies: &[&Arc<Object<AuthorizationPolicy>>]) -> Authorizers {
    let mut authorizers = ExternalAuthorizer::all(&view.mesh().extension_providers);
    for provider in policies.iter().filter_map(|policy| policy.spec.provider.as_ref()) {
        let Some(found) = authorizers.get_mut(&provider.name) else { continue };
        let is_there = |it: &Arc<ExternalAuthorizer>| target(view, &it.service, it.port.into()).is_some();
        if found.as_ref().is_ok_and(|authorizer| !is_there(authorizer)) {
            // S-106, whatever `failOpen` says: Istio builds no filter that could ask.
            *found = Err(NO_SERVICE.to_owned());
        }
    }
    authorizers
}

fn options<'v>(view: &View<'v>, authorizers: Authorizers) -> PolicyOptions<'v> {
    let mesh = view.mesh();
    PolicyOptions {
        trust_domain: mesh.trust_domain(),
        trust_domain_aliases: &mesh.trust_domain_aliases,
        authorizers,
        profile: view.profile(),
        ..PolicyOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use mesh_authz::profile::Profile;
    use mesh_authz::verdict::Facts;

    use super::*;
    use crate::testing::{resolve, resolve_with, service, sidecar};

    /// A DENY policy that is not understood, and one without rules.
    const POLICIES: [&str; 2] =
        ["{action: DENY, rules: [{when: [{key: source.color, values: [red]}]}]}", "{action: DENY}"];

    /// A plaintext connection of nobody known.
    fn stranger() -> Facts<'static> {
        let ip = Ipv4Addr::new(10, 9, 9, 9).into();
        Facts {
            direct_ip: ip,
            remote_ip: ip,
            dst_ip: ip,
            dst_port: 8080,
            sni: None,
            peer: None,
            request: None,
            claims: None,
        }
    }

    #[test]
    fn the_hardened_profile_of_a_mesh_reaches_every_workload() {
        for policy in POLICIES {
            let text = format!(
                "{}---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                 metadata: {{name: odd, namespace: shop}}\nspec: {policy}\n",
                service("shop", "web")
            );
            let proxy = sidecar("shop", "web");
            for (profile, passes) in [(Profile::Istio, true), (Profile::Hardened, false)] {
                let snapshot = resolve(&text).with_profile(profile);
                let policies = Policies::compile(&View::new(&snapshot, &proxy), &mut Report::new());
                let verdict = policies.tcp.as_ref().unwrap().decide(&stranger(), &mut ()).allowed;
                assert_eq!(verdict, passes, "{policy} {profile:?}");
            }
        }
    }

    /// S-106: of the mesh's providers, one has a service, one has none, and one names a host of two namespaces.
    #[test]
    fn an_authorizer_whose_service_is_not_in_the_mesh_denies_even_where_failures_are_open() {
        let mesh = r#"{"extensionProviders": [
            {"name": "there", "envoyExtAuthzGrpc": {"service": "web.shop.svc.cluster.local", "port": 80}},
            {"name": "gone", "envoyExtAuthzGrpc": {"service": "nobody.example", "port": 80, "failOpen": true}},
            {"name": "elsewhere", "envoyExtAuthzGrpc":
                {"service": "other/web.shop.svc.cluster.local", "port": 80, "failOpen": true}}
        ]}"#;
        for (provider, asked) in [("there", 1), ("gone", 0), ("elsewhere", 0)] {
            let text = format!(
                "{}---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                 metadata: {{name: ask, namespace: shop}}\n\
                 spec: {{action: CUSTOM, provider: {{name: {provider}}}, rules: [{{}}]}}\n",
                service("shop", "web")
            );
            let (snapshot, _) = resolve_with(mesh, &text);
            let proxy = sidecar("shop", "web");
            let policies = Policies::compile(&View::new(&snapshot, &proxy), &mut Report::new());
            let tcp = policies.tcp.unwrap();
            let verdict = tcp.decide(&stranger(), &mut ());
            assert_eq!((verdict.allowed, verdict.external.len()), (asked == 1, asked), "{provider}");
        }
    }
}

//! The security resources in force at a workload, compiled for HTTP and for bytes.

use std::sync::Arc;

use mesh_authz::external_authorizer::ExternalAuthorizer;
use mesh_authz::policy_set::{self, PolicyOptions, PolicySet, Protocol};
use mesh_authz::request_authn::{self, AuthnOptions, RequestAuthn};
use mesh_model::diagnostic::Report;

use super::telemetry::providers::{NO_SERVICE, target};
use crate::view::View;

/// Verified tokens that are remembered for each workload; the longest kept are 8 KiB.
const REMEMBERED_TOKENS: usize = 4_096;

/// What runs on a workload's chains.
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
        let (proxy, mesh) = (view.proxy(), view.mesh());
        let root = mesh.root_namespace();
        let rules =
            request_authn::applicable(view.request_authentications(), root, &proxy.namespace, &proxy.labels);
        let profile = view.profile();
        let token_options = AuthnOptions { profile, ..AuthnOptions::default() };
        let (authn, problems) = RequestAuthn::compile(&rules, &token_options);
        report.merge(problems);
        let authn = authn.map(|authn| authn.with_token_cache(REMEMBERED_TOKENS));

        let policies =
            policy_set::applicable(view.authorization_policies(), root, &proxy.namespace, &proxy.labels);
        let mut authorizers = ExternalAuthorizer::all(&mesh.extension_providers);
        for provider in policies.iter().filter_map(|policy| policy.spec.provider.as_ref()) {
            let Some(found) = authorizers.get_mut(&provider.name) else { continue };
            let is_there = |it: &Arc<ExternalAuthorizer>| target(view, &it.service, it.port.into()).is_some();
            if found.as_ref().is_ok_and(|authorizer| !is_there(authorizer)) {
                // S-106, whatever `failOpen` says: Istio builds no filter that could ask.
                *found = Err(NO_SERVICE.to_owned());
            }
        }
        let options = PolicyOptions {
            trust_domain: mesh.trust_domain(),
            trust_domain_aliases: &mesh.trust_domain_aliases,
            authorizers,
            profile,
            ..PolicyOptions::default()
        };
        let (http, problems) = PolicySet::compile(&policies, Protocol::Http, &options);
        report.merge(problems);
        // What is wrong with a policy was said above: the second compilation finds the same again.
        let (tcp, _) = PolicySet::compile(&policies, Protocol::Tcp, &options);
        Self { authn: authn.map(Arc::new), http: http.map(Arc::new), tcp: tcp.map(Arc::new) }
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

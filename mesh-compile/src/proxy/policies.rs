//! The security resources in force at a workload, compiled for HTTP and for bytes.

use std::sync::Arc;

use mesh_authz::external_authorizer::ExternalAuthorizer;
use mesh_authz::policy_set::{self, PolicyOptions, PolicySet, Protocol};
use mesh_authz::request_authn::{self, AuthnOptions, RequestAuthn};
use mesh_model::diagnostic::Report;

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
        let (authn, problems) = RequestAuthn::compile(&rules, &AuthnOptions::default());
        report.merge(problems);
        let authn = authn.map(|authn| authn.with_token_cache(REMEMBERED_TOKENS));

        let policies =
            policy_set::applicable(view.authorization_policies(), root, &proxy.namespace, &proxy.labels);
        let options = PolicyOptions {
            trust_domain: mesh.trust_domain(),
            trust_domain_aliases: &mesh.trust_domain_aliases,
            authorizers: ExternalAuthorizer::all(&mesh.extension_providers),
            ..PolicyOptions::default()
        };
        let (http, problems) = PolicySet::compile(&policies, Protocol::Http, &options);
        report.merge(problems);
        // What is wrong with a policy was said above: the second compilation finds the same again.
        let (tcp, _) = PolicySet::compile(&policies, Protocol::Tcp, &options);
        Self { authn: authn.map(Arc::new), http: http.map(Arc::new), tcp: tcp.map(Arc::new) }
    }
}

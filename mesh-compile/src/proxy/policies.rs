//! The security resources in force at a workload, compiled for HTTP and for bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_authz::policy_set::{self, PolicyOptions, PolicySet, Protocol, ProviderKind};
use mesh_authz::request_authn::{self, AuthnOptions, RequestAuthn};
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::MeshConfig;

use crate::view::View;

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

        let policies =
            policy_set::applicable(view.authorization_policies(), root, &proxy.namespace, &proxy.labels);
        let options = PolicyOptions {
            trust_domain: mesh.trust_domain(),
            trust_domain_aliases: &mesh.trust_domain_aliases,
            providers: providers(mesh),
            multiple_custom_providers: false,
        };
        let (http, problems) = PolicySet::compile(&policies, Protocol::Http, &options);
        report.merge(problems);
        // What is wrong with a policy was said above: the second compilation finds the same again.
        let (tcp, _) = PolicySet::compile(&policies, Protocol::Tcp, &options);
        Self { authn: authn.map(Arc::new), http: http.map(Arc::new), tcp: tcp.map(Arc::new) }
    }
}

/// External authorizers by name.
fn providers(mesh: &MeshConfig) -> BTreeMap<String, ProviderKind> {
    let kind = |service: &str, port: u32, kind| match (service.is_empty(), u16::try_from(port)) {
        (false, Ok(1..)) => kind,
        _ => ProviderKind::Invalid,
    };
    mesh.extension_providers
        .iter()
        .filter_map(|provider| {
            let found = match (&provider.envoy_ext_authz_http, &provider.envoy_ext_authz_grpc) {
                (Some(http), _) => kind(&http.service, http.port, ProviderKind::Http),
                (None, Some(grpc)) => kind(&grpc.service, grpc.port, ProviderKind::Grpc),
                (None, None) => return None,
            };
            Some((provider.name.clone(), found))
        })
        .collect()
}

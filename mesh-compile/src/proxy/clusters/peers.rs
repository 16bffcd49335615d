//! What PeerAuthentication lets a client do (S-047, S-049).

use std::collections::BTreeMap;

use mesh_authz::peer::{self, Mode, PeerModes};
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::part::ClientTlsMode;
use mesh_model::security::peer_authentication::PeerAuthentication;
use mesh_model::security::peer_authentication::spec::{MutualTls, MutualTlsMode};

use crate::registry::endpoint::Endpoint;
use crate::view::View;

/// The mesh's PeerAuthentications, sorted for the two questions that clusters ask of every endpoint and service.
#[derive(Debug)]
pub(super) struct Peers<'p> {
    root: &'p str,
    by_namespace: BTreeMap<&'p str, Namespace<'p>>,
    /// What is inferred for namespaces without policies of their own.
    elsewhere: Inferred,
}

/// A mode with the field that says so; `None`: nobody does.
pub(super) type Inferred = (Mode, Option<Origin>);

/// A namespace that has policies.
#[derive(Debug)]
struct Namespace<'p> {
    policies: Vec<&'p Object<PeerAuthentication>>,
    /// Whether one of them says DISABLE anywhere: without that no endpoint is ruled out, whatever its labels.
    disables: bool,
    inferred: Inferred,
}

impl<'p> Peers<'p> {
    pub(super) fn new(view: &View<'p>) -> Self {
        let root = view.mesh().root_namespace();
        let mut policies: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for policy in view.peer_authentications() {
            policies.entry(&policy.meta.namespace).or_default().push(&**policy);
        }
        let of_root = policies.get(root).cloned().unwrap_or_default();
        let namespace = |(name, own): (&'p str, Vec<&'p Object<PeerAuthentication>>)| {
            let above = of_root.iter().filter(|_| name != root);
            let inferred = infer(above.chain(&own).copied(), root, name);
            let disables = own.iter().any(|policy| disables(policy));
            (name, Namespace { policies: own, disables, inferred })
        };
        Self {
            root,
            by_namespace: policies.into_iter().map(namespace).collect(),
            elsewhere: infer(of_root.iter().copied(), root, ""),
        }
    }

    /// The mode that clients infer for services of a namespace, which is PERMISSIVE where nothing is known; workload
    /// policies and ports are invisible to them (S-047).
    pub(super) fn of_namespace(&self, namespace: &str) -> &Inferred {
        self.by_namespace.get(namespace).map_or(&self.elsewhere, |found| &found.inferred)
    }

    /// Whether a cluster may use mesh mTLS towards an endpoint that speaks it: the rule's mode decides, else what the
    /// workload accepts on that port (S-049).
    pub(super) fn allow_mtls(&self, rule: Option<ClientTlsMode>, endpoint: &Endpoint) -> bool {
        if let Some(mode) = rule {
            return mode == ClientTlsMode::IstioMutual;
        }
        let namespace = &*endpoint.namespace;
        let own = self.by_namespace.get(namespace).filter(|_| namespace != self.root);
        let levels = || self.by_namespace.get(self.root).into_iter().chain(own);
        if !levels().any(|level| level.disables) {
            return true;
        }
        let policies = levels().flat_map(|level| level.policies.iter().copied());
        let modes = PeerModes::resolve(policies, self.root, namespace, &endpoint.labels);
        *modes.for_port(endpoint.port).value() != Mode::Disable
    }
}

fn infer<'a>(
    policies: impl Iterator<Item = &'a Object<PeerAuthentication>>,
    root: &str,
    namespace: &str,
) -> Inferred {
    match peer::namespace_mode(policies, root, namespace) {
        Some(mode) => (*mode.value(), Some(mode.origin().clone())),
        None => (Mode::Permissive, None),
    }
}

fn disables(policy: &Object<PeerAuthentication>) -> bool {
    let off = |tls: &MutualTls| tls.mode == MutualTlsMode::Disable;
    policy.spec.mtls.as_ref().is_some_and(off) || policy.spec.port_level_mtls.values().any(off)
}

//! What PeerAuthentication lets a client do (S-047, S-049).

use std::collections::BTreeMap;

use mesh_authz::peer::{self, Mode, PeerModes};
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::part::ClientTlsMode;
use mesh_model::security::peer_authentication::PeerAuthentication;

use crate::registry::endpoint::Endpoint;
use crate::view::View;

/// The mesh's PeerAuthentications, by namespace.
#[derive(Debug)]
pub(super) struct Peers<'p> {
    root: &'p str,
    by_namespace: BTreeMap<&'p str, Vec<&'p Object<PeerAuthentication>>>,
}

impl<'p> Peers<'p> {
    pub(super) fn new(view: &View<'p>) -> Self {
        let mut by_namespace: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for policy in view.peer_authentications() {
            by_namespace.entry(&policy.meta.namespace).or_default().push(&**policy);
        }
        Self { root: view.mesh().root_namespace(), by_namespace }
    }

    /// The mode that clients infer for services of a namespace, which is PERMISSIVE where nothing is known; workload
    /// policies and ports are invisible to them (S-047).
    pub(super) fn of_namespace(&self, namespace: &str) -> (Mode, Option<Origin>) {
        match peer::namespace_mode(self.policies(namespace), self.root, namespace) {
            Some((mode, origin)) => (mode, Some(origin)),
            None => (Mode::Permissive, None),
        }
    }

    /// Whether a cluster may use mesh mTLS towards an endpoint that speaks it: the rule's mode decides, else what the
    /// workload accepts on that port (S-049).
    pub(super) fn allow_mtls(&self, rule: Option<ClientTlsMode>, endpoint: &Endpoint) -> bool {
        if let Some(mode) = rule {
            return mode == ClientTlsMode::IstioMutual;
        }
        let namespace = &endpoint.namespace;
        let mut policies = self.policies(namespace).peekable();
        policies.peek().is_none() || {
            let modes = PeerModes::resolve(policies, self.root, namespace, &endpoint.labels);
            modes.for_port(endpoint.port).0 != Mode::Disable
        }
    }

    /// Policies of the mesh and of one namespace: no others reach it.
    fn policies(&self, namespace: &str) -> impl Iterator<Item = &'p Object<PeerAuthentication>> {
        let own = Some(namespace).filter(|namespace| *namespace != self.root);
        let of = |namespace: &str| self.by_namespace.get(namespace).into_iter().flatten().copied();
        of(self.root).chain(own.into_iter().flat_map(of).collect::<Vec<_>>())
    }
}

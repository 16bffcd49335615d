//! PeerAuthentication: which ports of a workload accept what (S-001 to S-030).

use std::collections::BTreeMap;

use mesh_model::name::StringMap;
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::part::WorkloadSelector;
use mesh_model::resolved::{Layer, Level, Resolved};
use mesh_model::security::peer_authentication::PeerAuthentication;
use mesh_model::security::peer_authentication::spec::{MutualTls, MutualTlsMode};
use serde::{Serialize, Serializer};

use crate::selection::selects;

/// What a port accepts.
/// API: security.istio.io/v1 `PeerAuthentication.MutualTLS.Mode`, what is inherited settled (S-008).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// TLS is not ended here.
    Disable,
    /// Plaintext or mutual TLS.
    Permissive,
    /// Mutual TLS only.
    Strict,
}

impl Mode {
    /// `DISABLE`, `PERMISSIVE`, `STRICT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "DISABLE",
            Self::Permissive => "PERMISSIVE",
            Self::Strict => "STRICT",
        }
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The modes of one workload, each with the policies that it shadows (S-003).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerModes {
    /// For every port not listed.
    pub default: Resolved<Mode>,
    /// By port of the workload, not of a Service (S-012).
    pub ports: BTreeMap<u16, Resolved<Mode>>,
}

/// Where there is no policy.
impl Default for PeerModes {
    fn default() -> Self {
        Self { default: built_in(), ports: BTreeMap::new() }
    }
}

impl PeerModes {
    /// Composes the policies of a workload: mesh, namespace and workload level, the oldest of each (S-001 to S-011).
    pub fn resolve<'a>(
        policies: impl IntoIterator<Item = &'a Object<PeerAuthentication>>,
        root_namespace: &str,
        namespace: &str,
        labels: &StringMap,
    ) -> Self {
        let mut winners: BTreeMap<Level, &Object<PeerAuthentication>> = BTreeMap::new();
        for policy in policies {
            let Some(level) = level(policy, root_namespace, namespace) else { continue };
            if selects(policy.spec.selector.as_ref(), labels) {
                keep_older(&mut winners, level, policy);
            }
        }
        let mut default = built_in();
        for (level, policy) in &winners {
            if let Some(mode) = written(policy.spec.mtls.as_ref()) {
                default.offer(Layer::new(mode, *level, origin(policy)));
            }
        }
        let mut ports = BTreeMap::new();
        if let Some(policy) = winners.get(&Level::Workload) {
            for (port, tls) in &policy.spec.port_level_mtls {
                let Ok(number) = u16::try_from(*port) else { continue };
                // S-010: an unset entry takes the workload's mode, whatever level that came from.
                let mode = written(Some(tls)).unwrap_or(*default.value());
                let mut resolved = default.clone();
                let origin = policy.origin(format!("spec.portLevelMtls[\"{port}\"]"));
                resolved.offer(Layer::new(mode, Level::Port, origin));
                ports.insert(number, resolved);
            }
        }
        Self { default, ports }
    }

    /// The mode of a port of the workload (S-011).
    pub fn for_port(&self, port: u16) -> &Resolved<Mode> {
        self.ports.get(&port).unwrap_or(&self.default)
    }
}

/// What clients infer for a service: namespace and mesh policies only (S-014, S-047); `None`: unknown, there is none.
pub fn namespace_mode<'a>(
    policies: impl IntoIterator<Item = &'a Object<PeerAuthentication>>,
    root_namespace: &str,
    namespace: &str,
) -> Option<Resolved<Mode>> {
    let mut winners: BTreeMap<Level, &Object<PeerAuthentication>> = BTreeMap::new();
    for policy in policies {
        match level(policy, root_namespace, namespace) {
            None | Some(Level::Workload) => {}
            Some(level) => keep_older(&mut winners, level, policy),
        }
    }
    let modes = winners.iter().filter_map(|(level, policy)| {
        let mode = written(policy.spec.mtls.as_ref())?;
        Some(Layer::new(mode, *level, origin(policy)))
    });
    let unset = || {
        let (level, policy) = winners.iter().next_back()?;
        Some(Resolved::new(Layer::new(Mode::Permissive, *level, policy.origin("spec"))))
    };
    Resolved::of(modes).or_else(unset)
}

/// Where the mode of a policy is written, or why `STRICT` stands in its place.
fn origin(policy: &Object<PeerAuthentication>) -> Origin {
    policy.refused_at().unwrap_or_else(|| policy.origin("spec.mtls.mode"))
}

fn built_in() -> Resolved<Mode> {
    Resolved::built_in(Mode::Permissive, "PERMISSIVE where no PeerAuthentication says otherwise (S-008)")
}

/// The level of a policy as a workload of `namespace` sees it; `None`: it is not for that namespace (S-001, S-004).
fn level(policy: &Object<PeerAuthentication>, root_namespace: &str, namespace: &str) -> Option<Level> {
    let is_refused = policy.provenance.refused_at.is_some();
    // Of one that was refused, an empty selector says that nobody knows whom it selected.
    let is_one = |selector: &&WorkloadSelector| is_refused || !selector.match_labels.is_empty();
    let selector = policy.spec.selector.as_ref().filter(is_one);
    let own = &*policy.meta.namespace;
    match (own == root_namespace, selector) {
        (true, None) => Some(Level::RootNamespace),
        (true, Some(selector)) if selector.match_labels.is_empty() => Some(Level::RootNamespace),
        // S-004: a selector in the root namespace makes it count for nothing.
        (true, Some(_)) => None,
        (false, _) if own != namespace => None,
        (false, None) => Some(Level::Namespace),
        (false, Some(_)) => Some(Level::Workload),
    }
}

/// S-006: oldest first, then name, then namespace; the loser contributes nothing (S-007).
fn keep_older<'a>(
    winners: &mut BTreeMap<Level, &'a Object<PeerAuthentication>>,
    level: Level,
    policy: &'a Object<PeerAuthentication>,
) {
    let winner = winners.entry(level).or_insert(policy);
    if policy.precedence() < winner.precedence() {
        *winner = policy;
    }
}

/// A mode that is written; `UNSET` and nothing are one (S-009).
fn written(tls: Option<&MutualTls>) -> Option<Mode> {
    match tls?.mode {
        MutualTlsMode::Unset => None,
        MutualTlsMode::Disable => Some(Mode::Disable),
        MutualTlsMode::Permissive => Some(Mode::Permissive),
        MutualTlsMode::Strict => Some(Mode::Strict),
    }
}

#[cfg(test)]
mod tests;

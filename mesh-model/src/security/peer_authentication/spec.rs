//! PeerAuthentication as it is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::port_keys;
use crate::diagnostic::Report;
use crate::document::Document;
use crate::object::{Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{WorkloadSelector, is_default};
use crate::security::stand_in::{self, Scope};

/// Which connections workloads accept: mutual TLS, plaintext or both.
/// API: security.istio.io/v1 `PeerAuthentication`; which one counts is S-001 to S-011.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PeerAuthentication {
    /// Workloads it applies to; unset: the namespace, in the root namespace the mesh (S-003, S-004).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<WorkloadSelector>,
    /// The mode; unset: inherited from the wider scope (S-008, S-009).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtls: Option<MutualTls>,
    /// Modes by port of the workload; only looked at with a selector (S-010, S-012, S-064).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "port_keys::deserialize")]
    pub port_level_mtls: BTreeMap<u32, MutualTls>,
}

/// A mode. API: security.istio.io/v1 `PeerAuthentication.MutualTLS`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MutualTls {
    /// The mode (S-009).
    #[serde(skip_serializing_if = "is_default")]
    pub mode: MutualTlsMode,
}

proto_enum! {
    /// Which connections are accepted.
    /// API: security.istio.io/v1 `PeerAuthentication.MutualTLS.Mode`; what each accepts is S-031 to S-039.
    pub enum MutualTlsMode {
        /// Inherited; `PERMISSIVE` where nothing is inherited (S-008, S-009).
        Unset = "UNSET" = 0,
        /// TLS is not ended here.
        Disable = "DISABLE" = 1,
        /// Plaintext or mutual TLS.
        Permissive = "PERMISSIVE" = 2,
        /// Mutual TLS only.
        Strict = "STRICT" = 3,
    }
}

impl Kind for PeerAuthentication {
    const KIND: &'static str = "PeerAuthentication";
    const GROUP: &'static str = "security.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }

    /// `STRICT` on every port, in the scope that can be read: an empty selector where it cannot.
    fn stand_in(document: &Document) -> Option<Self> {
        let Scope { selector, target_refs: _, is_certain } = stand_in::scope(document);
        let selector = if is_certain { selector } else { Some(WorkloadSelector::default()) };
        let mtls = Some(MutualTls { mode: MutualTlsMode::Strict });
        Some(Self { selector, mtls, port_level_mtls: BTreeMap::new() })
    }

    const REFUSING: &'static str = "accept mutual TLS only";
}

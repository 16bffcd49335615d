//! AuthorizationPolicy as it is written; `rules: []` and `rules: [{}]` stay apart: the first matches nothing, the second everything.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::document::Document;
use crate::object::{Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{PolicyTargetReference, WorkloadSelector, is_default};
use crate::security::stand_in::{self, Scope};

/// Who may do what at which workloads.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct AuthorizationPolicy {
    /// Workloads it applies to; unset: all in scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<WorkloadSelector>,
    /// Older single form of `targetRefs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<PolicyTargetReference>,
    /// Objects (gateways, services) it is attached to; instead of `selector`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<PolicyTargetReference>,
    /// It matches when any rule does; empty: it never matches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// What a match means.
    #[serde(skip_serializing_if = "is_default")]
    pub action: Action,
    /// The provider that `CUSTOM` asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ExtensionProviderReference>,
}

/// Names an external authorizer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ExtensionProviderReference {
    /// Name in `MeshConfig.extensionProviders`.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// Matches when `from`, `to` and `when` all do; one that is empty matches anything.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
    /// Sources; any may match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<From>,
    /// Operations; any may match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<To>,
    /// Conditions; all must match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
}

/// Wraps a source.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct From {
    /// The source; unset is refused by validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Wraps an operation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct To {
    /// The operation; unset is refused by validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

/// Who asks: every list that is not empty must agree, a `not` list by none of its values matching.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Source {
    /// Peer identities without `spiffe://`; exact, prefix `x*`, suffix `*x` or `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// Peer identities that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_principals: Vec<String>,
    /// `iss/sub` of the token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_principals: Vec<String>,
    /// Token principals that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_request_principals: Vec<String>,
    /// Namespaces of the peer identity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Namespaces that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_namespaces: Vec<String>,
    /// `NAMESPACE/NAME`, or `NAME` in the policy's namespace; no patterns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<String>,
    /// Service accounts that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_service_accounts: Vec<String>,
    /// Trust domains of the peer identity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust_domains: Vec<String>,
    /// Trust domains that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_trust_domains: Vec<String>,
    /// Addresses or CIDR blocks of the connection's peer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip_blocks: Vec<String>,
    /// Peer addresses that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_ip_blocks: Vec<String>,
    /// Addresses or CIDR blocks of the original client (`X-Forwarded-For`, PROXY protocol).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_ip_blocks: Vec<String>,
    /// Client addresses that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_remote_ip_blocks: Vec<String>,
}

/// What is asked: every list that is not empty must agree, a `not` list by none of its values matching.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Operation {
    /// Request hosts, in any letter case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Hosts that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_hosts: Vec<String>,
    /// Destination ports as decimal text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Ports that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_ports: Vec<String>,
    /// HTTP methods; for gRPC always `POST`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Methods that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_methods: Vec<String>,
    /// Normalised paths, with `{*}` and `{**}` templates; for gRPC `/package.Service/Method`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Paths that must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_paths: Vec<String>,
}

/// A condition on one attribute; at least one of the lists is needed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    /// Attribute, such as `request.headers[x-user]`.
    #[serde(skip_serializing_if = "is_default")]
    pub key: String,
    /// Any of these must match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// None of these may match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_values: Vec<String>,
}

proto_enum! {
    /// What happens to a request that matches.
    pub enum Action {
        /// Let it through (the default).
        Allow = "ALLOW" = 0,
        /// Refuse it.
        Deny = "DENY" = 1,
        /// Mark it for the audit log.
        Audit = "AUDIT" = 2,
        /// Ask an extension provider.
        Custom = "CUSTOM" = 3,
    }
}

impl Kind for AuthorizationPolicy {
    const KIND: &'static str = "AuthorizationPolicy";
    const GROUP: &'static str = "security.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }

    /// DENY for everything, in the scope that can be read; nothing for what was never meant to refuse.
    fn stand_in(document: &Document) -> Option<Self> {
        if stand_in::enforces_nothing(document) {
            return None;
        }
        let Scope { selector, target_refs, is_certain: _ } = stand_in::scope(document);
        let rules = vec![Rule::default()];
        Some(Self { selector, target_ref: None, target_refs, rules, action: Action::Deny, provider: None })
    }

    const REFUSING: &'static str = "deny everything";
}

//! AuthorizationPolicy as it is written; `rules: []` and `rules: [{}]` stay apart: the first matches nothing, the second everything.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::document::Document;
use crate::object::{Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{PolicyTargetReference, WorkloadSelector, is_default};
use crate::security::stand_in::{self, Scope};

/// Who may do what at which workloads. API: security.istio.io/v1 `AuthorizationPolicy`; decided as S-080 says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct AuthorizationPolicy {
    /// Workloads it applies to; unset: all in scope (S-067, S-070).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<WorkloadSelector>,
    /// Older single form of `targetRefs` (S-072).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<PolicyTargetReference>,
    /// Objects (gateways, services) it is attached to; instead of `selector` (S-073, S-074).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<PolicyTargetReference>,
    /// It matches when any rule does; empty: it never matches (S-087..S-094).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// What a match means (S-076).
    #[serde(skip_serializing_if = "is_default")]
    pub action: Action,
    /// The provider that `CUSTOM` asks (S-104).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ExtensionProviderReference>,
}

/// Names an external authorizer. API: security.istio.io/v1 `AuthorizationPolicy.ExtensionProvider`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ExtensionProviderReference {
    /// Name in `MeshConfig.extensionProviders` (S-104).
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// Matches when `from`, `to` and `when` all do; one that is empty matches anything.
/// API: security.istio.io/v1 `Rule`; the algebra is S-113.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
    /// Sources; any may match (S-096, S-113).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<From>,
    /// Operations; any may match (S-096, S-113).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<To>,
    /// Conditions; all must match (S-113, S-116).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
}

/// Wraps a source. API: security.istio.io/v1 `Rule.From`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct From {
    /// The source; unset is refused by validation (S-096).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Wraps an operation. API: security.istio.io/v1 `Rule.To`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct To {
    /// The operation; unset is refused by validation (S-096).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

/// Who asks: every list that is not empty must agree, a `not` list by none of its values matching.
/// API: security.istio.io/v1 `Source`; the algebra is S-114 and S-115, what a missing attribute means S-117.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Source {
    /// Peer identities without `spiffe://`; exact, prefix `x*`, suffix `*x` or `*` (S-131, S-161).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// Peer identities that must not match (S-115, S-154).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_principals: Vec<String>,
    /// `iss/sub` of the token (S-138, S-318).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_principals: Vec<String>,
    /// Token principals that must not match (S-115, S-156).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_request_principals: Vec<String>,
    /// Namespaces of the peer identity (S-133).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Namespaces that must not match (S-115, S-154).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_namespaces: Vec<String>,
    /// `NAMESPACE/NAME`, or `NAME` in the policy's namespace; no patterns (S-134, S-153).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<String>,
    /// Service accounts that must not match (S-115, S-154).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_service_accounts: Vec<String>,
    /// Trust domains of the peer identity (S-135).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust_domains: Vec<String>,
    /// Trust domains that must not match (S-115, S-146).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_trust_domains: Vec<String>,
    /// Addresses or CIDR blocks of the connection's peer (S-136).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip_blocks: Vec<String>,
    /// Peer addresses that must not match (S-115).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_ip_blocks: Vec<String>,
    /// Addresses or CIDR blocks of the original client (`X-Forwarded-For`, PROXY protocol) (S-137, S-219..S-222).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_ip_blocks: Vec<String>,
    /// Client addresses that must not match (S-115).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_remote_ip_blocks: Vec<String>,
}

/// What is asked: every list that is not empty must agree, a `not` list by none of its values matching.
/// API: security.istio.io/v1 `Operation`; the algebra is S-114 and S-115, on TCP S-122 to S-127.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Operation {
    /// Request hosts, in any letter case (S-177).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Hosts that must not match (S-178).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_hosts: Vec<String>,
    /// Destination ports as decimal text (S-143, S-181).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Ports that must not match (S-181).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_ports: Vec<String>,
    /// HTTP methods; for gRPC always `POST` (S-176).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Methods that must not match (S-115, S-124).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_methods: Vec<String>,
    /// Normalised paths, with `{*}` and `{**}` templates; for gRPC `/package.Service/Method` (S-182..S-185).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Paths that must not match (S-115, S-124).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_paths: Vec<String>,
}

/// A condition on one attribute; at least one of the lists is needed.
/// API: security.istio.io/v1 `Condition`; checked as S-152 says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    /// Attribute, such as `request.headers[x-user]` (S-118, S-131..S-145).
    #[serde(skip_serializing_if = "is_default")]
    pub key: String,
    /// Any of these must match (S-116, S-119).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// None of these may match (S-116, S-117).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_values: Vec<String>,
}

proto_enum! {
    /// What happens to a request that matches.
    /// API: security.istio.io/v1 `AuthorizationPolicy.Action`; the order is S-080.
    pub enum Action {
        /// Let it through (the default).
        Allow = "ALLOW" = 0,
        /// Refuse it.
        Deny = "DENY" = 1,
        /// Mark it for the audit log.
        Audit = "AUDIT" = 2,
        /// Ask an extension provider (S-104, S-111).
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

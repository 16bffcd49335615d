//! What a policy is attached to.

use serde::{Deserialize, Serialize};

use super::is_default;

/// `istio.type.v1beta1.PolicyTargetReference`: an object by group, kind and name.
/// API: type/v1beta1 `PolicyTargetReference`; what it attaches to is S-073.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PolicyTargetReference {
    /// API group; empty: the core group, as for a `Service`.
    #[serde(skip_serializing_if = "is_default")]
    pub group: String,
    /// Kind: `Gateway`, `GatewayClass`, `Service`, `ServiceEntry` (S-074).
    #[serde(skip_serializing_if = "is_default")]
    pub kind: String,
    /// Name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Namespace; must be empty or the policy's own (S-074).
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
}

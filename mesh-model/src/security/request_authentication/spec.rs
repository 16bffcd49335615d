//! RequestAuthentication as it is written.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Report;
use crate::document::Document;
use crate::object::{Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{PolicyTargetReference, WorkloadSelector, is_default};
use crate::security::stand_in::{self, Scope};
use crate::value::Duration;

/// Which tokens workloads accept; a request without one is let through unless a rule asks for it.
/// API: security.istio.io/v1 `RequestAuthentication`; all that match count together (S-259, S-264).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RequestAuthentication {
    /// Workloads it applies to; unset: all in scope (S-258).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<WorkloadSelector>,
    /// Older single form of `targetRefs` (S-072, S-258).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<PolicyTargetReference>,
    /// Objects it is attached to; instead of `selector` (S-073, S-258).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<PolicyTargetReference>,
    /// Accepted issuers; none: it checks nothing (S-260, S-261).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jwt_rules: Vec<JwtRule>,
}

/// One issuer: where its tokens are found and how they are checked. API: security.istio.io/v1 `JWTRule`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct JwtRule {
    /// Expected `iss` claim (S-279).
    #[serde(skip_serializing_if = "is_default")]
    pub issuer: String,
    /// Accepted `aud` values; empty: any (S-281).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// Where the issuer's keys are fetched (S-288, S-290).
    #[serde(alias = "jwks_uri", skip_serializing_if = "is_default")]
    pub jwks_uri: String,
    /// The issuer's keys, inline; instead of `jwksUri` (S-288, S-296).
    #[serde(skip_serializing_if = "is_default")]
    pub jwks: String,
    /// Headers that may carry the token; where no place is named, `Authorization: Bearer` and `access_token` (S-269,
    /// S-270).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from_headers: Vec<JwtHeader>,
    /// Query parameters that may carry it (S-271).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from_params: Vec<String>,
    /// Cookies that may carry it (S-271).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from_cookies: Vec<String>,
    /// Header that gets the payload in base64url; empty: none (S-299).
    #[serde(skip_serializing_if = "is_default")]
    pub output_payload_to_header: String,
    /// Whether the token stays in the request (S-272, S-273).
    #[serde(skip_serializing_if = "is_default")]
    pub forward_original_token: bool,
    /// Claims copied to headers (S-300, E-084).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output_claim_to_headers: Vec<ClaimToHeader>,
    /// Time to fetch the keys; unset: 5 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Claims read as lists split at spaces, beside `scope` and `permission` (S-286).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub space_delimited_claims: Vec<String>,
    /// Whether a token must be there (S-317).
    #[serde(skip_serializing_if = "is_default")]
    pub presence: JwtPresence,
}

/// A header that may carry a token. API: security.istio.io/v1 `JWTHeader`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct JwtHeader {
    /// Header name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Text in front of the token, such as `Bearer ` with its space (S-270, S-275).
    #[serde(skip_serializing_if = "is_default")]
    pub prefix: String,
}

/// A claim copied to a header. API: security.istio.io/v1 `ClaimToHeader`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ClaimToHeader {
    /// Header name (S-300).
    #[serde(skip_serializing_if = "is_default")]
    pub header: String,
    /// Claim name; nested with dots; string, integer or boolean (S-300, E-084).
    #[serde(skip_serializing_if = "is_default")]
    pub claim: String,
}

proto_enum! {
    /// Whether a token must be there. API: security.istio.io/v1 `JWTRule.presence` (S-317).
    pub enum JwtPresence {
        /// It may be missing.
        Optional = "OPTIONAL" = 0,
        /// A request without it is refused.
        Required = "REQUIRED" = 1,
    }
}

impl Kind for RequestAuthentication {
    const KIND: &'static str = "RequestAuthentication";
    const GROUP: &'static str = "security.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }

    /// No rules, in the scope that can be read: that nothing is known of the rules is told by the object's provenance.
    fn stand_in(document: &Document) -> Option<Self> {
        let Scope { selector, target_refs, is_certain: _ } = stand_in::scope(document);
        Some(Self { selector, target_ref: None, target_refs, jwt_rules: Vec::new() })
    }

    const REFUSING: &'static str = "refuse every request: their tokens cannot be verified";
}

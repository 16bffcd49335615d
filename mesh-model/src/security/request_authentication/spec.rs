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
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RequestAuthentication {
    /// Workloads it applies to; unset: all in scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<WorkloadSelector>,
    /// Older single form of `targetRefs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<PolicyTargetReference>,
    /// Objects it is attached to; instead of `selector`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<PolicyTargetReference>,
    /// Accepted issuers; none: it checks nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jwt_rules: Vec<JwtRule>,
}

/// One issuer: where its tokens are found and how they are checked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct JwtRule {
    /// Expected `iss` claim.
    #[serde(skip_serializing_if = "is_default")]
    pub issuer: String,
    /// Accepted `aud` values; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// Where the issuer's keys are fetched.
    #[serde(alias = "jwks_uri", skip_serializing_if = "is_default")]
    pub jwks_uri: String,
    /// The issuer's keys, inline; instead of `jwksUri`.
    #[serde(skip_serializing_if = "is_default")]
    pub jwks: String,
    /// Headers that may carry the token; where no place is named, `Authorization: Bearer` and `access_token`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from_headers: Vec<JwtHeader>,
    /// Query parameters that may carry it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from_params: Vec<String>,
    /// Cookies that may carry it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from_cookies: Vec<String>,
    /// Header that gets the payload in base64url; empty: none.
    #[serde(skip_serializing_if = "is_default")]
    pub output_payload_to_header: String,
    /// Whether the token stays in the request.
    #[serde(skip_serializing_if = "is_default")]
    pub forward_original_token: bool,
    /// Claims copied to headers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output_claim_to_headers: Vec<ClaimToHeader>,
    /// Time to fetch the keys; unset: 5 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Claims read as lists split at spaces, beside `scope` and `permission`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub space_delimited_claims: Vec<String>,
    /// Whether a token must be there.
    #[serde(skip_serializing_if = "is_default")]
    pub presence: JwtPresence,
}

/// A header that may carry a token.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct JwtHeader {
    /// Header name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Text in front of the token, such as `Bearer ` with its space.
    #[serde(skip_serializing_if = "is_default")]
    pub prefix: String,
}

/// A claim copied to a header.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ClaimToHeader {
    /// Header name.
    #[serde(skip_serializing_if = "is_default")]
    pub header: String,
    /// Claim name; nested with dots; string, integer or boolean.
    #[serde(skip_serializing_if = "is_default")]
    pub claim: String,
}

proto_enum! {
    /// Whether a token must be there.
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

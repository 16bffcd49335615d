//! From written token rules to rules that are ready to be asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::security::request_authentication::RequestAuthentication;
use mesh_model::security::request_authentication::spec::JwtRule;

use super::AuthnOptions;
use super::locate::Locations;
use crate::jwt::keys::KeySet;

/// One rule of one resource.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// `RequestAuthentication shop/jwt jwtRules[0]`
    pub(super) label: Arc<str>,
    pub(super) origin: Origin,
    /// Empty: any issuer (S-279).
    pub(super) issuer: String,
    /// Without scheme and trailing slash; empty: any audience (S-281).
    pub(super) audiences: BTreeSet<String>,
    pub(super) locations: Locations,
    pub(super) keys: KeySet,
    /// Whether the token stays in the request (S-272).
    pub(super) forward: bool,
    /// Lower case (S-299).
    pub(super) payload_header: Option<String>,
    /// Lower-case header and path of the claim (S-300).
    pub(super) claim_headers: Vec<(String, String)>,
    /// Claims that are lists in one text (S-286).
    pub(super) space_delimited: BTreeSet<String>,
}

/// All rules, by issuer; rules of one issuer keep the order of their resources (S-259).
pub(super) fn rules(
    resources: &[&Arc<Object<RequestAuthentication>>],
    options: &AuthnOptions<'_>,
) -> (Vec<Rule>, Report) {
    let mut report = Report::new();
    let mut rules = Vec::new();
    for resource in resources {
        for (index, written) in resource.spec.jwt_rules.iter().enumerate() {
            let origin = resource.origin(format!("spec.jwtRules[{index}]"));
            let label = format!(
                "{} {}/{} jwtRules[{index}]",
                "RequestAuthentication", resource.meta.namespace, resource.meta.name
            );
            rules.push(rule(written, label.into(), origin, options, &mut report));
        }
    }
    rules.sort_by(|a, b| a.issuer.cmp(&b.issuer));
    (rules, report)
}

fn rule(
    written: &JwtRule,
    label: Arc<str>,
    origin: Origin,
    options: &AuthnOptions<'_>,
    report: &mut Report,
) -> Rule {
    let keys = keys(written, &origin, options, report);
    let lists = ["scope", "permission"].map(str::to_owned);
    let payload_header = &written.output_payload_to_header;
    Rule {
        label,
        issuer: written.issuer.clone(),
        audiences: written
            .audiences
            .iter()
            .map(|audience| comparable_audience(audience).to_owned())
            .collect(),
        locations: Locations::new(written),
        keys,
        forward: written.forward_original_token,
        payload_header: (!payload_header.is_empty()).then(|| payload_header.to_ascii_lowercase()),
        claim_headers: written
            .output_claim_to_headers
            .iter()
            .map(|output| (output.header.to_ascii_lowercase(), output.claim.clone()))
            .collect(),
        space_delimited: lists.into_iter().chain(written.space_delimited_claims.iter().cloned()).collect(),
        origin,
    }
}

/// S-288: inline keys before fetched ones; keys that cannot be had refuse every token (S-291).
fn keys(written: &JwtRule, origin: &Origin, options: &AuthnOptions<'_>, report: &mut Report) -> KeySet {
    let (text, place) = if written.jwks.is_empty() {
        let Some(text) = options.keys.keys(&written.issuer, &written.jwks_uri) else {
            return KeySet::Absent;
        };
        (text, origin.child(".jwksUri"))
    } else {
        (written.jwks.clone(), origin.child(".jwks"))
    };
    let keys = KeySet::parse(&text);
    if matches!(keys, KeySet::Unusable) {
        report.push(
            Diagnostic::new(Code::InvalidValue, &place, "no usable key in the key set")
                .help("every token of this issuer is refused"),
        );
    }
    keys
}

/// S-281: a scheme in front and one slash at the end do not count.
pub(super) fn comparable_audience(audience: &str) -> &str {
    let bare = audience.strip_prefix("https://").or_else(|| audience.strip_prefix("http://"));
    let bare = bare.unwrap_or(audience);
    bare.strip_suffix('/').unwrap_or(bare)
}

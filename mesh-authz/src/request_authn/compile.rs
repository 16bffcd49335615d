//! From written token rules to rules that are ready to be asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report, Severity};
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::security::request_authentication::RequestAuthentication;
use mesh_model::security::request_authentication::spec::{JwtPresence, JwtRule};
use mesh_model::value::Duration;

use super::locate::Locations;
use super::{AuthnOptions, RemoteKeys};
use crate::jwt::keys::{KeySet, Reading};
use crate::jwt::token::Form;
use crate::profile::Profile;

/// One rule of one resource.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// `RequestAuthentication shop/jwt jwtRules[0]`
    pub(super) label: Arc<str>,
    pub(super) origin: Origin,
    /// Empty: any issuer (S-279).
    pub(super) issuer: Arc<str>,
    /// Without scheme and trailing slash; empty: any audience (S-281).
    pub(super) audiences: BTreeSet<String>,
    pub(super) locations: Locations,
    pub(super) keys: Arc<KeySet>,
    pub(super) keys_from: KeysFrom,
    /// Whether a request without token is refused (S-317).
    pub(super) is_required: bool,
    pub(super) form: Form,
    /// Whether the token stays in the request (S-272).
    pub(super) forward: bool,
    /// Lower case (S-299).
    pub(super) payload_header: Option<Arc<str>>,
    /// Lower-case header and path of the claim (S-300).
    pub(super) claim_headers: Vec<(Arc<str>, String)>,
    /// Claims that are lists in one text (S-286).
    pub(super) space_delimited: Arc<BTreeSet<String>>,
}

/// A resource that was refused and has no good version.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    /// `RequestAuthentication shop/jwt (refused, no good version)`
    pub(super) label: Arc<str>,
    pub(super) origin: Origin,
}

/// The resources that only stand for what was refused.
pub(super) fn refused(resources: &[&Arc<Object<RequestAuthentication>>]) -> Vec<Refused> {
    let refused = |resource: &&Arc<Object<RequestAuthentication>>| {
        let (namespace, name) = (&resource.meta.namespace, &resource.meta.name);
        let label = format!("RequestAuthentication {namespace}/{name} (refused, no good version)").into();
        Some(Refused { label, origin: resource.refused_at()? })
    };
    resources.iter().filter_map(refused).collect()
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
    let keys_from = KeysFrom::new(written);
    let keys = Arc::new(keys_from.read(options, &origin, report));
    let is_hardened = options.profile == Profile::Hardened;
    let lists = ["scope", "permission"].map(str::to_owned);
    let payload_header = &written.output_payload_to_header;
    Rule {
        label,
        issuer: written.issuer.as_str().into(),
        audiences: written
            .audiences
            .iter()
            .map(|audience| comparable_audience(audience).to_owned())
            .collect(),
        locations: Locations::new(written, options.profile),
        keys,
        keys_from,
        is_required: is_hardened && written.presence == JwtPresence::Required,
        form: if is_hardened { Form::Strict } else { Form::Lenient },
        forward: written.forward_original_token,
        payload_header: (!payload_header.is_empty()).then(|| payload_header.to_ascii_lowercase().into()),
        claim_headers: written
            .output_claim_to_headers
            .iter()
            .map(|output| (output.header.to_ascii_lowercase().into(), output.claim.clone()))
            .collect(),
        space_delimited: Arc::new(
            lists.into_iter().chain(written.space_delimited_claims.iter().cloned()).collect(),
        ),
        origin,
    }
}

/// Where a rule's keys come from (S-288: inline keys before fetched ones).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeysFrom {
    Inline(String),
    Fetched(RemoteKeys),
}

impl KeysFrom {
    fn new(written: &JwtRule) -> Self {
        if written.jwks.is_empty() {
            let timeout_ms = written
                .timeout
                .and_then(Duration::to_std)
                .and_then(|timeout| u64::try_from(timeout.as_millis()).ok());
            Self::Fetched(RemoteKeys {
                issuer: written.issuer.clone(),
                jwks_uri: written.jwks_uri.clone(),
                timeout_ms: timeout_ms.filter(|timeout| *timeout > 0).unwrap_or(RemoteKeys::TIMEOUT_MS),
            })
        } else {
            Self::Inline(written.jwks.clone())
        }
    }

    /// The keys; those that cannot be had refuse every token (S-291).
    pub(super) fn read(&self, options: &AuthnOptions<'_>, origin: &Origin, report: &mut Report) -> KeySet {
        let profile = options.profile;
        let (keys, place) = match self {
            Self::Inline(text) => {
                (KeySet::parse(text, Reading { takes_secrets: true, profile }), origin.child(".jwks"))
            }
            Self::Fetched(remote) => {
                let Some(text) = options.keys.keys(&remote.issuer, &remote.jwks_uri) else {
                    return KeySet::Absent;
                };
                (KeySet::parse(&text, Reading { takes_secrets: false, profile }), origin.child(".jwksUri"))
            }
        };
        match &keys {
            KeySet::Unusable => report.push(
                Diagnostic::new(Code::InvalidValue, &place, "no usable key in the key set")
                    .help("every token of this issuer is refused"),
            ),
            KeySet::Keys(keys) if keys.left_out > 0 => report.push(
                Diagnostic::new(
                    Code::InvalidValue,
                    &place,
                    format!("{} of the keys cannot be used and are left out", keys.left_out),
                )
                .severity(Severity::Warning)
                .help(
                    "RSA keys have 2048 to 8192 bits and the exponent 3 or 65537; secrets are never fetched",
                ),
            ),
            KeySet::Keys(_) | KeySet::Absent => {}
        }
        keys
    }
}

/// S-281: a scheme in front and one slash at the end do not count.
pub(super) fn comparable_audience(audience: &str) -> &str {
    let bare = audience.strip_prefix("https://").or_else(|| audience.strip_prefix("http://"));
    let bare = bare.unwrap_or(audience);
    bare.strip_suffix('/').unwrap_or(bare)
}

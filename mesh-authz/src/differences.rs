//! Which objects decide otherwise under [`Profile::Hardened`] than under [`Profile::Istio`].
//!
//! ```
//! use mesh_authz::differences;
//! use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
//! use mesh_model::yaml::{LoadOptions, load};
//!
//! let text = "
//! apiVersion: security.istio.io/v1
//! kind: AuthorizationPolicy
//! metadata: {name: nobody, namespace: shop}
//! spec: {action: DENY}
//! ";
//! let mut config = ConfigSet::new();
//! // Admission would refuse it; here it is in force all the same.
//! let accept = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
//! let loaded = load("shop.yaml", text, &LoadOptions::default());
//! config.apply_with(loaded.documents.into_iter().map(Change::Upsert), accept);
//! let policy = config.authorization_policies.iter().next().ok_or("no policy")?;
//! // A DENY policy without rules has no effect in Istio, which nobody can have meant.
//! let difference = differences::of_policy(policy).ok_or("no difference")?;
//! assert_eq!(difference.at.field, "spec");
//! # Ok::<(), &str>(())
//! ```

use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::request_authentication::RequestAuthentication;
use mesh_model::security::request_authentication::spec::JwtPresence;

use crate::jwt::keys::{KeySet, Reading};
use crate::policy_set::{PolicyOptions, PolicySet, Protocol};
use crate::profile::Profile;

/// A policy that refuses and is not understood (S-075, S-091, S-092, S-118, S-128); `None`: both profiles read it alike.
pub fn of_policy(policy: &Arc<Object<AuthorizationPolicy>>) -> Option<Diagnostic> {
    let problems = |profile| {
        let options = PolicyOptions { profile, ..PolicyOptions::default() };
        PolicySet::compile(&[policy], Protocol::Http, &options).1.len()
    };
    // The safer reading says that it refuses everything.
    if problems(Profile::Hardened) == problems(Profile::Istio) {
        return None;
    }
    let istio = if policy.spec.rules.is_empty() { "has no effect" } else { "leaves out what it cannot use" };
    Some(difference(
        Code::HardenedPolicy,
        &policy.origin("spec"),
        format!("under the `hardened` profile this policy denies everything in its scope; here it {istio}"),
        "repair the policy, or remove it",
    ))
}

/// Token rules that want a token (S-317), or whose keys are partly left out (S-284: exponents, lengths of secrets).
pub fn of_token_rules(resource: &Arc<Object<RequestAuthentication>>) -> Report {
    let mut report = Report::new();
    for (index, rule) in resource.spec.jwt_rules.iter().enumerate() {
        let place = |field| resource.origin(format!("spec.jwtRules[{index}].{field}"));
        if rule.presence == JwtPresence::Required {
            let message =
                "under the `hardened` profile a request without token is answered 401; here it passes";
            let help = "an AuthorizationPolicy with `requestPrincipals: [\"*\"]` refuses it in both profiles";
            report.push(difference(Code::HardenedTokenRule, &place("presence"), message.to_owned(), help));
        }
        let usable = |profile| match KeySet::parse(&rule.jwks, Reading { takes_secrets: true, profile }) {
            KeySet::Keys(keys) => Some(keys.left_out),
            KeySet::Unusable | KeySet::Absent => None,
        };
        if !rule.jwks.is_empty() && usable(Profile::Istio) != usable(Profile::Hardened) {
            let message = "under the `hardened` profile RSA keys with the exponent 3, and secrets shorter than their \
                           hash, are left out; here they count";
            report.push(difference(
                Code::HardenedTokenRule,
                &place("jwks"),
                message.to_owned(),
                "make RSA keys with the exponent 65537, secrets of 32, 48 or 64 bytes",
            ));
        }
    }
    report
}

fn difference(code: Code, place: &Origin, message: String, help: &str) -> Diagnostic {
    Diagnostic::new(code, place, message).help(help)
}

//! What Istio refuses or warns about in a RequestAuthentication (S-295 to S-298).

use serde_json::Value;

use super::spec::{JwtRule, RequestAuthentication};
use crate::check::{Checked, Checker, Path, Problem, header, short, target_reference, value};
use crate::diagnostic::Report;
use crate::object::Object;

const SPEC: Path<'static> = Path::Root("spec");

/// Checks an object.
pub(super) fn validate(object: &Object<RequestAuthentication>, report: &mut Report) {
    let RequestAuthentication { selector, target_ref, target_refs, jwt_rules } = &object.spec;
    let found = &mut Checker::new(object, report);
    target_reference::attachment(found, &SPEC, selector.as_ref(), target_ref.as_ref(), target_refs);
    let rules = SPEC.field("jwtRules");
    found.at_most(&rules, jwt_rules.len(), 4096);
    for (index, rule) in jwt_rules.iter().enumerate() {
        jwt_rule(found, &rules.index(index), rule);
    }
}

fn jwt_rule(found: &mut Checker<'_>, at: &Path<'_>, rule: &JwtRule) {
    for name in ["issuer", "jwksUri"] {
        let is_empty = found.written(&at.field(name)).is_some_and(|node| node.as_str() == Some(""));
        found.require(!is_empty, &at.field(name), || {
            Problem::invalid(format!("`{name}` is empty")).help(format!("write a value, or remove `{name}`"))
        });
    }
    found.require(!rule.issuer.is_empty() || !rule.jwks_uri.is_empty(), at, || {
        Problem::missing("`issuer` or `jwksUri` is required").help("add the issuer of the tokens")
    });
    // The schema asks which of them are written, be it with nothing.
    let has_keys = !rule.jwks.is_empty() || found.is_written(&at.field("jwks"));
    found.at_most_one(at, &[("jwksUri", !rule.jwks_uri.is_empty()), ("jwks", has_keys)]);
    if !rule.jwks_uri.is_empty() {
        found.check(&at.field("jwksUri"), http_url(&rule.jwks_uri));
        found.no_longer_than(&at.field("jwksUri"), &rule.jwks_uri, 2048);
    }
    if !rule.jwks.is_empty() {
        key_set(found, &at.field("jwks"), &rule.jwks);
    }
    found.each(&at.field("audiences"), &rule.audiences, not_empty);
    found.each(&at.field("fromParams"), &rule.from_params, not_empty);
    found.each(&at.field("fromCookies"), &rule.from_cookies, not_empty);
    found.at_most(&at.field("spaceDelimitedClaims"), rule.space_delimited_claims.len(), 64);
    found.each(&at.field("spaceDelimitedClaims"), &rule.space_delimited_claims, not_empty);
    for (index, place) in rule.from_headers.iter().enumerate() {
        found.require(!place.name.is_empty(), &at.field("fromHeaders").index(index), || {
            Problem::missing("`name` is required").help("add the name of the header")
        });
    }
    for (index, copy) in rule.output_claim_to_headers.iter().enumerate() {
        let list = at.field("outputClaimToHeaders");
        let at = list.index(index);
        found.require(!copy.claim.is_empty(), &at, || {
            Problem::missing("`claim` is required").help("add the name of the claim")
        });
        if copy.header.is_empty() {
            found.find(&at, Problem::missing("`header` is required").help("add the name of the header"));
        } else {
            found.check(&at.field("header"), header::strict_name(&copy.header));
        }
    }
    if let Some(timeout) = rule.timeout {
        found.check(&at.field("timeout"), value::duration(timeout));
    }
}

fn not_empty(text: &str) -> Checked {
    if text.is_empty() {
        Err(Problem::invalid("an empty text").help("write a text, or remove the entry"))
    } else {
        Ok(())
    }
}

/// A URL as Go reads it, of scheme `http` or `https`, its port a number.
fn http_url(text: &str) -> Checked {
    let problem = |why: &str| {
        Problem::invalid(format!("`{}` {why}", short(text)))
            .help("an address that starts with `https://` or `http://`")
    };
    let (scheme, rest) = text.split_once(':').ok_or_else(|| problem("is not a URL"))?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(problem("has neither scheme `http` nor `https`"));
    }
    if text.chars().any(char::is_control) {
        return Err(problem("holds a control character"));
    }
    let Some(rest) = rest.strip_prefix("//") else { return Ok(()) };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let after_address = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
    let port = after_address.rsplit_once(':').map_or("", |(_, port)| port);
    if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.contains(' ') {
        return Ok(());
    }
    Err(problem("has a port that is not a number"))
}

/// A JSON Web Key Set, or a single key; only its shape is looked at here.
fn key_set(found: &mut Checker<'_>, at: &Path<'_>, text: &str) {
    let Ok(json) = serde_json::from_str::<Value>(text) else {
        found.find(
            at,
            Problem::invalid("the keys are not JSON")
                .help("`jwks` holds the key set itself, not its address"),
        );
        return;
    };
    let single = std::slice::from_ref(&json);
    let keys = match json.get("keys") {
        Some(Value::Array(keys)) => keys.as_slice(),
        None if json.get("kty").is_some() => single,
        _ => {
            found.find(
                at,
                Problem::invalid("a key set has a list `keys`")
                    .help("write a JSON Web Key Set: `{\"keys\": [..]}`"),
            );
            return;
        }
    };
    for (index, key) in keys.iter().enumerate() {
        found.check(at, one_key(key, index));
        if key.get("d").is_some() || key.get("k").is_some() {
            let problem = Problem::suspicious(format!("key {index} holds private or symmetric material"));
            found.find(
                at,
                problem.help("only public keys are needed; replace this one, it is no longer secret"),
            );
        }
    }
}

/// A key has the members that its type asks for.
fn one_key(key: &Value, index: usize) -> Checked {
    let text = |name: &str| key.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let needed: &[&str] = match text("kty") {
        Some("RSA") => &["n", "e"],
        Some("EC") => &["crv", "x", "y"],
        Some("OKP") => &["crv", "x"],
        Some("oct") => &["k"],
        Some(other) => {
            return Err(Problem::invalid(format!("key {index} has unknown type `{}`", short(other)))
                .help("use a public key: of type `RSA`, `EC` or `OKP`"));
        }
        None => {
            return Err(Problem::invalid(format!("key {index} has no `kty`"))
                .help("add the type of the key, for example `\"kty\": \"RSA\"`"));
        }
    };
    match needed.iter().find(|name| text(name).is_none()) {
        Some(name) => {
            Err(Problem::invalid(format!("key {index} has no `{name}`")).help(format!("add `{name}`")))
        }
        None => Ok(()),
    }
}

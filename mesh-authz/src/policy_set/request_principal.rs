//! `requestPrincipals`: issuer and subject of a token, split the way Istio splits them (S-318 to S-328).

use crate::pattern::StringPattern;
use crate::verdict::Claims;

/// What both claims must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RequestPrincipal {
    pub(super) issuer: StringPattern,
    pub(super) subject: StringPattern,
}

impl RequestPrincipal {
    /// Reads `ISSUER/SUBJECT`; the last slash divides, since issuers are often addresses.
    pub(super) fn parse(value: &str) -> Self {
        use StringPattern::{Exact, NonEmpty, Prefix, Suffix};
        let divided = value.rsplit_once('/');
        let (issuer, subject) = match (value, divided) {
            ("*", _) => (NonEmpty, NonEmpty),
            (_, Some((issuer, subject))) => match issuer.strip_prefix('*') {
                Some("") => (NonEmpty, Exact(subject.into())),
                Some(end) => (Suffix(end.into()), Exact(subject.into())),
                None => match subject.strip_suffix('*') {
                    Some("") => (Exact(issuer.into()), NonEmpty),
                    Some(start) => (Exact(issuer.into()), Prefix(start.into())),
                    None => (Exact(issuer.into()), Exact(subject.into())),
                },
            },
            (_, None) => {
                if let Some(end) = value.strip_prefix('*') {
                    (NonEmpty, Suffix(end.into()))
                } else if let Some(start) = value.strip_suffix('*') {
                    (Prefix(start.into()), NonEmpty)
                } else {
                    (Exact(value.into()), Exact("".into()))
                }
            }
        };
        Self { issuer, subject }
    }

    /// Both claims are there and fit.
    pub(super) fn matches(&self, claims: &Claims) -> bool {
        claims.issuer().is_some_and(|issuer| self.issuer.matches(issuer.as_bytes()))
            && claims.subject().is_some_and(|subject| self.subject.matches(subject.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(value: &str, issuer: &str, subject: &str) -> bool {
        let serde_json::Value::Object(payload) = json!({"iss": issuer, "sub": subject}) else {
            unreachable!()
        };
        RequestPrincipal::parse(value).matches(&Claims::new(payload))
    }

    #[test]
    fn s319_to_s327_forms() {
        assert!(holds("*", "i", "s") && !holds("*", "i", "") && !holds("*", "", "s"));
        assert!(holds("a/b/s", "a/b", "s") && !holds("a/b/s", "a", "b/s"));
        assert!(holds("i/*", "i", "x") && !holds("i/*", "i", ""));
        assert!(holds("i/p*", "i", "pq") && !holds("i/p*", "i", "q"));
        assert!(holds("*/s", "any", "s") && !holds("*/s", "any", "t"));
        assert!(holds("*x/s", "ax", "s") && !holds("*x/s", "a", "s"));
        assert!(holds("*s", "i", "as") && holds("p*", "pi", "any"));
        assert!(holds("v", "v", "") && !holds("v", "v", "s"));
    }

    #[test]
    fn s328_the_last_slash_divides() {
        assert!(!holds("https://acc*", "https://accounts", "s"));
        assert!(holds("https://accounts.example.com/*", "https://accounts.example.com", "s"));
    }

    #[test]
    fn s157_a_token_without_subject_fits_nothing() {
        let serde_json::Value::Object(payload) = json!({"iss": "i"}) else { unreachable!() };
        let claims = Claims::new(payload);
        assert!(!RequestPrincipal::parse("*").matches(&claims));
        assert!(!RequestPrincipal::parse("i").matches(&claims));
    }
}

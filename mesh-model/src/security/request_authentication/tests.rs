use serde_json::{Value, json};

use crate::check::testing::problems;

const NONE: [&str; 0] = [];

/// The problems of one rule, without the path that leads to it.
fn rule(rule: &Value) -> Vec<String> {
    let found = problems("security.istio.io/v1", "RequestAuthentication", &json!({"jwtRules": [rule]}));
    found.iter().map(|line| line.replace("spec.jwtRules[0]", "r")).collect()
}

#[test]
fn an_issuer_or_an_address_of_keys_is_there() {
    assert_eq!(rule(&json!({"issuer": "a"})), NONE);
    assert_eq!(rule(&json!({"jwksUri": "https://a.com/keys"})), NONE);
    assert_eq!(rule(&json!({})), ["missing-field r"]);
    assert_eq!(
        rule(&json!({"issuer": "a", "jwksUri": "https://a", "jwks": "{\"keys\": []}"})),
        ["conflict r.jwks"]
    );
    // The rule of the schema (istio/api, `JWTRule`) asks whether both are written.
    assert_eq!(rule(&json!({"issuer": "a", "jwksUri": "https://a", "jwks": ""})), ["conflict r.jwks"]);
    assert_eq!(rule(&json!({"issuer": "a", "jwks": ""})), NONE);
}

#[test]
fn keys_are_fetched_over_http() {
    for good in ["https://a.com", "http://a.com:8080/x?y", "https://[::1]:443/"] {
        assert_eq!(rule(&json!({"jwksUri": good})), NONE, "{good}");
    }
    for bad in ["a.com", "ftp://a.com", "https://a.com:x/", "://a"] {
        assert_eq!(rule(&json!({"jwksUri": bad})), ["invalid-value r.jwksUri"], "{bad}");
    }
}

#[test]
fn inline_keys_are_a_set_of_public_keys() {
    let keys = |text: &str| rule(&json!({"issuer": "a", "jwks": text}));
    assert_eq!(keys(r#"{"keys": [{"kty": "RSA", "n": "a", "e": "AQAB"}]}"#), NONE);
    assert_eq!(keys("https://a.com"), ["invalid-value r.jwks"]);
    assert_eq!(keys(r#"{"keys": [{"kty": "RSA"}]}"#), ["invalid-value r.jwks"]);
    assert_eq!(
        keys(r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "d": "c"}]}"#),
        ["suspicious r.jwks"]
    );
}

#[test]
fn places_of_tokens_have_names() {
    assert_eq!(
        rule(
            &json!({"issuer": "a", "audiences": [""], "fromHeaders": [{}], "fromParams": [""], "fromCookies": [""]})
        ),
        [
            "invalid-value r.audiences[0]",
            "invalid-value r.fromParams[0]",
            "invalid-value r.fromCookies[0]",
            "missing-field r.fromHeaders[0]"
        ]
    );
    assert_eq!(
        rule(
            &json!({"issuer": "a", "outputClaimToHeaders": [{"header": "a b", "claim": "c"}, {"header": "a"}]})
        ),
        ["invalid-name r.outputClaimToHeaders[0].header", "missing-field r.outputClaimToHeaders[1]"]
    );
    assert_eq!(rule(&json!({"issuer": "a", "timeout": "0s"})), ["invalid-value r.timeout"]);
}

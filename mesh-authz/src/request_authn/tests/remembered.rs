//! Tokens that were accepted once, and for how long that counts.

use super::*;
use crate::jwt::token::{Decoded, Form, Token};

#[test]
fn a_remembered_token_expires_all_the_same() {
    let authn = compile(&[rule(json!({}))]).with_token_cache(64);
    let headers = bearer("alice");
    let request = request("GET", "/", &headers);
    let (text, mut decoded) = (token("alice"), Decoded::default());
    let expires = Token::parse(text.as_bytes(), Form::Lenient, &mut decoded).unwrap().times.expires;
    let last = i64::try_from(expires).unwrap() + 60;
    for (now, passes) in [(NOW, true), (last, true), (last + 1, false), (NOW, true)] {
        let passed = matches!(authn.authenticate(&request, now, &mut ()), Authenticated::Passed { .. });
        assert_eq!(passed, passes, "{now}");
    }
}

#[test]
fn only_accepted_tokens_are_remembered_each_for_its_rule() {
    let strict = rule(json!({ "audiences": ["x"] }));
    let authn = compile(&[strict, rule(json!({}))]).with_token_cache(64);
    let remembered = || authn.cache.as_ref().unwrap().len();
    for text in ["expired", "alice", "alice"] {
        let headers = bearer(text);
        authn.authenticate(&request("GET", "/", &headers), NOW, &mut ());
    }
    assert_eq!(remembered(), 1);
    let headers = [("authorization", format!("Bearer {}A", token("alice")))];
    let answer = authn.authenticate(&request("GET", "/", &headers), NOW, &mut ());
    assert!(matches!(answer, Authenticated::Rejected { .. }), "{answer:?}");
    assert_eq!(remembered(), 1);
}

#[test]
fn a_remembered_token_goes_with_its_key() {
    struct Now(&'static str);
    impl KeySource for Now {
        fn keys(&self, _: &str, _: &str) -> Option<String> {
            Some(json!({ "keys": [testdata()["keys"][self.0]] }).to_string())
        }
    }
    let remote = resource("shop", "jwt", json!([{ "issuer": ISSUER, "jwksUri": "https://keys" }]));
    let options = AuthnOptions { keys: &Now("RSA"), ..AuthnOptions::default() };
    let before = RequestAuthn::compile(&[&remote], &options).0.unwrap().with_token_cache(64);
    let headers =
        [("authorization", format!("Bearer {}", testdata()["by_algorithm"]["RS256"].as_str().unwrap()))];
    let request = request("GET", "/", &headers);
    for _ in 0..2 {
        assert!(matches!(before.authenticate(&request, NOW, &mut ()), Authenticated::Passed { .. }));
    }
    assert_eq!(before.cache.as_ref().unwrap().len(), 1);
    let (after, _) = before.with_keys(&Now("P-256"));
    let answer = after.authenticate(&request, NOW, &mut ());
    assert!(matches!(answer, Authenticated::Rejected { status: 401, .. }), "{answer:?}");
    let (again, _) = after.with_keys(&Now("RSA"));
    assert!(matches!(again.authenticate(&request, NOW, &mut ()), Authenticated::Passed { .. }));
}

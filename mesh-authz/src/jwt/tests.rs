//! Tokens made by other code (Python's `cryptography`), `testdata/tokens.json`.

mod made;
mod vectors;

use serde_json::{Value, json};

use super::keys::{KeySet, Reading};
use super::status::Status;
use super::token::{Form, Token};
use crate::profile::Profile;

fn testdata() -> Value {
    serde_json::from_str(include_str!("testdata/tokens.json")).unwrap()
}

fn parse_keys(text: &str) -> KeySet {
    KeySet::parse(text, Reading { takes_secrets: true, profile: Profile::Istio })
}

/// A token that lives as long as the test.
fn take_apart(text: &[u8]) -> Result<Token<'static>, Status> {
    Token::parse(text.to_vec().leak(), Form::Lenient, Box::leak(Box::default()))
}

fn key_set(names: &[&str], change: impl Fn(&mut Value)) -> KeySet {
    let data = testdata();
    let keys: Vec<Value> = names
        .iter()
        .map(|name| {
            let mut key = data["keys"][name].clone();
            assert!(key.is_object(), "{name}");
            change(&mut key);
            key
        })
        .collect();
    parse_keys(&json!({ "keys": keys }).to_string())
}

fn token(algorithm: &str) -> Token<'static> {
    take_apart(testdata()["by_algorithm"][algorithm].as_str().unwrap().as_bytes()).unwrap()
}

const EVERY_KEY: &[&str] = &["RSA", "P-256", "P-384", "P-521", "oct", "OKP"];

#[test]
fn s277_every_algorithm_verifies_with_its_key_alone() {
    for (algorithm, key) in [
        ("RS256", "RSA"),
        ("RS384", "RSA"),
        ("RS512", "RSA"),
        ("PS256", "RSA"),
        ("PS384", "RSA"),
        ("PS512", "RSA"),
        ("ES256", "P-256"),
        ("ES384", "P-384"),
        ("ES512", "P-521"),
        ("HS256", "oct"),
        ("HS384", "oct"),
        ("HS512", "oct"),
        ("EdDSA", "OKP"),
    ] {
        let token = token(algorithm);
        assert_eq!(key_set(EVERY_KEY, |_| {}).verify(&token), Ok(()), "{algorithm}");
        for other in EVERY_KEY {
            let anonymous = |key: &mut Value| drop(key.as_object_mut().unwrap().remove("kid"));
            let verdict = key_set(&[other], anonymous).verify(&token);
            assert_eq!(verdict.is_ok(), *other == key, "{algorithm} with {other}");
        }
    }
}

#[test]
fn s282_kid_and_alg_choose_the_key() {
    let rename = |key: &mut Value| key["kid"] = json!("other");
    assert_eq!(key_set(&["RSA"], rename).verify(&token("RS256")), Err(Status::NoMatchingKey));
    let pin = |key: &mut Value| key["alg"] = json!("RS512");
    assert_eq!(key_set(&["RSA"], pin).verify(&token("RS256")), Err(Status::NoMatchingKey));
    assert_eq!(key_set(&["RSA"], pin).verify(&token("RS512")), Ok(()));
    let empty = |key: &mut Value| key["kid"] = json!("");
    assert_eq!(key_set(&["RSA"], empty).verify(&token("RS256")), Ok(()));
}

#[test]
fn s283_a_public_key_is_never_a_secret() {
    // The classic confusion: HS256 keyed with the text of an RSA key.
    let mut token = token("HS256");
    token.key_id = None;
    assert_eq!(key_set(&["RSA"], |_| {}).verify(&token), Err(Status::VerificationFails));
}

#[test]
fn s284_unusable_members_are_left_out() {
    let odd = |key: &mut Value| key["e"] = json!("AAAF");
    assert_eq!(key_set(&["RSA"], odd).verify(&token("RS256")), Err(Status::NoValidKeys));
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[{"kty":"RSA"},{"kty":"x"},1]}"#] {
        assert_eq!(parse_keys(text).verify(&token("RS256")), Err(Status::NoValidKeys), "{text}");
    }
    let data = testdata();
    let mixed = json!({"keys": [{"kty": "RSA"}, data["keys"]["RSA"]]}).to_string();
    assert_eq!(parse_keys(&mixed).verify(&token("RS256")), Ok(()));
}

#[test]
fn a_changed_byte_breaks_every_signature() {
    for algorithm in ["RS256", "PS256", "ES256", "HS256", "EdDSA"] {
        let mut token = token(algorithm);
        token.signed.to_mut().push(b'A');
        assert_eq!(key_set(EVERY_KEY, |_| {}).verify(&token), Err(Status::VerificationFails), "{algorithm}");
    }
    let mut token = token("EdDSA");
    token.signature = token.signature.split_last().unwrap().1;
    assert_eq!(key_set(EVERY_KEY, |_| {}).verify(&token), Err(Status::SignatureWrongLength));
}

/// A token with this header and payload, and any signature.
fn with(header: &str, payload: &str) -> Result<Token<'static>, Status> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    take_apart(format!("{}.{}.AAAA", BASE64.encode(header), BASE64.encode(payload)).as_bytes())
}

#[test]
fn s276_to_s278_the_first_complaint_is_envoys() {
    let parse = |text: &str| take_apart(text.as_bytes()).map(|_| ());
    for text in ["", "x", "a.b", "a.b.", "a.b.c.d", ".."] {
        assert_eq!(parse(text), Err(Status::BadFormat), "{text}");
    }
    assert_eq!(parse("a*.b.c"), Err(Status::HeaderBadBase64));
    assert_eq!(parse("YQ.b.c"), Err(Status::HeaderBadJson));
    let alg = r#"{"alg":"RS256"}"#;
    let wrong = |header, payload| with(header, payload).map(|_| ());
    assert_eq!(wrong("{}", "{}"), Err(Status::HeaderBadAlg));
    assert_eq!(wrong(r#"{"alg":5}"#, "{}"), Err(Status::HeaderBadAlg));
    assert_eq!(wrong(r#"{"alg":"none"}"#, "{}"), Err(Status::HeaderAlgNotSupported));
    assert_eq!(wrong(r#"{"alg":"RS256","kid":1}"#, "{}"), Err(Status::HeaderBadKid));
    assert_eq!(wrong(alg, "[]"), Err(Status::PayloadBadJson));
    assert_eq!(wrong(alg, r#"{"iss":1}"#), Err(Status::IssNotString));
    assert_eq!(wrong(alg, r#"{"sub":null}"#), Err(Status::SubNotString));
    assert_eq!(wrong(alg, r#"{"iat":"1"}"#), Err(Status::IatNotInteger));
    assert_eq!(wrong(alg, r#"{"nbf":-1}"#), Err(Status::NbfOutOfRange));
    assert_eq!(wrong(alg, r#"{"exp":18446744073709551616}"#), Err(Status::ExpOutOfRange));
    assert_eq!(wrong(alg, r#"{"jti":1}"#), Err(Status::JtiNotString));
    assert_eq!(wrong(alg, r#"{"aud":["a",1]}"#), Err(Status::AudNotString));
    assert_eq!(wrong(alg, r#"{"exp":1.9,"aud":"a"}"#), Ok(()));
    assert!(with(&format!("{}{}", alg, " "), "{}").is_ok());
}

#[test]
fn stray_dots_are_tolerated_and_not_signed() {
    let text = testdata()["by_algorithm"]["RS256"].as_str().unwrap().replacen('.', "..", 1);
    let token = take_apart(text.as_bytes()).unwrap();
    assert_eq!(key_set(EVERY_KEY, |_| {}).verify(&token), Ok(()));
}

#[test]
fn s280_time_has_sixty_seconds_of_tolerance() {
    let token = with(r#"{"alg":"RS256"}"#, r#"{"nbf":1000,"exp":2000}"#).unwrap();
    let at = |now| token.times.check(now);
    assert_eq!(at(939), Err(Status::NotYetValid));
    assert_eq!(at(940), Ok(()));
    assert_eq!(at(2060), Ok(()));
    assert_eq!(at(2061), Err(Status::Expired));
    assert_eq!(at(i64::MIN), Err(Status::NotYetValid));
    let backwards = with(r#"{"alg":"RS256"}"#, r#"{"nbf":5000,"exp":1}"#).unwrap();
    assert_eq!(backwards.times.check(3000), Err(Status::NotYetValid), "nbf before exp (E-087)");
    let endless = with(r#"{"alg":"RS256"}"#, r#"{"exp":0}"#).unwrap();
    assert_eq!(endless.times.check(i64::MAX), Ok(()));
}

#[test]
fn b62_deep_nesting_is_refused_with_bounded_stack() {
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert!(matches!(with(r#"{"alg":"RS256"}"#, &deep), Err(Status::PayloadBadJson)));
    let longer = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(with(r#"{"alg":"RS256"}"#, &longer), Err(Status::BadFormat)));
}

proptest::proptest! {
    /// Whatever bytes arrive: an answer, and no token out of noise.
    #[test]
    fn b06_no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = take_apart(&bytes);
        let _ = parse_keys(&String::from_utf8_lossy(&bytes));
    }

    /// A good token with one byte changed is never accepted.
    #[test]
    fn one_changed_byte_is_never_accepted(at in 0usize..2000, byte in proptest::prelude::any::<u8>()) {
        let text = testdata()["by_algorithm"]["ES256"].as_str().unwrap().to_owned();
        let mut bytes = text.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let keys = key_set(EVERY_KEY, |_| {});
        let original = take_apart(text.as_bytes()).unwrap();
        if let Ok(token) = take_apart(&bytes) {
            // Leftover bits at the end of a section say nothing, so another last character can spell the same bytes.
            let same = token.signed == original.signed && token.signature == original.signature;
            proptest::prop_assert_eq!(keys.verify(&token).is_ok(), same);
        }
    }
}

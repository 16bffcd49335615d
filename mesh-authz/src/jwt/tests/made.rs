//! Keys and signatures that are made here to be almost right: each is a fact about its algorithm, with the verdict that it
//! must have. What the Wycheproof suite is about, in our own words; the suite itself is asked in [`super::vectors`].

mod ed25519;
mod elliptic;
mod numbers;
mod rsa;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::*;

/// What is signed under an algorithm: the first two sections of a token.
fn signed(algorithm: &str) -> String {
    let header = json!({ "alg": algorithm }).to_string();
    format!("{}.{}", BASE64.encode(header), BASE64.encode(r#"{"iss":"i","sub":"made"}"#))
}

/// What becomes of a token with this signature, where this is the only key.
fn told(algorithm: &str, key: &Value, signature: &[u8]) -> Result<(), Status> {
    let text = format!("{}.{}", signed(algorithm), BASE64.encode(signature));
    parse_keys(&json!({ "keys": [key] }).to_string()).verify(&take_apart(text.as_bytes())?)
}

/// Whether this is a key at all, in both profiles.
fn is_a_key(key: &Value) -> [bool; 2] {
    [Profile::Istio, Profile::Hardened].map(|profile| {
        let text = json!({ "keys": [key] }).to_string();
        matches!(KeySet::parse(&text, Reading { takes_secrets: true, profile }), KeySet::Keys(_))
    })
}

/// Bytes from hexadecimal digits.
fn hex(digits: &str) -> Vec<u8> {
    assert_eq!(digits.len() % 2, 0, "{digits}");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

const FAILS: Result<(), Status> = Err(Status::VerificationFails);

#[test]
fn j02_of_a_hash_under_a_secret_every_byte_counts() {
    let secret = [7; 64];
    let key = json!({ "kty": "oct", "k": BASE64.encode(secret) });
    for (algorithm, kind) in [
        ("HS256", aws_lc_rs::hmac::HMAC_SHA256),
        ("HS384", aws_lc_rs::hmac::HMAC_SHA384),
        ("HS512", aws_lc_rs::hmac::HMAC_SHA512),
    ] {
        let right =
            aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(kind, &secret), signed(algorithm).as_bytes());
        let right = right.as_ref();
        assert_eq!(told(algorithm, &key, right), Ok(()), "{algorithm}");
        // RFC 7518, 3.2: the output is not truncated.
        for length in 1..right.len() {
            assert_eq!(told(algorithm, &key, &right[..length]), FAILS, "{algorithm}, {length} bytes");
        }
        for more in [1, 16, right.len()] {
            assert_eq!(
                told(algorithm, &key, &[right, &vec![0; more]].concat()),
                FAILS,
                "{algorithm}, {more} more"
            );
        }
        assert_eq!(told(algorithm, &key, &[]), Err(Status::BadFormat), "{algorithm}, no signature");
    }
}

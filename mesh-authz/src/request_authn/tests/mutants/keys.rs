//! A reader of keys that can be read in a minute, with one check left out at a time: each check has a key that it alone
//! refuses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::*;
use crate::jwt::keys::{KeySet, Reading};

/// Of the list of attacks.
const ROW: &str = "J04";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyCheck {
    /// RSA: from 2048 bits on.
    Size,
    /// RSA: odd.
    Odd,
    /// RSA: 65537, or 3.
    Exponent,
    /// EC: one of three, and the coordinates have its length.
    Curve,
    /// EC: the point is on it.
    Point,
    /// OKP: 32 bytes.
    Length,
    /// `use` and `key_ops`.
    Usage,
    /// oct: not empty.
    Empty,
    /// oct: no secret is to be had from elsewhere.
    Secret,
    /// `alg` is one of the key's family.
    Family,
}

use KeyCheck::{Curve, Empty, Exponent, Family, Length, Odd, Point, Secret, Size, Usage};

/// All that is wrong with a key.
fn complaints(key: &Value, is_fetched: bool) -> Vec<KeyCheck> {
    let text = |name: &str| key[name].as_str().unwrap_or_default();
    let bytes = |name: &str| BASE64.decode(text(name)).unwrap_or_default();
    let mut all = Vec::new();
    let mut complain = |is_wrong: bool, check: KeyCheck| {
        if is_wrong {
            all.push(check);
        }
    };
    let usage = text("use");
    let operations = key["key_ops"].as_array().cloned().unwrap_or_default();
    complain(!matches!(usage, "" | "sig"), Usage);
    complain(!operations.is_empty() && !operations.contains(&json!("verify")), Usage);
    let families: &[&str] = match text("kty") {
        "RSA" => &["RS", "PS"],
        "EC" => &["ES"],
        "oct" => &["HS"],
        _ => &["Ed"],
    };
    let algorithm = text("alg");
    complain(!algorithm.is_empty() && !families.iter().any(|family| algorithm.starts_with(family)), Family);
    match text("kty") {
        "RSA" => {
            let modulus = bytes("n");
            complain(modulus.len() < 256, Size);
            complain(modulus.last().is_none_or(|last| last % 2 == 0), Odd);
            complain(!matches!(bytes("e").as_slice(), [1, 0, 1] | [3]), Exponent);
        }
        "EC" => {
            let length = match text("crv") {
                "P-256" => 32,
                "P-384" => 48,
                _ => 66,
            };
            let has_length = bytes("x").len() == length && bytes("y").len() == length;
            complain(!has_length, Curve);
            // The one point of the data is on its curve; of any other nothing is known.
            complain(has_length && (&key["x"], &key["y"]) != point(), Point);
        }
        "oct" => {
            complain(bytes("k").is_empty(), Empty);
            complain(is_fetched, Secret);
        }
        _ => complain(bytes("x").len() != 32, Length),
    }
    all
}

fn point() -> (&'static Value, &'static Value) {
    static DATA: std::sync::LazyLock<Value> = std::sync::LazyLock::new(testdata);
    (&DATA["keys"]["P-256"]["x"], &DATA["keys"]["P-256"]["y"])
}

/// A key of the data with one member changed, and the check that it alone fails; the last: whether it was fetched.
fn weak() -> Vec<(KeyCheck, Value, bool)> {
    let data = testdata();
    let changed = |key: &str, name: &str, value: Value| {
        let mut key = data["keys"][key].clone();
        key.as_object_mut().unwrap().remove("kid");
        key[name] = value;
        key
    };
    let modulus = |length: usize, last: u8| {
        let bytes = [&[0xc1][..], &vec![0x55; length - 2], &[last]].concat();
        json!(BASE64.encode(bytes))
    };
    vec![
        (Size, changed("RSA", "n", modulus(128, 1)), false),
        (Size, changed("RSA", "n", modulus(255, 1)), false),
        (Odd, changed("RSA", "n", modulus(256, 2)), false),
        (Exponent, changed("RSA", "e", json!("AQ")), false),
        (Exponent, changed("RSA", "e", json!("BA")), false),
        (Exponent, changed("RSA", "e", json!("AQABAQAB")), false),
        (Curve, changed("P-256", "crv", json!("P-384")), false),
        (Curve, changed("P-256", "x", json!("AAAA")), false),
        (Point, changed("P-256", "x", data["keys"]["P-256"]["y"].clone()), false),
        (Point, changed("P-256", "y", json!(BASE64.encode([0; 32]))), false),
        (Length, changed("OKP", "x", json!("AAAA")), false),
        (Usage, changed("RSA", "use", json!("enc")), false),
        (Usage, changed("RSA", "key_ops", json!(["encrypt"])), false),
        (Empty, changed("oct", "k", json!("")), false),
        (Secret, changed("oct", "use", json!("sig")), true),
        (Family, changed("RSA", "alg", json!("ES256")), false),
        (Family, changed("oct", "alg", json!("RS256")), false),
    ]
}

fn ours(key: &Value, is_fetched: bool) -> bool {
    let reading = Reading { takes_secrets: !is_fetched, profile: Profile::Istio };
    matches!(KeySet::parse(&json!({ "keys": [key] }).to_string(), reading), KeySet::Keys(_))
}

#[test]
fn every_check_has_a_key_that_it_alone_refuses() {
    for name in ["RSA", "P-256", "OKP", "oct"] {
        let key = &testdata()["keys"][name];
        assert!(ours(key, false) && complaints(key, false).is_empty(), "{name}");
    }
    for (lost, key, is_fetched) in weak() {
        assert!(!ours(&key, is_fetched), "row {ROW}: ours takes a key without {lost:?}: {key}");
        assert_eq!(complaints(&key, is_fetched), [lost], "row {ROW}: {key}");
    }
}

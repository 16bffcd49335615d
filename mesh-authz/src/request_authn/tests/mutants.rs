//! A checker of tokens that can be read in a minute, with one check left out at a time: each check has a token that ours
//! refuses and only the checker without it accepts. So each attack here would be seen if its check were lost.

mod keys;
mod outputs;

use serde_json::Map;

use super::attacks::{self, HEADER, judge, rules, signed, signed_with, with_claim};
use super::*;

const AUDIENCE: &str = "orders";
const OTHER: &[u8] = b"a secret that somebody else has..";

/// What is wrong with a token; the rows are those of the list of attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Signature,
    /// `alg` is one that the key is for.
    Algorithm,
    /// `kid`, where both have one.
    KeyName,
    /// `crit` is refused.
    Critical,
    /// Three sections.
    Sections,
    Issuer,
    Audience,
    /// `aud` is a text or a list of texts.
    AudienceType,
    Expired,
    NotYet,
    /// `exp` is a number.
    TimeType,
    /// No name twice, at any level.
    Twice,
    /// `sub` is a text.
    SubjectType,
    /// Objects and lists in each other are bounded.
    Depth,
}

use Check::{
    Algorithm, Audience, AudienceType, Critical, Depth, Expired, Issuer, KeyName, NotYet, Sections,
    Signature, SubjectType, TimeType, Twice,
};

/// Whether a token is accepted where `lost` is not looked at.
fn accepts(token: &str, lost: Option<Check>) -> bool {
    complaints(token).is_some_and(|all| all.into_iter().all(|complaint| Some(complaint) == lost))
}

/// All that is wrong; `None`: nothing can be made of it.
fn complaints(token: &str) -> Option<Vec<Check>> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let mut all = Vec::new();
    let mut complain = |is_wrong: bool, check: Check| {
        if is_wrong {
            all.push(check);
        }
    };
    let sections: Vec<&str> = token.split('.').collect();
    complain(sections.len() != 3, Sections);
    let [header_text, payload_text, signature, ..] = sections.as_slice() else { return None };
    let text = |section: &str| BASE64.decode(section).ok().and_then(|text| String::from_utf8(text).ok());
    let object = |text: &str| -> Option<Map<String, Value>> { serde_json::from_str(text).ok() };
    let (header_json, payload_json) = (text(header_text)?, text(payload_text)?);
    complain(payload_json.contains(&deep()), Depth);
    let (header, payload) = (object(&header_json)?, object(&payload_json.replace(&deep(), "0"))?);
    complain(header.get("alg") != Some(&json!("HS256")), Algorithm);
    complain(header.get("kid").is_some_and(|kid| *kid != "k1"), KeyName);
    complain(header.contains_key("crit"), Critical);
    let wanted = signed_with(
        super::attacks::SECRET,
        &BASE64.decode(header_text).ok()?,
        &BASE64.decode(payload_text).ok()?,
    );
    complain(wanted.rsplit('.').next() != Some(signature), Signature);
    complain(payload.get("iss") != Some(&json!(ISSUER)), Issuer);
    let audiences = match payload.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => {
            complain(!several.iter().all(Value::is_string), AudienceType);
            several.iter().filter_map(Value::as_str).collect()
        }
        _ => Vec::new(),
    };
    complain(!audiences.contains(&AUDIENCE), Audience);
    let time = |name| payload.get(name).and_then(Value::as_i64);
    complain(payload.get("exp").is_some_and(|time| !time.is_number()), TimeType);
    complain(time("exp").is_some_and(|expires| NOW > expires + 60), Expired);
    complain(time("nbf").is_some_and(|begins| NOW + 60 < begins), NotYet);
    complain(payload.get("sub").is_some_and(|subject| !subject.is_string()), SubjectType);
    complain(has_a_name_twice(&payload_json), Twice);
    Some(all)
}

/// Lists in each other, more than a reader's stack may hold.
fn deep() -> String {
    format!("{}{}", "[".repeat(1_000), "]".repeat(1_000))
}

/// Of the tokens below, which have no text with the same words.
fn has_a_name_twice(text: &str) -> bool {
    ["\"sub\":", "\"role\":"].iter().any(|name| text.matches(name).count() > 1)
}

/// Row, the check that would be lost, and a token that it alone refuses.
fn tokens() -> Vec<(&'static str, Check, String)> {
    let with = |name: &str, value: &str| {
        let payload = with_claim(name, Some(value));
        if name == "aud" { payload } else { payload.replacen('{', "{\"aud\":\"orders\",", 1) }
    };
    let good = with("x", "1");
    let token = |payload: &str| signed(HEADER, payload);
    let under = |header: &str| signed(header, &good);
    let without_signature = token(&good).rsplit_once('.').unwrap().0.to_owned();
    vec![
        ("J03", Signature, signed_with(OTHER, HEADER.as_bytes(), good.as_bytes())),
        ("42", Signature, format!("{without_signature}.AAAA")),
        ("J03", Algorithm, under(r#"{"alg":"none","kid":"k1"}"#)),
        ("J03", Algorithm, under(r#"{"alg":"RS256","kid":"k1"}"#)),
        ("J03", Algorithm, under(r#"{"alg":"hs256","kid":"k1"}"#)),
        ("J03", KeyName, under(r#"{"alg":"HS256","kid":"k2"}"#)),
        ("J03", KeyName, under(r#"{"alg":"HS256","kid":"../k1"}"#)),
        ("J03", Critical, under(r#"{"alg":"HS256","kid":"k1","crit":["x"]}"#)),
        ("J01", Sections, format!("{}.x", token(&good))),
        ("41", Issuer, token(&with("iss", "\"https://nobody.example.com\""))),
        ("57", Depth, token(&with("deep", &deep()))),
        ("J09", Issuer, token(&with("iss", "\"https://evil.example.com\""))),
        ("46", Issuer, token(&with("iss", "\"\""))),
        ("46", Issuer, token(&good.replace(&format!("\"iss\":\"{ISSUER}\","), ""))),
        ("J07", Audience, token(&with("aud", "\"others\""))),
        ("J07", Audience, token(&with("aud", "[\"orders2\", \"order\"]"))),
        ("46", Audience, token(&with_claim("x", Some("1")))),
        ("46", AudienceType, token(&with("aud", "[\"orders\", 1]"))),
        ("J06", Expired, token(&with("exp", "1"))),
        ("J06", NotYet, token(&with("nbf", "4070908800"))),
        ("45", TimeType, token(&with("exp", "\"4070908800\""))),
        ("45", TimeType, token(&with("exp", "[]"))),
        ("J05", Twice, token(&good.replacen('{', "{\"sub\":\"bob\",", 1))),
        ("J05", Twice, token(&with("x", "{\"role\":1,\"role\":2}"))),
        ("J06", SubjectType, token(&with("sub", "{\"a\":1}"))),
    ]
}

#[test]
fn every_check_has_a_token_that_it_alone_refuses() {
    let authn = rules(json!({ "audiences": [AUDIENCE], "jwks": attacks::keys() }), Profile::Hardened);
    let good = signed(HEADER, &with_claim("x", Some("1")).replacen('{', "{\"aud\":\"orders\",", 1));
    assert!(accepts(&good, None) && judge(&authn, &good).is_ok());
    for (row, lost, token) in tokens() {
        assert!(judge(&authn, &token).is_err(), "row {row}: ours accepts a token without {lost:?}: {token}");
        assert!(!accepts(&token, None), "row {row}: {lost:?}");
        assert!(accepts(&token, Some(lost)), "row {row}: {:?}", complaints(&token));
    }
}

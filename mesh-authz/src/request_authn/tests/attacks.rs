//! Attacks on tokens: a table of single changes to a good token, each with the one answer it must get (rows J01 to J07
//! of the hardening list and class J of the regression corpus). Tokens are signed here, so that nothing but the change
//! is wrong with them.

use std::fmt::Write;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::*;
use crate::jwt::status::Status;

pub(super) const SECRET: &[u8] = b"a secret that only the issuer has";

pub(super) fn keys() -> String {
    json!({ "keys": [{ "kty": "oct", "kid": "k1", "k": BASE64.encode(SECRET) }] }).to_string()
}

pub(super) fn rules(more: Value, profile: Profile) -> RequestAuthn {
    let mut rule = json!({ "issuer": ISSUER, "jwks": keys() });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let options = AuthnOptions { profile, ..AuthnOptions::default() };
    RequestAuthn::compile(&[&resource("shop", "jwt", json!([rule]))], &options).0.unwrap()
}

pub(super) fn signed_with(secret: &[u8], header: &[u8], payload: &[u8]) -> String {
    let mut text = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    write!(text, ".{}", BASE64.encode(tag.as_ref())).unwrap();
    text
}

pub(super) fn signed(header: &str, payload: &str) -> String {
    signed_with(SECRET, header.as_bytes(), payload.as_bytes())
}

pub(super) const HEADER: &str = r#"{"alg":"HS256","kid":"k1"}"#;

/// A good payload with one claim as this JSON text; `None`: without it.
pub(super) fn with_claim(name: &str, value: Option<&str>) -> String {
    let usual =
        [("iss", format!("\"{ISSUER}\"")), ("sub", "\"alice\"".to_owned()), ("exp", "4070908800".to_owned())];
    let mut fields: Vec<(&str, String)> = usual.into_iter().filter(|(usual, _)| *usual != name).collect();
    fields.extend(value.map(|value| (name, value.to_owned())));
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

pub(super) fn judge(authn: &RequestAuthn, token: &str) -> Result<(), Status> {
    let headers = [("authorization", format!("Bearer {token}"))];
    let answer = ask(authn, &request("GET", "/", &headers));
    let found = match answer {
        Authenticated::Passed { claims, .. } => {
            assert!(claims.is_some(), "{token}: passed without its token");
            return Ok(());
        }
        Authenticated::Rejected { status, body } => (status, body),
    };
    // The only way out of this crate is status and body.
    let known = Status::ALL.iter().find(|status| (status.http_status(), status.message()) == found);
    Err(*known.unwrap_or_else(|| panic!("{found:?}")))
}

/// Checks a table of claims; how many cases there were.
fn claims(authn: &RequestAuthn, name: &str, cases: &[(Option<&str>, Result<(), Status>)]) -> usize {
    for (value, wanted) in cases {
        let token = signed(HEADER, &with_claim(name, *value));
        assert_eq!(judge(authn, &token), *wanted, "{name}: {value:?}");
    }
    cases.len()
}

#[test]
fn j01_j06_a_hundred_and_more_single_changes_to_a_good_token() {
    use Status::*;
    let authn = rules(json!({}), Profile::Istio);
    let refused = |status| Err(status);
    let odd =
        |status: Status| ["null", "true", "[]", "{}"].map(|value| (Some(value), Err::<(), Status>(status)));
    let mut cases = 0;
    cases += claims(&authn, "iss", &odd(IssNotString));
    cases += claims(
        &authn,
        "iss",
        &[
            (None, refused(UnknownIssuer)),
            (Some("1"), refused(IssNotString)),
            (Some("[\"https://login.example.com\"]"), refused(IssNotString)),
            (Some("\"\""), refused(UnknownIssuer)),
            (Some("\"https://login.example.com/\""), refused(UnknownIssuer)),
            (Some("\"HTTPS://login.example.com\""), refused(UnknownIssuer)),
            (Some("\"https://login.example.co\""), refused(UnknownIssuer)),
            (Some("\"https://login.example.com\\u0000\""), refused(UnknownIssuer)),
            (Some("\"https:\\/\\/login.example\\u002ecom\""), Ok(())),
        ],
    );
    cases += claims(&authn, "sub", &odd(SubNotString));
    cases += claims(
        &authn,
        "sub",
        &[
            (None, Ok(())),
            (Some("1"), refused(SubNotString)),
            (Some("\"\""), Ok(())),
            (Some("\"\u{1f600}/x\""), Ok(())),
        ],
    );
    cases += claims(&authn, "jti", &odd(JtiNotString));
    cases += claims(&authn, "jti", &[(Some("7"), refused(JtiNotString)), (Some("\"\""), Ok(()))]);
    cases += claims(
        &authn,
        "aud",
        &[
            (None, Ok(())),
            (Some("null"), refused(AudNotString)),
            (Some("true"), refused(AudNotString)),
            (Some("1"), refused(AudNotString)),
            (Some("{}"), refused(AudNotString)),
            (Some("[]"), Ok(())),
            (Some("\"a\""), Ok(())),
            (Some("[\"a\",1]"), refused(AudNotString)),
            (Some("[[\"a\"]]"), refused(AudNotString)),
            (Some("[null]"), refused(AudNotString)),
        ],
    );
    for (name, not_integer, out_of_range) in [
        ("exp", ExpNotInteger, ExpOutOfRange),
        ("nbf", NbfNotInteger, NbfOutOfRange),
        ("iat", IatNotInteger, IatOutOfRange),
    ] {
        cases += claims(&authn, name, &odd(not_integer));
        cases += claims(
            &authn,
            name,
            &[
                (None, Ok(())),
                (Some("\"4070908800\""), refused(not_integer)),
                (Some("[4070908800]"), refused(not_integer)),
                (Some("-1"), refused(out_of_range)),
                (Some("-0.5"), refused(out_of_range)),
                (Some("1e30"), refused(out_of_range)),
                (Some("18446744073709551616"), refused(out_of_range)),
                (Some("0"), Ok(())),
            ],
        );
    }
    let text = |seconds: i64| seconds.to_string();
    cases += claims(
        &authn,
        "exp",
        &[
            (Some(&text(NOW - 60)), Ok(())),
            (Some(&text(NOW - 61)), refused(Expired)),
            (Some("1.5"), refused(Expired)),
            (Some("18446744073709551615"), refused(ExpOutOfRange)),
            (Some("9007199254740991"), Ok(())),
            (Some("4.0709088e9"), Ok(())),
        ],
    );
    cases += claims(
        &authn,
        "nbf",
        &[
            (Some(&text(NOW + 60)), Ok(())),
            (Some(&text(NOW + 61)), refused(NotYetValid)),
            (Some("18446744073709551615"), refused(NbfOutOfRange)),
        ],
    );
    cases += claims(&authn, "iat", &[(Some(&text(NOW + 9_999)), Ok(())), (Some("1.5"), Ok(()))]);
    let payload = with_claim("sub", Some("\"alice\""));
    for (header, wanted) in [
        (r#"{"kid":"k1"}"#, refused(HeaderBadAlg)),
        (r#"{"alg":null}"#, refused(HeaderBadAlg)),
        (r#"{"alg":256}"#, refused(HeaderBadAlg)),
        (r#"{"alg":["HS256"]}"#, refused(HeaderBadAlg)),
        (r#"{"alg":"none"}"#, refused(HeaderAlgNotSupported)),
        (r#"{"alg":"None"}"#, refused(HeaderAlgNotSupported)),
        (r#"{"alg":"hs256"}"#, refused(HeaderAlgNotSupported)),
        (r#"{"alg":""}"#, refused(HeaderAlgNotSupported)),
        (r#"{"alg":"HS256 "}"#, refused(HeaderAlgNotSupported)),
        (r#"{"alg":"ES256K"}"#, refused(HeaderAlgNotSupported)),
        (r#"{"alg":"HS384"}"#, refused(VerificationFails)),
        (r#"{"alg":"RS256"}"#, refused(VerificationFails)),
        (r#"{"alg":"PS512"}"#, refused(VerificationFails)),
        (r#"{"alg":"ES512"}"#, refused(VerificationFails)),
        (r#"{"alg":"EdDSA"}"#, refused(VerificationFails)),
        (r#"{"alg":"HS256"}"#, Ok(())),
        (r#"{"alg":"HS256","kid":""}"#, Ok(())),
        (r#"{"alg":"HS256","kid":null}"#, refused(HeaderBadKid)),
        (r#"{"alg":"HS256","kid":1}"#, refused(HeaderBadKid)),
        (r#"{"alg":"HS256","kid":["k1"]}"#, refused(HeaderBadKid)),
        (r#"{"alg":"HS256","kid":"K1"}"#, refused(NoMatchingKey)),
        (r#"{"alg":"HS256","kid":"k1\u0000"}"#, refused(NoMatchingKey)),
        (r#"{"alg":"HS256","kid":"../../dev/null"}"#, refused(NoMatchingKey)),
        (r#"{"alg":"HS256","kid":"x' UNION SELECT 'k"}"#, refused(NoMatchingKey)),
        (r#"{"alg":"HS256","crit":["exp"]}"#, refused(HeaderCritical)),
        (r#"{"alg":"HS256","crit":[]}"#, refused(HeaderCritical)),
        (r#"{"alg":"HS256","crit":null,"b64":false}"#, refused(HeaderCritical)),
        (r#"{"alg":"HS256","alg":"none"}"#, refused(HeaderBadJson)),
        (r#"{"alg":"HS256","x":{"a":1,"a":2}}"#, refused(HeaderBadJson)),
        (r#"["HS256"]"#, refused(HeaderBadJson)),
        (r#"{"alg":"HS256"} x"#, refused(HeaderBadJson)),
        (r#"{"alg":"HS256","typ":5,"cty":null}"#, Ok(())),
    ] {
        assert_eq!(judge(&authn, &signed(header, &payload)), wanted, "{header}");
        cases += 1;
    }
    assert!(cases >= 112, "{cases}");
}

#[test]
fn j03_keys_in_a_header_are_nobodys() {
    let authn = rules(json!({}), Profile::Istio);
    let own = BASE64.encode(b"the attacker's own secret .......");
    for header in [
        format!(r#"{{"alg":"HS256","jwk":{{"kty":"oct","k":"{own}"}}}}"#),
        r#"{"alg":"HS256","jku":"https://evil.example.com/jwks"}"#.to_owned(),
        r#"{"alg":"HS256","x5u":"https://evil.example.com/cert"}"#.to_owned(),
        r#"{"alg":"HS256","x5c":["MIIB"]}"#.to_owned(),
    ] {
        let payload = with_claim("sub", Some("\"alice\""));
        let token = signed_with(b"the attacker's own secret .......", header.as_bytes(), payload.as_bytes());
        assert_eq!(judge(&authn, &token), Err(Status::VerificationFails), "{header}");
    }
}

#[test]
fn j01_j05_forms_that_are_no_token() {
    let authn = rules(json!({}), Profile::Istio);
    let good = signed(HEADER, &with_claim("sub", Some("\"alice\"")));
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { panic!("{good}") };
    for (text, wanted) in [
        ("a".to_owned(), Status::BadFormat),
        ("a.b".to_owned(), Status::BadFormat),
        (format!("{header}.{payload}."), Status::BadFormat),
        (format!("{header}.{payload}"), Status::BadFormat),
        (format!("{good}.x"), Status::BadFormat),
        ("a.b.c.d.e".to_owned(), Status::BadFormat),
        (format!("a*.{payload}.{signature}"), Status::HeaderBadBase64),
        (format!("{header}.*.{signature}"), Status::PayloadBadBase64),
        (format!("{header}.{payload}.*"), Status::SignatureBadBase64),
        (format!("{header}.{payload}.AAAA"), Status::VerificationFails),
        (format!("{header}.{payload}.{}", &signature[..20]), Status::VerificationFails),
        (format!("{payload}.{header}.{signature}"), Status::HeaderBadAlg),
        (signed(HEADER, "null"), Status::PayloadBadJson),
        (signed(HEADER, "[]"), Status::PayloadBadJson),
        (signed(HEADER, ""), Status::BadFormat),
        (signed(HEADER, "{\"a\":NaN}"), Status::PayloadBadJson),
        (signed(HEADER, "{\"a\":1,}"), Status::PayloadBadJson),
        (signed(HEADER, "\u{feff}{}"), Status::PayloadBadJson),
        (signed(HEADER, r#"{"sub":"alice","sub":"root"}"#), Status::PayloadBadJson),
        (signed(HEADER, r#"{"a":{"b":[{"c":1,"c":2}]}}"#), Status::PayloadBadJson),
        (signed_with(SECRET, HEADER.as_bytes(), b"{\"a\":\"\xff\"}"), Status::PayloadBadJson),
        (
            signed(HEADER, &format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200))),
            Status::PayloadBadJson,
        ),
        (
            signed(HEADER, &format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000))),
            Status::PayloadBadJson,
        ),
        ("a".repeat(1024 * 1024), Status::BadFormat),
        (format!("{good}{}", "A".repeat(1024 * 1024)), Status::BadFormat),
    ] {
        assert_eq!(judge(&authn, &text), Err(wanted), "{text:.200}");
    }
}

#[test]
fn j05_large_tokens_within_the_limits_pass() {
    let authn = rules(json!({}), Profile::Istio);
    let many: Vec<String> = (0..1_000).map(|n| format!("\"claim-{n}\":{n}")).collect();
    for more in [
        many.join(","),
        format!("\"{}\":1", "n".repeat(30_000)),
        format!("\"deep\":{}1{}", "[".repeat(50), "]".repeat(50)),
        "\"\\u0061\\ud83d\\ude00\":\"\\u0000\"".to_owned(),
    ] {
        let usual = with_claim("sub", Some("\"alice\""));
        let payload = format!("{},{more}}}", usual.trim_end_matches('}'));
        assert_eq!(judge(&authn, &signed(HEADER, &payload)), Ok(()), "{more:.80}");
    }
}

#[test]
fn j07_audiences_are_compared_whole() {
    let authn = rules(json!({ "audiences": ["https://a.example.com/"] }), Profile::Istio);
    let refused = Err(Status::AudienceNotAllowed);
    claims(
        &authn,
        "aud",
        &[
            (None, refused),
            (Some("[]"), refused),
            (Some("\"a.example.co\""), refused),
            (Some("\"A.example.com\""), refused),
            (Some("\"https://a.example.com//\""), refused),
            (Some("\"http://a.example.com\""), Ok(())),
            (Some("[\"b\",\"a.example.com\"]"), Ok(())),
        ],
    );
}

#[test]
fn s317_s437_a_required_token_is_asked_for_in_hardened() {
    for (profile, wanted) in
        [(Profile::Istio, None), (Profile::Hardened, Some(rejected(401, "Jwt is missing")))]
    {
        let authn = rules(json!({ "presence": "REQUIRED" }), profile);
        let answer = ask(&authn, &request("GET", "/", &[]));
        match wanted {
            Some(wanted) => assert_eq!(answer, wanted),
            None => assert!(matches!(answer, Authenticated::Passed { claims: None, .. })),
        }
    }
}

#[test]
fn j09_2021_001_a_token_of_an_unknown_issuer_is_refused_and_none_passes() {
    let authn = rules(json!({}), Profile::Istio);
    let foreign = signed(HEADER, &with_claim("iss", Some("\"https://other.example.com\"")));
    assert_eq!(judge(&authn, &foreign), Err(Status::UnknownIssuer));
    assert!(matches!(ask(&authn, &request("GET", "/", &[])), Authenticated::Passed { claims: None, .. }));
}

#[test]
fn j11_claims_cannot_end_a_header_line() {
    let outputs = json!({ "outputClaimToHeaders": [{ "header": "x-name", "claim": "name" }] });
    let authn = rules(outputs, Profile::Istio);
    for (name, sent) in
        [("\"a\\r\\nx-admin: 1\"", None), ("\"a\\u0000b\"", None), ("\"caf\u{e9}\"", Some("caf\u{e9}"))]
    {
        let headers = [
            ("authorization", format!("Bearer {}", signed(HEADER, &with_claim("name", Some(name))))),
            ("x-name", "forged".to_owned()),
        ];
        let mut request = request("GET", "/", &headers);
        let Authenticated::Passed { changes, .. } = ask(&authn, &request) else { panic!("{name}") };
        changes.iter().for_each(|change| change.apply(&mut request));
        assert_eq!(request.headers.first("x-name"), sent.map(str::as_bytes), "{name}");
    }
}

#[test]
fn j04_weak_and_odd_keys_are_left_out_with_a_finding() {
    let data = testdata();
    let small = BASE64.encode([&[0xc1][..], &[0x55; 126], &[0x01]].concat());
    let even = BASE64.encode([&[0xc1][..], &[0x55; 254], &[0x02]].concat());
    let changed = |key: &str, field: &str, value: &str| {
        let mut key = data["keys"][key].clone();
        key[field] = json!(value);
        key
    };
    let odd = [
        json!({ "kty": "RSA", "n": small, "e": "AQAB" }),
        json!({ "kty": "RSA", "n": even, "e": "AQAB" }),
        changed("RSA", "e", "AQ"),
        changed("RSA", "e", "BA"),
        changed("RSA", "e", "AQABAQAB"),
        changed("RSA", "n", ""),
        changed("P-256", "x", "AAAA"),
        changed("P-256", "crv", "P-384"),
        changed("OKP", "x", "AAAA"),
        changed("RSA", "use", "enc"),
        changed("oct", "k", ""),
        json!({ "kty": "RSA", "key_ops": ["encrypt"], "n": data["keys"]["RSA"]["n"], "e": "AQAB" }),
        json!("not an object"),
    ];
    let rule = |keys: Value| json!([{ "issuer": ISSUER, "jwks": json!({ "keys": keys }).to_string() }]);
    for key in odd {
        let only = resource("shop", "jwt", rule(json!([key])));
        let (authn, report) = RequestAuthn::compile(&[&only], &AuthnOptions::default());
        let token = data["by_algorithm"]["RS256"].as_str().unwrap();
        assert_eq!((judge(&authn.unwrap(), token), report.len()), (Err(Status::NoValidKeys), 1), "{key}");
        let beside = resource("shop", "jwt", rule(json!([key, data["keys"]["RSA"]])));
        let (authn, report) = RequestAuthn::compile(&[&beside], &AuthnOptions::default());
        assert_eq!((judge(&authn.unwrap(), token), report.len()), (Ok(()), 1), "{key}");
    }
}

#[test]
fn j04_a_key_set_of_many_keys_is_bounded() {
    let key = testdata()["keys"]["OKP"].clone();
    let named = |n: usize| {
        let mut key = key.clone();
        key["kid"] = json!(format!("k{n}"));
        key
    };
    let many: Vec<Value> = (0..1_500).map(named).collect();
    let rule = json!([{ "issuer": ISSUER, "jwks": json!({ "keys": many }).to_string() }]);
    let (authn, report) = RequestAuthn::compile(&[&resource("shop", "jwt", rule)], &AuthnOptions::default());
    assert!(authn.is_some() && report.iter().next().unwrap().message.starts_with("500 of"));
    let long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(1024 * 1024));
    let rule = json!([{ "issuer": ISSUER, "jwks": long }]);
    let (authn, _) = RequestAuthn::compile(&[&resource("shop", "jwt", rule)], &AuthnOptions::default());
    let token = testdata()["by_algorithm"]["EdDSA"].as_str().unwrap().to_owned();
    assert_eq!(judge(&authn.unwrap(), &token), Err(Status::NoValidKeys));
}

//! Rules as written in YAML's JSON form, requests, and what comes out.
#![allow(clippy::needless_pass_by_value, reason = "values read best where they are written")]

mod attacks;
mod effects;
mod mutants;
mod places;
mod remembered;

use std::sync::Arc;

use mesh_model::document::{Document, Source, Tree};
use mesh_model::facts::{Headers, HttpVersion};
use mesh_model::name::StringMap;
use mesh_model::object::ObjectMeta;
use mesh_model::origin::Provenance;
use mesh_model::trace::Trace;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_700_000_000;
const ISSUER: &str = "https://login.example.com";

fn testdata() -> Value {
    serde_json::from_str(include_str!("../jwt/testdata/tokens.json")).unwrap()
}

fn token(name: &str) -> String {
    testdata()["hs256_without_kid"][name].as_str().unwrap().to_owned()
}

fn jwks() -> String {
    json!({ "keys": [testdata()["keys"]["oct"]] }).to_string()
}

fn resource(namespace: &str, name: &str, rules: Value) -> Arc<Object<RequestAuthentication>> {
    let document = Arc::new(Document::new(
        Source { file: "ra.yaml".into(), cluster: "Kubernetes".into() },
        0,
        Tree::default(),
    ));
    Arc::new(Object {
        meta: ObjectMeta { name: name.into(), namespace: namespace.into(), ..ObjectMeta::default() },
        spec: serde_json::from_value(json!({ "jwtRules": rules })).unwrap(),
        provenance: Arc::new(Provenance {
            kind: "RequestAuthentication",
            namespace: namespace.into(),
            name: name.into(),
            document,
            refused_at: None,
        }),
    })
}

/// A rule with the usual issuer and key, and more fields.
fn rule(more: Value) -> Value {
    let mut rule = json!({ "issuer": ISSUER, "jwks": jwks() });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

fn compile(rules: &[Value]) -> RequestAuthn {
    let (authn, _) =
        RequestAuthn::compile(&[&resource("shop", "jwt", json!(rules))], &AuthnOptions::default());
    authn.unwrap()
}

fn request<'a>(method: &'a str, path: &'a str, headers: &'a [(&'a str, String)]) -> RequestFacts<'a> {
    let mut facts = RequestFacts {
        version: HttpVersion::Http11,
        method: method.into(),
        scheme: "http".into(),
        authority: "orders".into(),
        path: path.into(),
        headers: Headers::default(),
    };
    for (name, value) in headers {
        facts.headers.push(*name, value.as_bytes());
    }
    facts
}

/// Asks with and without a trace, and twice with a cache; all must agree.
fn ask(authn: &RequestAuthn, request: &RequestFacts<'_>) -> Authenticated {
    let mut trace = Trace::default();
    let explained = authn.authenticate(request, NOW, &mut trace);
    assert_eq!(explained, authn.authenticate(request, NOW, &mut ()));
    assert!(!trace.steps.is_empty());
    let cached = authn.clone().with_token_cache(64);
    for _ in 0..2 {
        assert_eq!(explained, cached.authenticate(request, NOW, &mut ()));
    }
    explained
}

fn rejected(status: u16, body: &'static str) -> Authenticated {
    Authenticated::Rejected { status, body }
}

fn bearer(name: &str) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Bearer {}", token(name)))]
}

fn principal(authenticated: &Authenticated) -> Option<String> {
    match authenticated {
        Authenticated::Passed { claims, .. } => claims.as_ref()?.principal(),
        Authenticated::Rejected { .. } => None,
    }
}

#[test]
fn s260_no_rules_no_step() {
    let (authn, report) =
        RequestAuthn::compile(&[&resource("shop", "jwt", json!([]))], &AuthnOptions::default());
    assert!(authn.is_none() && report.is_empty());
}

#[test]
fn s264_no_token_passes_and_a_bad_one_does_not() {
    let authn = compile(&[rule(json!({}))]);
    let none = ask(&authn, &request("GET", "/", &[]));
    assert_eq!(none, Authenticated::Passed { claims: None, changes: RequestChanges::default() });
    let headers = bearer("alice");
    let good = ask(&authn, &request("GET", "/", &headers));
    assert_eq!(principal(&good), Some("https://login.example.com/alice".to_owned()));
    for (name, body) in [
        ("expired", "Jwt is expired"),
        ("not-yet", "Jwt not yet valid"),
        ("bob", "Jwt issuer is not configured"),
    ] {
        let headers = bearer(name);
        assert_eq!(ask(&authn, &request("GET", "/", &headers)), rejected(401, body), "{name}");
    }
    let headers = bearer("no-times");
    assert!(principal(&ask(&authn, &request("GET", "/", &headers))).is_some());
    let headers = bearer("no-subject");
    let without = ask(&authn, &request("GET", "/", &headers));
    let Authenticated::Passed { claims: Some(claims), .. } = without else { panic!("refused") };
    assert_eq!(claims.principal(), None);
}

#[test]
fn s281_audiences_lose_scheme_and_slash_and_answer_403() {
    let headers = bearer("audience");
    for audience in ["billing.example.com", "http://billing.example.com/", "orders"] {
        let authn = compile(&[rule(json!({ "audiences": [audience] }))]);
        assert!(principal(&ask(&authn, &request("GET", "/", &headers))).is_some(), "{audience}");
    }
    let authn = compile(&[rule(json!({ "audiences": ["x"] }))]);
    let refused = rejected(403, "Audiences in Jwt are not allowed");
    assert_eq!(ask(&authn, &request("GET", "/", &headers)), refused);
    let headers = bearer("alice");
    assert_eq!(ask(&authn, &request("GET", "/", &headers)), refused);
}

#[test]
fn s267_a_preflight_skips_verification() {
    let authn = compile(&[rule(json!({}))]);
    let mut headers = bearer("expired");
    headers.push(("origin", "https://x".to_owned()));
    assert_eq!(ask(&authn, &request("OPTIONS", "/", &headers)), rejected(401, "Jwt is expired"));
    headers.push(("access-control-request-method", "GET".to_owned()));
    assert!(matches!(
        ask(&authn, &request("OPTIONS", "/", &headers)),
        Authenticated::Passed { claims: None, .. }
    ));
    assert_eq!(ask(&authn, &request("GET", "/", &headers)), rejected(401, "Jwt is expired"));
}

#[test]
fn s269_named_places_switch_the_usual_ones_off() {
    let authn = compile(&[rule(json!({ "fromHeaders": [{ "name": "X-Jwt", "prefix": "Token " }] }))]);
    let headers = bearer("alice");
    assert_eq!(principal(&ask(&authn, &request("GET", "/", &headers))), None);
    let headers = [("x-jwt", format!("Token {}", token("alice")))];
    let passed = ask(&authn, &request("GET", "/", &headers));
    assert!(principal(&passed).is_some());
    let Authenticated::Passed { changes, .. } = passed else { unreachable!() };
    assert_eq!(*changes, [RequestChange::RemoveHeader("x-jwt".into())]);
    let headers = [("x-jwt", token("alice"))];
    assert_eq!(
        principal(&ask(&authn, &request("GET", "/", &headers))),
        None,
        "without the prefix it is no token"
    );
}

#[test]
fn s271_s272_parameters_are_removed_and_cookies_stay() {
    let authn = compile(&[rule(json!({ "fromParams": ["token"], "fromCookies": ["session"] }))]);
    let path = format!("/a?z=1&token={}&b=2", token("alice"));
    let passed = ask(&authn, &request("GET", &path, &[]));
    assert!(principal(&passed).is_some());
    let Authenticated::Passed { changes, .. } = passed else { unreachable!() };
    assert_eq!(*changes, [RequestChange::SetPath("/a?b=2&z=1".to_owned())]);
    let headers = [("cookie", format!("a=b; session=\"{}\"", token("alice")))];
    let passed = ask(&authn, &request("GET", "/", &headers));
    assert!(principal(&passed).is_some());
    assert!(matches!(passed, Authenticated::Passed { changes, .. } if changes.is_empty()));
}

#[test]
fn s273_forwarded_tokens_stay() {
    let authn = compile(&[rule(json!({ "forwardOriginalToken": true }))]);
    let headers = bearer("alice");
    assert!(matches!(
        ask(&authn, &request("GET", "/", &headers)),
        Authenticated::Passed { claims: Some(_), changes } if changes.is_empty()
    ));
}

#[test]
fn s265_every_token_of_a_rule_must_verify() {
    let authn = compile(&[rule(json!({ "fromParams": ["token", "secondary_token"] }))]);
    for (first, second) in [("alice", "expired"), ("expired", "alice")] {
        let path = format!("/?token={}&secondary_token={}", token(first), token(second));
        assert_eq!(ask(&authn, &request("GET", &path, &[])), rejected(401, "Jwt is expired"));
    }
    let path = format!("/?token={0}&secondary_token={0}", token("alice"));
    assert!(principal(&ask(&authn, &request("GET", &path, &[]))).is_some());
}

#[test]
fn e085_repeated_authorization_lines_are_one_value() {
    let authn = compile(&[rule(json!({}))]);
    let headers = [bearer("alice"), bearer("alice")].concat();
    let text = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";
    assert_eq!(ask(&authn, &request("GET", "/", &headers)), rejected(401, text));
}

#[test]
fn s263_s304_several_rules() {
    let partner = json!({ "issuer": "https://sso.partner.org", "jwks": jwks() });
    let authn = compile(&[rule(json!({})), partner]);
    for name in ["alice", "bob"] {
        let headers = bearer(name);
        assert!(principal(&ask(&authn, &request("GET", "/", &headers))).is_some(), "{name}");
    }
    let headers = bearer("expired");
    assert_eq!(ask(&authn, &request("GET", "/", &headers)), rejected(401, "Jwt is expired"));

    // A rule that finds no token does not save one that finds a bad one.
    let elsewhere = json!({ "issuer": "z", "jwks": jwks(), "fromHeaders": [{ "name": "x-ticket" }] });
    let authn = compile(&[rule(json!({})), elsewhere]);
    let headers = [("x-ticket", token("alice"))];
    let unknown = rejected(401, "Jwt issuer is not configured");
    assert_eq!(ask(&authn, &request("GET", "/", &headers)), unknown);
    let headers = [("x-ticket", "garbage".to_owned()), bearer("alice").remove(0)];
    assert!(principal(&ask(&authn, &request("GET", "/", &headers))).is_some());
}

#[test]
fn s266_one_issuer_twice_passes_with_either() {
    let strict = rule(json!({ "audiences": ["x"] }));
    let authn = compile(&[strict, rule(json!({}))]);
    let headers = bearer("alice");
    assert!(principal(&ask(&authn, &request("GET", "/", &headers))).is_some());
}

#[test]
fn s286_space_delimited_claims_become_lists() {
    let authn = compile(&[rule(json!({ "spaceDelimitedClaims": ["custom"] }))]);
    let headers = bearer("rich");
    let Authenticated::Passed { claims: Some(claims), .. } = ask(&authn, &request("GET", "/", &headers))
    else {
        panic!("refused");
    };
    assert_eq!(claims.payload()["scope"], json!(["read", "write"]));
    assert_eq!(claims.payload()["custom"], json!(["a", "b"]));
}

#[test]
fn s288_s291_keys_come_from_the_source_or_every_token_is_refused() {
    struct Source;
    impl KeySource for Source {
        fn keys(&self, issuer: &str, jwks_uri: &str) -> Option<String> {
            let keys = json!({ "keys": [testdata()["keys"]["RSA"]] }).to_string();
            (issuer == ISSUER && jwks_uri == "https://keys").then_some(keys)
        }
    }
    let remote = resource("shop", "jwt", json!([{ "issuer": ISSUER, "jwksUri": "https://keys" }]));
    let signed = testdata()["by_algorithm"]["RS256"].as_str().unwrap().to_owned();
    let headers = [("authorization", format!("Bearer {signed}"))];
    let request = request("GET", "/", &headers);
    let (with, _) =
        RequestAuthn::compile(&[&remote], &AuthnOptions { keys: &Source, ..AuthnOptions::default() });
    assert!(principal(&ask(&with.unwrap(), &request)).is_some());
    let (without, _) = RequestAuthn::compile(&[&remote], &AuthnOptions::default());
    assert_eq!(ask(&without.unwrap(), &request), rejected(401, "Jwt verification fails"));
}

#[test]
fn s296_unreadable_keys_refuse_tokens_and_pass_the_rest() {
    let bad = resource("shop", "jwt", json!([{ "issuer": ISSUER, "jwks": "{" }]));
    let (authn, report) = RequestAuthn::compile(&[&bad], &AuthnOptions::default());
    assert_eq!(report.len(), 1);
    let authn = authn.unwrap();
    let headers = bearer("alice");
    let refused = rejected(401, "Jwks doesn't have any valid public key");
    assert_eq!(ask(&authn, &request("GET", "/", &headers)), refused);
    assert!(matches!(ask(&authn, &request("GET", "/", &[])), Authenticated::Passed { .. }));
}

#[test]
fn s299_to_s302_outputs_replace_what_the_client_sent() {
    let outputs: Vec<Value> = [
        ("X-Sub", "sub"),
        ("x-level", "level"),
        ("x-ratio", "ratio"),
        ("x-debt", "debt"),
        ("x-admin", "admin"),
        ("x-deep", "nested.key.deep"),
        ("x-list", "groups"),
        ("x-none", "nothing"),
    ]
    .iter()
    .map(|(header, claim)| json!({ "header": header, "claim": claim }))
    .collect();
    let authn =
        compile(&[rule(json!({ "outputPayloadToHeader": "x-payload", "outputClaimToHeaders": outputs }))]);
    let mut headers = bearer("rich");
    headers.extend([("x-payload", "forged".to_owned()), ("x-none", "forged".to_owned())]);
    let mut request = request("GET", "/", &headers);
    let Authenticated::Passed { changes, .. } = ask(&authn, &request) else { panic!("refused") };
    changes.iter().for_each(|change| change.apply(&mut request));
    let value = |name| request.headers.first(name).map(|value| String::from_utf8_lossy(value).into_owned());
    let got = |name| value(name).unwrap_or_default();
    assert_eq!(got("x-payload"), token("rich").split('.').nth(1).unwrap());
    assert_eq!([got("x-sub"), got("x-level"), got("x-admin"), got("x-deep")], ["alice", "5", "true", "v"]);
    assert_eq!([got("x-ratio"), got("x-debt")], ["1.500000", "-5.000000"]);
    assert_eq!(got("x-list"), "WyJhIiwiYiJd", "E-084: base64 of the JSON");
    assert_eq!([value("x-none"), value("authorization")], [None, None]);
}

#[test]
fn s259_rules_are_sorted_by_issuer_and_namespaces_come_first() {
    let root = resource("istio-system", "a", json!([{ "issuer": "b", "jwks": jwks() }]));
    let own =
        resource("shop", "z", json!([{ "issuer": "b", "jwks": jwks() }, { "issuer": "a", "jwks": jwks() }]));
    let other = resource("other", "o", json!([{ "issuer": "c", "jwks": jwks() }]));
    let all = [root, own, other];
    let found = applicable(&all, "istio-system", "shop", &StringMap::new());
    let (authn, _) = RequestAuthn::compile(&found, &AuthnOptions::default());
    let labels: Vec<String> = authn.unwrap().rules.iter().map(|rule| rule.label.to_string()).collect();
    assert_eq!(
        labels,
        [
            "RequestAuthentication shop/z jwtRules[1]",
            "RequestAuthentication shop/z jwtRules[0]",
            "RequestAuthentication istio-system/a jwtRules[0]",
        ]
    );
}

#[test]
fn b06_no_token_text_panics() {
    let authn = compile(&[rule(json!({}))]);
    for text in ["Bearer", "Bearer ", "Bearer ....", "xBearer =.=.=", "Bearer \u{0}", "Bearer e30.e30.e30"] {
        let headers = [("authorization", text.to_owned())];
        ask(&authn, &request("GET", "/?access_token=%&access_token", &headers));
    }
}

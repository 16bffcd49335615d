//! Settings from MeshConfig, questions and answers.

mod mutants;

use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use serde_json::{Value, json};

use super::*;

type Read = Result<Arc<ExternalAuthorizer>, String>;

fn read(provider: Value) -> Read {
    let provider: ExtensionProvider = serde_json::from_value(provider).unwrap();
    let name = provider.name.clone();
    ExternalAuthorizer::all(&[provider]).remove(&name).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "settings read best where they are written")]
fn http(more: Value) -> Read {
    let mut settings = json!({ "service": "shop/authz.shop.svc.cluster.local", "port": 8000 });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    read(json!({ "name": "ext", "envoyExtAuthzHttp": settings }))
}

fn headers(lines: &[(&'static str, &'static str)]) -> Headers<'static> {
    let mut headers = Headers::default();
    lines.iter().for_each(|(name, value)| headers.push(*name, value.as_bytes()));
    headers
}

fn lines(lines: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn request(lines: &[(&'static str, &'static str)]) -> RequestFacts<'static> {
    RequestFacts {
        version: HttpVersion::Http11,
        method: "PUT".into(),
        scheme: "http".into(),
        authority: "orders:8080".into(),
        path: "/a?b=1".into(),
        headers: headers(lines),
    }
}

#[test]
fn s109_defaults_and_limits() {
    let plain = http(json!({})).unwrap();
    assert_eq!((plain.timeout_ms, plain.fail_open, plain.status_on_error), (600_000, false, 403));
    assert_eq!((plain.port, plain.body.is_none(), plain.takes_connections()), (8000, true, false));
    let timeout = http(json!({ "timeout": "1.5s", "failOpen": true, "statusOnError": "503" })).unwrap();
    assert_eq!((timeout.timeout_ms, timeout.fail_open, timeout.status_on_error), (1_500, true, 503));
    for wrong in [
        json!({ "service": "" }),
        json!({ "port": 0 }),
        json!({ "port": 65536 }),
        json!({ "pathPrefix": "check" }),
        json!({ "statusOnError": "no" }),
        json!({ "statusOnError": "418" }),
        json!({ "statusOnError": "600" }),
        json!({ "includeRequestHeadersInCheck": ["*"] }),
        json!({ "headersToUpstreamOnAllow": ["*"] }),
    ] {
        assert!(http(wrong.clone()).is_err(), "{wrong}");
    }
    let grpc = read(json!({ "name": "g", "envoyExtAuthzGrpc": { "service": "authz", "port": 9000,
        "includeRequestBodyInCheck": { "maxRequestBytes": 64, "packAsBytes": true } } }));
    let grpc = grpc.unwrap();
    assert!(grpc.takes_connections() && grpc.question(&request(&[])).is_none());
    assert_eq!(grpc.body.as_ref().unwrap().max_request_bytes, 64);
}

#[test]
fn s109_names_are_labels_and_statuses_those_of_envoy() {
    let named = |name: &str| {
        read(json!({ "name": name, "envoyExtAuthzGrpc": { "service": "a", "port": 1 } })).is_ok()
    };
    assert!(named("ext-authz2") && named(&"a".repeat(63)));
    for name in ["", "Ext", "ext.authz", "-ext", "ext-", "ext_authz", &"a".repeat(64)] {
        assert!(!named(name), "{name}");
    }
    assert_eq!(http(json!({ "statusOnError": "0" })).unwrap().status_on_error, 403);
}

#[test]
fn two_providers_of_one_name_are_none() {
    let one = json!({ "name": "ext", "envoyExtAuthzGrpc": { "service": "a", "port": 1 } });
    let providers: Vec<ExtensionProvider> = serde_json::from_value(json!([one, one])).unwrap();
    assert!(ExternalAuthorizer::all(&providers).get("ext").unwrap().is_err());
    let tracer: ExtensionProvider = serde_json::from_value(json!({ "name": "t", "prometheus": {} })).unwrap();
    assert!(ExternalAuthorizer::all(&[tracer]).is_empty());
}

#[test]
fn cve_2021_32777_every_value_of_a_header_is_shown() {
    let authorizer = http(json!({
        "pathPrefix": "/check", "includeRequestHeadersInCheck": ["x-role", "X-Team-*"],
        "includeAdditionalHeadersInCheck": { "X-Mesh": "shop", "x-team-lead": "set" },
    }))
    .unwrap();
    let asked = authorizer.question(&request(&[
        ("x-role", "user"),
        ("cookie", "secret"),
        ("X-Role", "admin"),
        ("x-team-a", "1"),
        ("x-team-lead", "forged"),
        ("authorization", "Bearer t"),
        ("content-length", "5"),
    ]));
    let asked = asked.unwrap();
    assert_eq!((&*asked.method, &*asked.authority, &*asked.path), ("PUT", "orders:8080", "/check/a?b=1"));
    let shown = [("x-role", "user"), ("x-role", "admin"), ("x-team-a", "1"), ("authorization", "Bearer t")];
    let added = [("x-mesh", "shop"), ("x-team-lead", "set")];
    assert_eq!(asked.headers, [lines(&shown), lines(&added)].concat());
}

#[test]
fn s111_answers() {
    let authorizer = http(json!({
        "headersToUpstreamOnAllow": ["x-user"], "headersToDownstreamOnAllow": ["set-cookie"],
        "headersToDownstreamOnDeny": ["x-why"], "statusOnError": "503",
    }))
    .unwrap();
    let answer = headers(&[
        ("x-user", "alice"),
        ("set-cookie", "a=b"),
        ("x-why", "no"),
        ("location", "/login"),
        ("content-length", "2"),
    ]);
    let judge = |status| authorizer.judge(CheckAnswer::Response { status, headers: &answer, body: b"no" });
    let allowed = CheckOutcome::Allowed {
        request_headers: lines(&[("x-user", "alice")]),
        response_headers: lines(&[("set-cookie", "a=b")]),
    };
    assert_eq!(judge(200), allowed);
    let denied = |status| CheckOutcome::Denied {
        status,
        headers: lines(&[("x-why", "no"), ("location", "/login")]),
        body: b"no".to_vec(),
    };
    assert_eq!([judge(302), judge(204)], [denied(302), denied(204)], "nothing but 200 is consent");
    let error = CheckOutcome::Denied { status: 503, headers: vec![], body: vec![] };
    assert_eq!([judge(500), authorizer.judge(CheckAnswer::Failed)], [error.clone(), error]);
}

#[test]
fn s111_fail_open_passes_errors_and_never_refusals() {
    let open = http(json!({ "failOpen": true })).unwrap();
    let nothing = headers(&[("x-why", "no")]);
    assert!(matches!(open.judge(CheckAnswer::Failed), CheckOutcome::Allowed { .. }));
    let refused = open.judge(CheckAnswer::Response { status: 403, headers: &nothing, body: b"" });
    assert!(matches!(refused, CheckOutcome::Denied { status: 403, headers, .. } if headers.len() == 1));
}

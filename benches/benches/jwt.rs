//! Tokens: whole validation beside the bare signature check, the cache, and hopeless ones (goals J1 to J4).
#![allow(missing_docs, reason = "the macros of criterion")]
#![expect(clippy::unwrap_used, reason = "generated rules compile")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use criterion::{Criterion, criterion_group, criterion_main};
use mesh_authz::request_authn::{Authenticated, AuthnOptions, RequestAuthn};
use mesh_benches::workloads::jwt::{AUDIENCE, ISSUER, NOW, Signer};
use mesh_model::document::{Document, Source, Tree};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::object::{Object, ObjectMeta};
use mesh_model::origin::Provenance;
use mesh_model::security::request_authentication::RequestAuthentication;
use serde_json::{Value, json};

fn rules(keys: &[Value]) -> RequestAuthn {
    let spec: RequestAuthentication = serde_json::from_value(json!({ "jwtRules": [{
        "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": json!({ "keys": keys }).to_string(),
    }] }))
    .unwrap();
    let (namespace, name): (Arc<str>, Arc<str>) = ("shop".into(), "jwt".into());
    let document = Arc::new(Document::new(
        Source { file: "bench.yaml".into(), cluster: "Kubernetes".into() },
        0,
        Tree::default(),
    ));
    let object = Arc::new(Object {
        meta: ObjectMeta { name: name.clone(), namespace: namespace.clone(), ..ObjectMeta::default() },
        spec,
        provenance: Arc::new(Provenance { kind: "RequestAuthentication", namespace, name, document }),
    });
    RequestAuthn::compile(&[&object], &AuthnOptions::default()).0.unwrap()
}

fn request(token: &str) -> RequestFacts<'static> {
    let mut headers = Headers::default();
    headers.push("user-agent", b"bench/1.0".as_slice());
    headers.push("authorization", format!("Bearer {token}").into_bytes());
    RequestFacts {
        version: HttpVersion::Http2,
        method: "GET".into(),
        scheme: "http".into(),
        authority: "orders".into(),
        path: "/orders/17".into(),
        headers,
    }
}

fn passes(authn: &RequestAuthn, request: &RequestFacts<'_>) -> bool {
    match authn.authenticate(request, NOW, &mut ()) {
        Authenticated::Passed { claims, .. } => claims.is_some_and(|claims| claims.subject().is_some()),
        Authenticated::Rejected { .. } => false,
    }
}

fn jwt(criterion: &mut Criterion) {
    for signer in Signer::all() {
        let authn = rules(&[signer.jwk("k")]);
        let token = signer.token("k", |_| {});
        let good = request(&token);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (check, signature) = (signer.raw_check(), BASE64.decode(signature).unwrap());
        assert!(check(signed.as_bytes(), &signature) && passes(&authn, &good));
        let mut group = criterion.benchmark_group(format!("jwt/{}", signer.algorithm()));
        group.bench_function("raw", |bench| {
            bench.iter(|| check(black_box(signed.as_bytes()), black_box(&signature)));
        });
        group.bench_function("whole", |bench| bench.iter(|| passes(&authn, black_box(&good))));
        let cached = authn.clone().with_token_cache(1_024);
        assert!(passes(&cached, &good) && passes(&cached, &good));
        group.bench_function("cached", |bench| bench.iter(|| passes(&cached, black_box(&good))));
        group.finish();
    }
    let [signer, ..] = Signer::all();
    let authn = rules(&[signer.jwk("k")]);
    let hopeless = [
        ("malformed", "a.b".to_owned()),
        ("unknown_kid", signer.token("other", |_| {})),
        ("wrong_iss", signer.token("k", |claims| claims["iss"] = json!("https://evil.example.com"))),
        ("wrong_aud", signer.token("k", |claims| claims["aud"] = json!("nobody"))),
        ("expired", signer.token("k", |claims| claims["exp"] = json!(1_700_000_000))),
    ];
    let mut group = criterion.benchmark_group("jwt_hopeless");
    for (name, token) in hopeless {
        let request = request(&token);
        assert!(!passes(&authn, &request), "{name}");
        group.bench_function(name, |bench| bench.iter(|| passes(&authn, black_box(&request))));
    }
    group.finish();
    let keys: Vec<Value> = (0..100).map(|n| signer.jwk(&format!("k{n}"))).collect();
    criterion.bench_function("jwks/100_rsa_keys", |bench| bench.iter(|| rules(black_box(&keys))));
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group!(name = benches; config = short(); targets = jwt);
criterion_main!(benches);

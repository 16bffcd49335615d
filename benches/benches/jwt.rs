//! Tokens: whole validation beside the bare signature check, the cache, and hopeless ones (goals J1 to J4).
#![allow(missing_docs, reason = "the macros of criterion")]
#![expect(clippy::unwrap_used, reason = "generated rules compile")]

use std::hint::black_box;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use criterion::{Criterion, criterion_group, criterion_main};
use mesh_authz::request_authn::RequestAuthn;
use mesh_benches::workloads::jwt::{self, NOW, Signer, request, rules};
use mesh_model::facts::RequestFacts;
use serde_json::{Value, json};

fn passes(authn: &RequestAuthn, request: &RequestFacts<'_>) -> bool {
    jwt::passes(authn, request, NOW)
}

fn tokens(criterion: &mut Criterion) {
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

criterion_group!(name = benches; config = short(); targets = tokens);
criterion_main!(benches);

//! Tokens: whole validation by us and by `jsonwebtoken` on the same cryptography, in one run (goal J1).
#![allow(missing_docs, reason = "the macros of criterion")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mesh_benches::workloads::jwt::{AUDIENCE, ISSUER, NOW, Signer, passes, request, rules};
use serde_json::{Map, Value};

fn tokens(criterion: &mut Criterion) {
    for signer in Signer::all() {
        let authn = rules(&[signer.jwk("k")]);
        let token = signer.token("k", |_| {});
        let good = request(&token);
        let jwk: Jwk = serde_json::from_value(signer.jwk("k")).expect("a key");
        let key = DecodingKey::from_jwk(&jwk).expect("a key that decodes");
        let algorithm: Algorithm = signer.algorithm().parse().expect("an algorithm");
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        let theirs = |token: &str| {
            jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation)
                .is_ok_and(|token| token.claims.contains_key("sub"))
        };
        let forged = token.replace('.', ".A");
        assert!(passes(&authn, &good, NOW) && theirs(&token));
        assert!(!passes(&authn, &request(&forged), NOW) && !theirs(&forged));
        let mut group = criterion.benchmark_group(format!("peers_jwt/{}", signer.algorithm()));
        group.bench_function("ours", |bench| bench.iter(|| passes(&authn, black_box(&good), NOW)));
        group.bench_function("jsonwebtoken", |bench| bench.iter(|| theirs(black_box(&token))));
        group.finish();
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
}

criterion_group!(name = benches; config = short(); targets = tokens);
criterion_main!(benches);

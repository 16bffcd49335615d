//! Tokens: whole validation by us and by `jsonwebtoken` on the same cryptography, beside the bare signature check, a
//! remembered token and hopeless ones, in one run (goals J1 to J3).
#![allow(missing_docs, reason = "the macros of criterion")]

use std::hint::black_box;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mesh_benches::workloads::jwt::{AUDIENCE, ISSUER, NOW, Signer, passes, request, rules};
use serde_json::{Map, Value, json};

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
        let (signed, signature) = token.rsplit_once('.').expect("a token");
        let (check, signature) = (signer.raw_check(), BASE64.decode(signature).expect("base64"));
        group.bench_function("raw", |bench| {
            bench.iter(|| check(black_box(signed.as_bytes()), black_box(&signature)));
        });
        let cached = authn.clone().with_token_cache(1_024);
        assert!(passes(&cached, &good, NOW) && passes(&cached, &good, NOW));
        group.bench_function("remembered", |bench| bench.iter(|| passes(&cached, black_box(&good), NOW)));
        group.bench_function("ours", |bench| bench.iter(|| passes(&authn, black_box(&good), NOW)));
        group.bench_function("jsonwebtoken", |bench| bench.iter(|| theirs(black_box(&token))));
        group.finish();
        if signer.algorithm() != "RS256" {
            continue;
        }
        let hopeless = [
            ("malformed", "a.b".to_owned()),
            ("unknown_kid", signer.token("other", |_| {})),
            ("wrong_iss", signer.token("k", |claims| claims["iss"] = json!("https://evil.example.com"))),
            ("wrong_aud", signer.token("k", |claims| claims["aud"] = json!("nobody"))),
            ("expired", signer.token("k", |claims| claims["exp"] = json!(1_700_000_000))),
        ];
        let mut group = criterion.benchmark_group("peers_jwt_hopeless");
        for (name, token) in hopeless {
            let request = request(&token);
            assert!(!passes(&authn, &request, NOW), "{name}");
            group.bench_function(name, |bench| bench.iter(|| passes(&authn, black_box(&request), NOW)));
            // The peer is given a key, whatever `kid` says.
            if name != "unknown_kid" {
                assert!(!theirs(&token), "{name}");
                let name = format!("{name}/jsonwebtoken");
                group.bench_function(name, |bench| bench.iter(|| theirs(black_box(&token))));
            }
        }
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

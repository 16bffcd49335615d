//! A decision that nobody listens to allocates nothing, whatever it says; nor does a remembered token.
//!
//! One test alone in its binary: the counter counts for the whole process.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "generated rules compile")]

#[allow(dead_code, unreachable_pub, reason = "shared with the benches")]
#[path = "../../benches/workloads/authz.rs"]
mod authz;
#[allow(dead_code, unreachable_pub, reason = "shared with the benches")]
#[path = "../../benches/workloads/splitmix.rs"]
mod splitmix;

use std::sync::Arc;

use authz::{Profile, Stream, policies, stream};
use mesh_authz::policy_set::{PolicyOptions, PolicySet, Protocol};
use mesh_authz::request_authn::{Authenticated, AuthnOptions, RequestAuthn};
use mesh_model::document::{Document, Source, Tree};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::object::{Object, ObjectMeta};
use mesh_model::origin::Provenance;
use mesh_model::security::request_authentication::RequestAuthentication;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const POLICIES: usize = 100;

fn blocks() -> u64 {
    dhat::HeapStats::get().total_blocks
}

fn token_rules(tokens: &Value) -> RequestAuthn {
    let keys = json!({ "keys": [tokens["keys"]["RSA"]] }).to_string();
    let rules = json!({ "jwtRules": [{ "issuer": "https://login.example.com", "jwks": keys }] });
    let (namespace, name): (Arc<str>, Arc<str>) = ("shop".into(), "jwt".into());
    let document = Arc::new(Document::new(
        Source { file: "test.yaml".into(), cluster: "Kubernetes".into() },
        0,
        Tree::default(),
    ));
    let object = Arc::new(Object {
        meta: ObjectMeta { name: name.clone(), namespace: namespace.clone(), ..ObjectMeta::default() },
        spec: serde_json::from_value::<RequestAuthentication>(rules).unwrap(),
        provenance: Arc::new(Provenance {
            kind: "RequestAuthentication",
            namespace,
            name,
            document,
            refused_at: None,
        }),
    });
    let (authn, _) = RequestAuthn::compile(&[&object], &AuthnOptions::default());
    authn.unwrap()
}

#[test]
fn a_decision_allocates_nothing() {
    let _profiler = dhat::Profiler::builder().testing().build();
    for profile in Profile::ALL {
        let written = policies(profile, POLICIES);
        let protocol = if profile.is_http() { Protocol::Http } else { Protocol::Tcp };
        let options = PolicyOptions { trust_domain: "cluster.local", ..PolicyOptions::default() };
        let before = dhat::HeapStats::get().curr_bytes;
        let set = PolicySet::compile(&written.iter().collect::<Vec<_>>(), protocol, &options).0.unwrap();
        let kept = dhat::HeapStats::get().curr_bytes - before;
        let per_rule = kept / (POLICIES * authz::RULES_PER_POLICY);
        println!("{}: {per_rule} bytes per rule", profile.name());
        assert!(per_rule <= 400, "{}: {per_rule} bytes per rule", profile.name());
        for kind in Stream::ALL {
            let calls = stream(profile, POLICIES, kind, 200);
            let ask = || calls.iter().filter(|call| set.decide(&call.facts(), &mut ()).allowed).count();
            let wanted = if kind == Stream::Allowed { calls.len() } else { 0 };
            assert_eq!(ask(), wanted, "{profile:?} {kind:?}");
            let before = blocks();
            let allowed = ask();
            let made = blocks() - before;
            assert_eq!((allowed, made), (wanted, 0), "{profile:?} {kind:?}");
        }
    }

    let tokens: Value = serde_json::from_str(include_str!("../src/jwt/testdata/tokens.json")).unwrap();
    let plain = token_rules(&tokens);
    let authn = plain.clone().with_token_cache(64);
    let mut headers = Headers::default();
    let line = format!("Bearer {}", tokens["by_algorithm"]["RS256"].as_str().unwrap());
    headers.push("authorization", line.into_bytes());
    let request = RequestFacts {
        version: HttpVersion::Http2,
        method: "GET".into(),
        scheme: "http".into(),
        authority: "orders".into(),
        path: "/".into(),
        headers,
    };
    let passes = || match authn.authenticate(&request, 1_700_000_000, &mut ()) {
        Authenticated::Passed { claims, changes } => {
            claims.is_some_and(|claims| claims.subject() == Some("alice")) && changes.len() == 1
        }
        Authenticated::Rejected { .. } => false,
    };
    // Once for what is made at the first use of a key.
    plain.authenticate(&request, 1_700_000_000, &mut ());
    for (what, now, is_good) in [("a good token", 1_700_000_000, true), ("an expired token", i64::MAX, false)]
    {
        let before = blocks();
        let passed = matches!(plain.authenticate(&request, now, &mut ()), Authenticated::Passed { .. });
        let made = blocks() - before;
        println!("{what}: {made} allocations");
        assert_eq!(passed, is_good, "{what}");
        assert!(made <= 4, "{what}: {made}");
    }
    assert!(passes());
    let before = blocks();
    let again = passes();
    let made = blocks() - before;
    assert_eq!((again, made), (true, 0), "a remembered token");
}

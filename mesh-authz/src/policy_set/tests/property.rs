//! The trace never changes a verdict, more DENY never opens, more ALLOW never closes, and order does not matter.

use proptest::prelude::*;

use super::*;

fn texts(values: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(values, 0..=values.len().min(2))
}

prop_compose! {
    fn rule()(
        principals in texts(&["*", "cluster.local/ns/web/sa/front", "*/sa/b", "x*"]),
        not_namespaces in texts(&["web", "*", "s*p"]),
        blocks in texts(&["10.0.0.0/8", "10.1.2.3", "::1"]),
        request_principals in texts(&["*", "i/s", "i/*", "*s"]),
        paths in texts(&["/a", "/a*", "/{*}/b", "*", "/{**}"]),
        not_methods in texts(&["GET", "P*"]),
        ports in texts(&["80", "8080"]),
        header in texts(&["a", "*", "b*"]),
        not_claim in texts(&["x", "*"]),
        parts in 0u8..8,
    ) -> Value {
        let mut rule = Map::new();
        if parts & 1 != 0 {
            rule.insert("from".into(), json!([
                { "source": { "principals": principals, "notNamespaces": not_namespaces } },
                { "source": { "ipBlocks": blocks, "requestPrincipals": request_principals } },
            ]));
        }
        if parts & 2 != 0 {
            rule.insert("to".into(), json!([
                { "operation": { "paths": paths, "notMethods": not_methods, "ports": ports } },
            ]));
        }
        if parts & 4 != 0 {
            rule.insert("when".into(), json!([
                { "key": "request.headers[x]", "values": header },
                { "key": "request.auth.claims[groups]", "notValues": not_claim },
            ]));
        }
        Value::Object(rule)
    }
}

prop_compose! {
    fn policy()(
        action in prop::sample::select(vec!["ALLOW", "DENY", "AUDIT", "CUSTOM"]),
        provider in prop::sample::select(vec!["web", "rpc", "bad", "none"]),
        rules in prop::collection::vec(rule(), 0..3),
    ) -> Value {
        if action == "CUSTOM" {
            json!({ "action": action, "provider": { "name": provider }, "rules": rules })
        } else {
            json!({ "action": action, "rules": rules })
        }
    }
}

prop_compose! {
    fn call()(
        peer in prop::option::of(prop::sample::select(vec![
            "spiffe://cluster.local/ns/web/sa/front", "spiffe://td/ns/shop/sa/b", ""])),
        path in prop::sample::select(vec!["/", "/a", "/a/b", "/a?q", ""]),
        method in prop::sample::select(vec!["GET", "POST"]),
        headers in prop::collection::vec(prop::sample::select(vec!["a", "b", "bc", ""]), 0..3),
        claims in prop::option::of(prop::sample::select(vec![
            json!({ "iss": "i", "sub": "s", "groups": ["x"] }), json!({ "sub": 1, "groups": "y" })])),
        port in prop::sample::select(vec![80u16, 8080]),
        http in any::<bool>(),
    ) -> Call {
        let mut call = if http { get(path).method(method) } else { tcp() };
        if http {
            for value in headers {
                call = call.header("x", value);
            }
        }
        Call { peer, claims, port, ..call }
    }
}

fn set(specs: &[Value], http: bool) -> PolicySet {
    let policies: Vec<_> =
        specs.iter().enumerate().map(|(at, spec)| named("shop", &format!("p{at}"), spec.clone())).collect();
    compile(&policies, if http { Protocol::Http } else { Protocol::Tcp })
}

proptest! {
    #[test]
    fn the_trace_never_changes_the_verdict(specs in prop::collection::vec(policy(), 1..5), call in call()) {
        // `ask` compares the two.
        call.ask(&set(&specs, call.request.is_some()));
    }

    #[test]
    fn another_deny_never_opens(specs in prop::collection::vec(policy(), 1..4), rule in rule(), call in call()) {
        let before = call.passes(&specs);
        let more: Vec<Value> = specs.into_iter().chain([deny(rule)]).collect();
        prop_assert!(before || !call.passes(&more));
    }

    #[test]
    fn another_allow_never_closes_beside_an_allow(
        specs in prop::collection::vec(policy(), 0..3), first in rule(), second in rule(), call in call(),
    ) {
        let one: Vec<Value> = specs.into_iter().chain([allow(first)]).collect();
        let two: Vec<Value> = one.iter().cloned().chain([allow(second)]).collect();
        prop_assert!(!call.passes(&one) || call.passes(&two));
    }

    #[test]
    fn the_order_of_documents_does_not_matter(specs in prop::collection::vec(policy(), 1..5), call in call()) {
        let protocol = if call.request.is_some() { Protocol::Http } else { Protocol::Tcp };
        let mut policies: Vec<_> = specs.iter().enumerate()
            .map(|(at, spec)| named("shop", &format!("p{at}"), spec.clone())).collect();
        let forward = call.ask(&compile(&policies, protocol));
        policies.reverse();
        prop_assert_eq!(forward, call.ask(&compile(&policies, protocol)));
    }
}

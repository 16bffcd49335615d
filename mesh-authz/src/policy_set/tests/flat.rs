//! However many rules there are, few are asked.

use super::*;

/// Each list of rules has this many.
const RULES: usize = 1_000;

/// How many of the rules are asked about the call, where rule `n` is what `rule` makes of `n`; a fifth of them also
/// exclude something.
fn asked(call: &Call, rule: impl Fn(usize) -> Value) -> usize {
    let rules: Vec<Value> = (0..RULES)
        .map(|n| {
            let mut rule = rule(n);
            if n % 5 == 0 {
                exclude(&mut rule);
            }
            rule
        })
        .collect();
    let set = compile(&[named("shop", "p", json!({ "rules": rules }))], Protocol::Http);
    assert!(call.ask(&set).allowed, "the call is one that some rule allows");
    call.with_facts(|facts| set.enforced.rules().asked(facts))
}

/// Adds a `not` field to each of the rule's parts.
fn exclude(rule: &mut Value) {
    let not_paths = json!(["/excluded"]);
    match rule.get_mut("to") {
        Some(to) => to[0]["operation"]["notPaths"] = not_paths,
        None => rule["to"] = json!([{ "operation": { "notPaths": not_paths } }]),
    }
    if let Some(from) = rule.get_mut("from") {
        from[0]["source"]["notNamespaces"] = json!(["excluded"]);
    }
}

fn of_source(field: &str, value: impl Fn(usize) -> String) -> impl Fn(usize) -> Value {
    move |n| source(json!({ field: [value(n)] }))
}

fn of_operation(field: &str, value: impl Fn(usize) -> String) -> impl Fn(usize) -> Value {
    move |n| operation(json!({ field: [value(n)] }))
}

fn of_condition(key: impl Fn(usize) -> String, value: impl Fn(usize) -> String) -> impl Fn(usize) -> Value {
    move |n| when(&key(n), &[&value(n)], &[])
}

const FEW: usize = 8;

/// Rule `n` of many.
type Rules = Box<dyn Fn(usize) -> Value>;

#[test]
fn rules_that_differ_by_source_are_told_apart() {
    let peer = get("/").from("spiffe://td500/ns/ns-500-x/sa/sa-500");
    let token = get("/").token(json!({ "iss": "i", "sub": "s-500" }));
    let cases: [(&str, &Call, Rules); 12] = [
        ("principals", &peer, Box::new(of_source("principals", |n| format!("td{n}/ns/ns-{n}-x/sa/sa-{n}")))),
        ("principals x*", &peer, Box::new(of_source("principals", |n| format!("td{n}/*")))),
        ("principals *x", &peer, Box::new(of_source("principals", |n| format!("*/sa-{n}")))),
        ("namespaces", &peer, Box::new(of_source("namespaces", |n| format!("ns-{n}-x")))),
        ("namespaces x*", &peer, Box::new(of_source("namespaces", |n| format!("ns-{n}-*")))),
        ("namespaces *x", &peer, Box::new(of_source("namespaces", |n| format!("*-{n}-x")))),
        ("serviceAccounts", &peer, Box::new(of_source("serviceAccounts", |n| format!("ns-{n}-x/sa-{n}")))),
        ("trustDomains", &peer, Box::new(of_source("trustDomains", |n| format!("td{n}")))),
        ("trustDomains *x", &peer, Box::new(of_source("trustDomains", |n| format!("*d{n}")))),
        ("requestPrincipals", &token, Box::new(of_source("requestPrincipals", |n| format!("i/s-{n}")))),
        ("ipBlocks", &peer, Box::new(of_source("ipBlocks", |n| format!("10.{}.{}.0/24", n / 256, n % 256)))),
        (
            "remoteIpBlocks",
            &peer,
            Box::new(of_source("remoteIpBlocks", |n| format!("203.{}.{}.7", n / 256, n % 256))),
        ),
    ];
    for (name, call, rule) in cases {
        let call = Call {
            direct_ip: "10.1.2.3".parse().unwrap(),
            remote_ip: "203.1.2.7".parse().unwrap(),
            ..call.clone()
        };
        let asked = asked(&call, rule);
        assert!(asked <= FEW, "{name}: {asked}");
    }
}

#[test]
fn rules_that_differ_by_operation_are_told_apart() {
    let call = get("/a/b-500/c").host("h-500.com").method("M500");
    let cases: [(&str, Rules); 9] = [
        ("paths", Box::new(of_operation("paths", |n| format!("/a/b-{n}/c")))),
        ("paths x*", Box::new(of_operation("paths", |n| format!("/a/b-{n}/*")))),
        ("paths *x", Box::new(of_operation("paths", |n| format!("*/b-{n}/c")))),
        ("paths {*}", Box::new(of_operation("paths", |n| format!("/{{*}}/b-{n}/{{**}}")))),
        ("paths {**}", Box::new(of_operation("paths", |n| format!("/{{**}}/b-{n}/c")))),
        ("hosts", Box::new(of_operation("hosts", |n| format!("H-{n}.com")))),
        ("hosts *x", Box::new(of_operation("hosts", |n| format!("*-{n}.com")))),
        ("methods", Box::new(of_operation("methods", |n| format!("M{n}")))),
        ("ports", Box::new(of_operation("ports", |n| (7580 + n).to_string()))),
    ];
    for (name, rule) in cases {
        let asked = asked(&call, rule);
        assert!(asked <= FEW, "{name}: {asked}");
    }
}

#[test]
fn rules_that_differ_by_condition_are_told_apart() {
    let claims = json!({ "iss": "i", "sub": "s", "g": ["x", "g-500"], "g-500": "x", "n": { "g": "g-500" } });
    let call = get("/").header("x", "v-500").header("x-500", "v").token(claims);
    let call = Call { sni: Some("h-500.com"), ..call };
    let fixed = |text: &'static str| move |_: usize| text.to_owned();
    let cases: [(&str, Rules); 6] = [
        ("header", Box::new(of_condition(fixed("request.headers[x]"), |n| format!("v-{n}")))),
        ("header name", Box::new(of_condition(|n| format!("request.headers[x-{n}]"), fixed("v")))),
        ("claim", Box::new(of_condition(fixed("request.auth.claims[g]"), |n| format!("g-{n}")))),
        ("claim name", Box::new(of_condition(|n| format!("request.auth.claims[g-{n}]"), fixed("x")))),
        ("nested claim", Box::new(of_condition(fixed("request.auth.claims[n][g]"), |n| format!("g-{n}")))),
        ("sni", Box::new(of_condition(fixed("connection.sni"), |n| format!("h-{n}.com")))),
    ];
    for (name, rule) in cases {
        let asked = asked(&call, rule);
        assert!(asked <= FEW, "{name}: {asked}");
    }
}

#[test]
fn a_shared_value_does_not_hide_one_that_tells_apart() {
    let call = get("/a/500");
    let asked = asked(&call, |n| {
        json!({
            "from": [{ "source": { "namespaces": ["web"] } }],
            "to": [{ "operation": { "methods": ["GET"], "paths": [format!("/a/{n}")] } }],
        })
    });
    assert!(asked <= FEW, "{asked}");
}

#[test]
fn rules_that_ask_for_the_same_count_as_one() {
    let asked = asked(&get("/"), |_| operation(json!({ "notPaths": ["/x"] })));
    assert!(asked <= 2, "{asked}");
}

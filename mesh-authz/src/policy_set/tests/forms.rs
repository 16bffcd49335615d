//! Actions, empty forms, dry run, CUSTOM, and what TCP makes of rules for HTTP.

use super::*;

#[test]
fn s080_deny_before_allow_and_no_allow_means_all() {
    let admin = || operation(json!({ "paths": ["/admin"] }));
    assert!(get("/x").passes(&[deny(admin())]));
    assert!(!get("/admin").passes(&[deny(admin())]));
    assert!(!get("/admin").passes(&[allow(json!({})), deny(admin())]));
    assert!(!get("/x").passes(&[allow(admin())]));
    assert!(get("/x").passes(&[allow(admin()), allow(operation(json!({ "paths": ["/x"] })))]));
}

#[test]
fn s087_to_s095_empty_forms() {
    assert!(!get("/").passes(&[json!({})]), "S-087");
    assert!(!get("/").passes(&[json!({ "action": "ALLOW", "rules": [] })]), "S-088");
    assert!(get("/").passes(&[json!({ "rules": [{}] })]), "S-089");
    assert!(!get("/").passes(&[json!({ "action": "DENY", "rules": [{}] })]), "S-090");
    assert!(get("/").passes(&[json!({ "action": "DENY" })]), "S-091");
    assert!(get("/").passes(&[json!({ "action": "AUDIT" })]), "S-094");
    let star = allow(source(json!({ "principals": [], "namespaces": ["web"] })));
    assert!(get("/").passes(&[star]), "S-097");
}

#[test]
fn s083_the_first_match_in_the_order_of_names_is_reported() {
    let policies = [
        named("shop", "b", deny(json!({}))),
        named("shop", "a", json!({ "action": "DENY", "rules": [when("source.ip", &["9.9.9.9"], &[]), {}] })),
    ];
    let verdict = get("/").ask(&compile(&policies, Protocol::Http));
    let decided = verdict.decided_by.unwrap();
    assert_eq!((&*decided.policy, decided.rule), ("shop/a", Some(1)));
    assert_eq!(decided.origin.field(), "spec.rules[1]");
    let default_deny = get("/").ask(&compile(&[named("shop", "c", json!({}))], Protocol::Http));
    assert_eq!((default_deny.allowed, default_deny.decided_by), (false, None));
}

#[test]
fn s101_dry_run_is_reported_and_never_enforced() {
    let verdict = |written, spec| get("/").ask(&compile(&[dry_run(spec, written)], Protocol::Http));
    let denied = verdict("true", deny(json!({})));
    assert!(denied.allowed);
    assert_eq!(denied.dry_run.len(), 1);
    assert!(verdict("T", json!({})).allowed, "a dry-run ALLOW does not close");
    assert!(!verdict("false", deny(json!({}))).allowed);
    assert!(!verdict("yes", deny(json!({}))).allowed, "S-100: not a boolean, so enforced");
    let policy = dry_run(deny(json!({})), "yes");
    assert_eq!(PolicySet::compile(&[&policy], Protocol::Http, &options()).1.len(), 1);
}

#[test]
fn audit_is_noted_and_changes_nothing() {
    let audit = json!({ "action": "AUDIT", "rules": [{}] });
    let verdict = get("/").ask(&compile(&[named("shop", "a", audit)], Protocol::Http));
    assert!(verdict.allowed);
    assert_eq!(&*verdict.audited[0].policy, "shop/a");
}

fn custom(provider: &str, rule: Value) -> Value {
    json!({ "action": "CUSTOM", "provider": { "name": provider }, "rules": [rule] })
}

#[test]
fn s106_s107_a_broken_provider_denies_what_matches() {
    let rule = || operation(json!({ "paths": ["/x"] }));
    for provider in ["nobody", "bad"] {
        assert!(!get("/x").passes(&[custom(provider, rule())]), "{provider}");
        assert!(get("/y").passes(&[custom(provider, rule())]), "{provider}");
    }
    let asked = get("/x").ask(&compile(&[named("shop", "c", custom("web", rule()))], Protocol::Http));
    assert!(asked.allowed);
    assert_eq!(&*asked.external[0].provider, "web");
    assert_eq!(&*asked.external[0].policy, "shop/c");
    let authorizer = &asked.external[0].authorizer;
    assert_eq!((&*authorizer.service, authorizer.port, authorizer.fail_open), ("authz", 8000, false));
    let two = [custom("web", rule()), custom("rpc", rule())];
    assert!(!get("/x").passes(&two), "S-106: two providers");
    assert!(get("/y").passes(&two));
}

#[test]
fn s080_several_providers_are_asked_by_name_where_the_mesh_allows_it() {
    let policies =
        [named("shop", "a", custom("web", json!({}))), named("shop", "b", custom("rpc", json!({})))];
    let all: Vec<_> = policies.iter().collect();
    let options = PolicyOptions { multiple_custom_providers: true, ..options() };
    let set = PolicySet::compile(&all, Protocol::Http, &options).0.unwrap();
    let asked: Vec<_> =
        get("/").ask(&set).external.iter().map(|external| external.provider.to_string()).collect();
    assert_eq!(asked, ["rpc", "web"]);
}

#[test]
fn s108_http_providers_are_not_asked_about_tcp() {
    let asked = |provider| {
        let set = compile(&[named("shop", "c", custom(provider, json!({})))], Protocol::Tcp);
        let verdict = tcp().ask(&set);
        (verdict.allowed, verdict.external.len())
    };
    assert_eq!(asked("web"), (true, 0));
    assert_eq!(asked("rpc"), (true, 1));
    assert_eq!(asked("nobody"), (false, 0));
}

#[test]
fn s078_custom_rules_never_see_tokens() {
    let rule = when("request.auth.claims[iss]", &["*"], &[]);
    let set = compile(&[named("shop", "c", custom("web", rule))], Protocol::Http);
    let call = get("/").token(json!({ "iss": "i" }));
    assert!(call.ask(&set).external.is_empty());
}

#[test]
fn s122_to_s127_fields_of_requests_on_tcp() {
    let paths = || operation(json!({ "paths": ["/x"] }));
    assert!(!tcp().passes(&[allow(paths())]), "S-122, G-07");
    assert!(!tcp().passes(&[deny(paths())]), "S-123, G-06");
    assert!(!tcp().passes(&[deny(operation(json!({ "notPaths": ["/x"] })))]), "S-124");
    let port = deny(operation(json!({ "paths": ["/x"], "ports": ["9000"] })));
    assert!(tcp().passes(std::slice::from_ref(&port)), "S-127");
    assert!(!Call { port: 9000, ..tcp() }.passes(&[port]), "S-127");
    let two = json!({ "rules": [source(json!({ "namespaces": ["web"] })), paths()] });
    assert!(tcp().passes(&[two]), "G-08");
    let alternatives = json!({ "rules": [{ "from": [
        { "source": { "namespaces": ["web"] } }, { "source": { "requestPrincipals": ["*"] } }] }] });
    assert!(!tcp().passes(&[alternatives]), "G-09");
    assert!(!tcp().passes(&[deny(when("request.headers[x]", &[], &["a"]))]), "S-123 for conditions");
}

#[test]
fn s118_an_unknown_key_drops_the_rule() {
    let unknown = when("source.color", &["red"], &[]);
    assert!(!get("/").passes(&[allow(unknown.clone())]));
    assert!(get("/").passes(&[deny(unknown.clone())]));
    let policy = named("shop", "a", deny(unknown));
    let (_, report) = PolicySet::compile(&[&policy], Protocol::Http, &options());
    assert_eq!(report.iter().next().unwrap().at.field, "spec.rules[0].when[0].key");
}

#[test]
fn s128_a_bad_value_drops_an_allow_rule_and_widens_the_others() {
    let blocks = || source(json!({ "ipBlocks": ["nowhere", "10.0.0.0/8"] }));
    assert!(!get("/").passes(&[allow(blocks())]));
    assert!(!get("/").passes(&[deny(blocks())]));
    assert!(
        !get("/").passes(&[deny(source(json!({ "ipBlocks": ["nowhere"] })))]),
        "an emptied list vanishes"
    );
    assert!(!get("/").passes(&[deny(operation(json!({ "ports": ["http"] })))]));
}

#[test]
fn steps_name_the_field_that_failed_and_its_origin() {
    let policy = named("shop", "a", allow(operation(json!({ "paths": ["/x"], "methods": ["GET"] }))));
    let set = compile(&[policy], Protocol::Http);
    let call = get("/y");
    let facts = Facts {
        direct_ip: call.direct_ip,
        remote_ip: call.remote_ip,
        dst_ip: call.direct_ip,
        dst_port: 80,
        sni: None,
        peer: None,
        request: call.request.as_ref(),
        claims: None,
    };
    let mut trace = Trace::default();
    set.decide(&facts, &mut trace);
    let step = &trace.steps[0];
    let because = step.because.as_ref().unwrap();
    assert_eq!(step.rule, "ALLOW shop/a rules[0]");
    assert_eq!((&*because.field, &*because.wanted, &*because.got), ("paths", "/x", "/y"));
    assert_eq!(step.origin.as_ref().unwrap().field(), "spec.rules[0]");
}

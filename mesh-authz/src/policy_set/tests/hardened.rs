//! The `hardened` profile beside `istio`, for every divergence that policies have.

use super::*;
use crate::profile::Profile;

/// Whether the call passes in the profile, and how many findings there are.
fn judge(profile: Profile, call: &Call, specs: &[Value]) -> (bool, usize) {
    let policies: Vec<_> =
        specs.iter().enumerate().map(|(at, spec)| named("shop", &format!("p{at}"), spec.clone())).collect();
    let options = PolicyOptions { profile, ..options() };
    let protocol = if call.request.is_some() { Protocol::Http } else { Protocol::Tcp };
    let all: Vec<_> = policies.iter().collect();
    let (set, report) = PolicySet::compile(&all, protocol, &options);
    (call.ask(&set.unwrap()).allowed, report.len())
}

/// In `istio` and in `hardened`.
fn both(call: &Call, specs: &[Value]) -> [bool; 2] {
    [Profile::Istio, Profile::Hardened].map(|profile| judge(profile, call, specs).0)
}

fn custom(rules: Value) -> Value {
    json!({ "action": "CUSTOM", "provider": { "name": "web" }, "rules": rules })
}

#[test]
fn s426_an_unknown_key_of_a_refusing_policy_denies_its_scope() {
    let unknown = || when("source.color", &["red"], &[]);
    assert_eq!(both(&get("/"), &[deny(unknown())]), [true, false]);
    assert_eq!(both(&get("/"), &[custom(json!([unknown()]))]), [true, false]);
    assert_eq!(both(&get("/"), &[json!({ "action": "AUDIT", "rules": [unknown()] })]), [true, true]);
    assert_eq!(both(&get("/"), &[allow(unknown())]), [false, false], "an ALLOW rule is closed in both");
    assert_eq!(both(&get("/"), &[allow(unknown()), allow(json!({}))]), [true, true]);
    let policy = named("shop", "p", deny(unknown()));
    let options = PolicyOptions { profile: Profile::Hardened, ..options() };
    let (set, report) = PolicySet::compile(&[&policy], Protocol::Http, &options);
    let decided = get("/").ask(&set.unwrap()).decided_by.unwrap();
    assert_eq!((&*decided.policy, decided.rule), ("shop/p", None), "the verdict names the policy");
    let last = report.iter().next_back().unwrap();
    assert!(last.at.resource.name == "p" && last.message.contains("denied"), "a finding says which");
}

#[test]
fn s128_s426_a_bad_value_of_a_deny_rule_denies_its_scope() {
    for rule in [
        source(json!({ "ipBlocks": ["nowhere", "192.0.2.0/24"] })),
        operation(json!({ "ports": ["http", "1"] })),
        operation(json!({ "paths": ["/x/{**}/{*}", "/y"] })),
        when("request.headers", &["x"], &[]),
    ] {
        let rule = json!({ "from": rule.get("from"), "to": rule.get("to"), "when": rule.get("when") });
        let rule: Value = rule
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, part)| !part.is_null())
            .map(|(name, part)| (name.clone(), part.clone()))
            .collect::<Map<_, _>>()
            .into();
        let [_, hardened] = both(&get("/"), &[deny(rule.clone())]);
        assert!(!hardened, "{rule}");
    }
    let fine = source(json!({ "ipBlocks": ["192.0.2.0/24"] }));
    assert_eq!(both(&get("/"), &[deny(fine)]), [true, true]);
}

#[test]
fn s091_s092_a_refusing_policy_without_rules_denies_its_scope() {
    for action in ["DENY", "CUSTOM"] {
        let spec = json!({ "action": action, "provider": { "name": "web" } });
        assert_eq!(both(&get("/"), &[spec]), [true, false], "{action}");
    }
    assert_eq!(both(&get("/"), &[json!({ "action": "AUDIT" })]), [true, true]);
}

#[test]
fn dry_run_policies_deny_nothing_in_either() {
    let policy = dry_run(deny(when("source.color", &["red"], &[])), "true");
    let options = PolicyOptions { profile: Profile::Hardened, ..options() };
    let (set, _) = PolicySet::compile(&[&policy], Protocol::Http, &options);
    assert!(get("/").ask(&set.unwrap()).allowed);
}

#[test]
fn fields_of_requests_on_tcp_are_no_mistake() {
    let paths = || operation(json!({ "paths": ["/x"] }));
    assert_eq!(
        judge(Profile::Hardened, &tcp(), &[deny(paths())]),
        judge(Profile::Istio, &tcp(), &[deny(paths())])
    );
}

//! The index is the walk, more DENY never opens, more ALLOW never closes, and order does not matter.

use proptest::prelude::*;

use super::vocabulary::{call, indexed, indexed_for, policies, policy, rule};
use super::*;

fn verdict(specs: &[(Value, bool)], call: &Call) -> Heard {
    call.ask(&indexed(&policies(specs), call))
}

fn with(specs: &[(Value, bool)], action: &str, rule: &Value) -> Vec<(Value, bool)> {
    let more = (json!({ "action": action, "rules": [rule] }), false);
    specs.iter().cloned().chain([more]).collect()
}

/// The rule matches whatever it matched, and more.
fn widened(rule: &Value, how: &str) -> Value {
    let mut rule = rule.clone();
    let fields = rule.as_object_mut().unwrap();
    match how {
        "entry" => {
            for (part, entry) in [
                ("from", json!({ "source": { "namespaces": ["a"] } })),
                ("to", json!({ "operation": { "ports": ["80"] } })),
            ] {
                let entries = fields.get_mut(part).and_then(Value::as_array_mut);
                // No entries stand for any source or operation; one would narrow that.
                entries
                    .into_iter()
                    .filter(|entries| !entries.is_empty())
                    .for_each(|entries| entries.push(entry.clone()));
            }
        }
        "value" => {
            for source in fields.get_mut("from").and_then(Value::as_array_mut).into_iter().flatten() {
                let principals = source["source"].get_mut("principals").and_then(Value::as_array_mut);
                principals.into_iter().for_each(|values| values.push("*/x".into()));
            }
        }
        part => {
            fields.remove(part);
        }
    }
    rule
}

/// The identity of `td` as the alias `old` writes it.
fn in_alias(call: &Call, peer: &'static str) -> (Call, Call) {
    let own = Call { peer: Some(peer), ..call.clone() };
    let alias = match peer {
        "spiffe://td/ns/a/sa/x" => "spiffe://old/ns/a/sa/x",
        _ => "spiffe://old/ns/b/sa/y",
    };
    (own, Call { peer: Some(alias), ..call.clone() })
}

/// A rule on identities that names nothing but identities of both trust domains.
fn canonical_rule() -> impl Strategy<Value = Value> {
    let principals =
        prop::sample::subsequence(vec!["td/ns/a/sa/x", "old/ns/b/sa/y", "cluster.local/ns/a/sa/x"], 0..3);
    let domains = prop::sample::subsequence(vec!["td", "old"], 0..2);
    let none = prop::sample::subsequence(vec!["td/ns/a/sa/x", "old/ns/b/sa/y"], 0..2);
    (principals, domains, none).prop_map(|(principals, domains, none)| {
        source(json!({ "principals": principals, "trustDomains": domains, "notPrincipals": none }))
    })
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn the_index_is_the_walk(specs in prop::collection::vec(policy(), 1..6), calls in prop::collection::vec(call(), 4)) {
        let policies = policies(&specs);
        let (http, tcp) = (indexed_for(&policies, Protocol::Http), indexed_for(&policies, Protocol::Tcp));
        for call in &calls {
            // `ask` compares the verdict of the index with that of a trace, for which rules are walked.
            call.ask(if call.request.is_some() { &http } else { &tcp });
        }
    }
}

proptest! {
    #![proptest_config(cases(CASES / 4))]

    #[test]
    fn another_deny_never_opens(specs in prop::collection::vec(policy(), 0..4), rule in rule(), call in call()) {
        let before = verdict(&specs, &call).allowed;
        prop_assert!(before || !verdict(&with(&specs, "DENY", &rule), &call).allowed);
    }

    #[test]
    fn another_allow_never_closes_beside_an_allow(
        specs in prop::collection::vec(policy(), 0..3), first in rule(), second in rule(), call in call(),
    ) {
        let one = with(&specs, "ALLOW", &first);
        prop_assert!(!verdict(&one, &call).allowed || verdict(&with(&one, "ALLOW", &second), &call).allowed);
    }

    #[test]
    fn a_wider_allow_never_closes_and_a_wider_deny_never_opens(
        specs in prop::collection::vec(policy(), 0..3), rule in rule(), call in call(),
        how in prop::sample::select(vec!["from", "to", "when", "entry", "value"]),
    ) {
        let wide = widened(&rule, how);
        let allowed = |action, rule| verdict(&with(&specs, action, rule), &call).allowed;
        prop_assert!(!allowed("ALLOW", &rule) || allowed("ALLOW", &wide));
        prop_assert!(allowed("DENY", &rule) || !allowed("DENY", &wide));
    }

    #[test]
    fn the_order_of_documents_does_not_matter(specs in prop::collection::vec(policy(), 1..5), call in call()) {
        let mut policies = policies(&specs);
        let forward = call.ask(&indexed(&policies, &call));
        policies.reverse();
        prop_assert_eq!(forward, call.ask(&indexed(&policies, &call)));
    }

    #[test]
    fn the_order_of_rules_does_not_matter(specs in prop::collection::vec(policy(), 1..5), call in call()) {
        let mut reversed = specs.clone();
        for (spec, _) in &mut reversed {
            spec["rules"].as_array_mut().unwrap().reverse();
        }
        let (forward, backward) = (verdict(&specs, &call), verdict(&reversed, &call));
        prop_assert_eq!((forward.allowed, forward.external), (backward.allowed, backward.external));
    }

    #[test]
    fn a_trust_domain_and_its_alias_agree(
        rules in prop::collection::vec((prop::sample::select(vec!["ALLOW", "DENY"]), canonical_rule()), 1..4),
        call in call(), peer in prop::sample::select(vec!["spiffe://td/ns/a/sa/x", "spiffe://td/ns/b/sa/y"]),
    ) {
        let specs: Vec<_> =
            rules.iter().map(|(action, rule)| (json!({ "action": action, "rules": [rule] }), false)).collect();
        let (own, alias) = in_alias(&call, peer);
        prop_assert_eq!(verdict(&specs, &own), verdict(&specs, &alias));
    }
}

/// Random policies, each asked about four calls.
const CASES: u32 = 5_000;

/// So many, unless the environment asks for another number.
pub(super) fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|number| number.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(usual))
}

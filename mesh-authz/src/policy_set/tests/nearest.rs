//! What a denial by default says: the ALLOW rule that came nearest, and what it lacked.

use super::*;

/// Field, what was wanted, what was there.
type Lacked = (String, String, String);

fn near(call: &Call, specs: &[Value]) -> Option<(String, Vec<Lacked>)> {
    let policies: Vec<_> =
        specs.iter().enumerate().map(|(at, spec)| named("shop", &format!("p{at}"), spec.clone())).collect();
    let set = compile(&policies, Protocol::Http);
    let found = call.with_facts(|facts| {
        let mut trace = Trace::default();
        set.enforce(facts, &mut trace);
        let found = set.nearest_allow(facts);
        // The trace says the same.
        let steps = trace.steps.iter().filter(|step| step.rule.starts_with("nearest ALLOW"));
        assert_eq!(steps.count(), found.as_ref().map_or(0, |miss| miss.lacks.len()));
        found
    })?;
    let lacks =
        found.lacks.iter().map(|lack| (lack.field.to_string(), lack.wanted.to_string(), lack.got.clone()));
    Some((format!("{}[{}]", found.rule.policy, found.rule.rule?), lacks.collect()))
}

fn lack(field: &str, wanted: &str, got: &str) -> Lacked {
    (field.to_owned(), wanted.to_owned(), got.to_owned())
}

#[test]
fn the_rule_that_lacks_the_fewest_fields_is_the_nearest() {
    let far = allow(json!({ "from": [{ "source": { "namespaces": ["ops"] } }],
                            "to": [{ "operation": { "methods": ["POST"], "paths": ["/a"] } }] }));
    let close = allow(json!({ "from": [{ "source": { "namespaces": ["web"] } }],
                              "to": [{ "operation": { "methods": ["GET"], "paths": ["/x", "/y"] } }] }));
    let (rule, lacks) = near(&get("/z"), &[far, close]).unwrap();
    assert_eq!((&*rule, lacks), ("shop/p1[0]", vec![lack("paths", "/x, /y", "/z")]));
}

#[test]
fn of_several_sources_the_nearest_counts_and_conditions_add_up() {
    let rule = allow(json!({
        "from": [{ "source": { "namespaces": ["ops"], "principals": ["x"] } }, { "source": { "namespaces": ["db"] } }],
        "when": [{ "key": "request.headers[x-team]", "values": ["blue"] }, { "key": "source.ip", "values": ["10.0.0.0/8"] }],
    }));
    let (_, lacks) = near(&get("/"), &[rule]).unwrap();
    let peer = "spiffe://cluster.local/ns/web/sa/front";
    let header = lack("request.headers[x-team]", "blue", "(absent)");
    assert_eq!(lacks, [lack("namespaces", "db", peer), header]);
}

#[test]
fn what_passes_and_what_is_denied_by_a_rule_has_no_near_miss() {
    assert_eq!(near(&get("/"), &[allow(json!({}))]), None);
    assert_eq!(near(&get("/"), &[deny(json!({}))]), None, "there is no ALLOW rule");
    assert_eq!(near(&get("/"), &[json!({})]), None, "a policy without rules could never allow");
    let paths = || operation(json!({ "paths": ["/x"] }));
    let policies = [named("shop", "a", allow(paths())), named("shop", "b", deny(json!({})))];
    let set = compile(&policies, Protocol::Http);
    get("/").with_facts(|facts| {
        let mut trace = Trace::default();
        set.enforce(facts, &mut trace);
        assert!(!trace.steps.iter().any(|step| step.rule.starts_with("nearest")), "a DENY rule decided");
    });
}

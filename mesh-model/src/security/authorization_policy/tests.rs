//! One test per rule; the known answers of values are beside their checks.

use serde_json::{Value, json};

use crate::check::testing::{problems, problems_of};

const NONE: [&str; 0] = [];

fn check(spec: &Value) -> Vec<String> {
    problems("security.istio.io/v1", "AuthorizationPolicy", spec)
}

fn source(fields: &Value) -> Vec<String> {
    check(&json!({"rules": [{"from": [{"source": fields}]}]}))
}

#[test]
fn an_action_that_never_applies_is_refused() {
    assert_eq!(check(&json!({})), NONE);
    assert_eq!(check(&json!({"action": "DENY", "rules": []})), ["missing-field spec"]);
    assert_eq!(check(&json!({"action": "DENY", "rules": [{}]})), NONE);
    assert_eq!(check(&json!({"action": "CUSTOM", "rules": [{}]})), ["missing-field spec.provider"]);
    assert_eq!(check(&json!({"provider": {"name": "a"}})), ["conflict spec.provider"]);
}

#[test]
fn sources_and_operations_hold_something() {
    assert_eq!(source(&json!({})), ["missing-field spec.rules[0].from[0].source"]);
    assert_eq!(check(&json!({"rules": [{"from": [{}]}]})), ["missing-field spec.rules[0].from[0]"]);
    assert_eq!(
        check(&json!({"rules": [{"to": [{"operation": {}}]}]})),
        ["missing-field spec.rules[0].to[0].operation"]
    );
    assert_eq!(
        source(&json!({"principals": [""]})),
        ["invalid-value spec.rules[0].from[0].source.principals[0]"]
    );
}

#[test]
fn service_accounts_stand_alone_and_are_exact() {
    assert_eq!(source(&json!({"serviceAccounts": ["a/b", "c"], "trustDomains": ["x"]})), NONE);
    assert_eq!(
        source(&json!({"serviceAccounts": ["a"], "namespaces": ["b"]})),
        ["conflict spec.rules[0].from[0].source"]
    );
    // The schema asks for the field, not for its entries.
    assert_eq!(
        source(&json!({"serviceAccounts": ["a"], "namespaces": []})),
        ["conflict spec.rules[0].from[0].source"]
    );
    for bad in ["a*", "a/b/c", "/a", "a/", ""] {
        assert_eq!(
            source(&json!({"serviceAccounts": [bad]})),
            ["invalid-value spec.rules[0].from[0].source.serviceAccounts[0]"],
            "{bad}"
        );
    }
}

#[test]
fn addresses_and_ports_are_read() {
    assert_eq!(source(&json!({"ipBlocks": ["10.0.0.0/8", "::1"]})), NONE);
    assert_eq!(
        source(&json!({"notIpBlocks": ["10.0.0.0/33"]})),
        ["invalid-value spec.rules[0].from[0].source.notIpBlocks[0]"]
    );
    for (port, fits) in
        [("80", true), ("0", true), ("65536", false), ("http", false), ("+80", false), ("", false)]
    {
        let found = check(&json!({"rules": [{"to": [{"operation": {"ports": [port]}}]}]}));
        assert_eq!(found.is_empty(), fits, "{port}: {found:?}");
    }
}

#[test]
fn custom_looks_at_no_identity() {
    let spec = json!({"action": "CUSTOM", "provider": {"name": "a"}, "rules": [{
        "from": [{"source": {"principals": ["x"], "ipBlocks": ["10.0.0.1"]}}],
        "when": [{"key": "request.auth.claims[a]", "values": ["b"]}]
    }]});
    assert_eq!(
        check(&spec),
        ["conflict spec.rules[0].from[0].source.principals", "conflict spec.rules[0].when[0].key"]
    );
}

#[test]
fn a_deny_of_http_attributes_only_denies_tcp() {
    let deny = |rule: Value| check(&json!({"action": "DENY", "rules": [rule]}));
    assert_eq!(deny(json!({"to": [{"operation": {"methods": ["GET"]}}]})), ["suspicious spec.rules[0]"]);
    assert_eq!(deny(json!({"to": [{"operation": {"methods": ["GET"], "ports": ["80"]}}]})), NONE);
    assert_eq!(
        deny(json!({"from": [{"source": {"requestPrincipals": ["*"]}}]})),
        ["suspicious spec.rules[0]"]
    );
    assert_eq!(deny(json!({"from": [{"source": {"principals": ["*"]}}]})), NONE);
}

#[test]
fn only_two_actions_can_be_rehearsed() {
    let rehearse = |action: &str, value: &str| {
        problems_of(&json!({
            "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
            "metadata": {"name": "a", "annotations": {"istio.io/dry-run": value}},
            "spec": {"action": action, "rules": [{}]}
        }))
    };
    let place = "invalid-value metadata.annotations[\"istio.io/dry-run\"]";
    assert_eq!(rehearse("DENY", "true"), NONE);
    assert_eq!(rehearse("DENY", "yes"), [place]);
    assert_eq!(rehearse("AUDIT", "true"), [place]);
}

#[test]
fn a_policy_is_attached_in_one_way() {
    let target = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"});
    assert_eq!(check(&json!({"targetRefs": [target]})), NONE);
    assert_eq!(
        check(&json!({"selector": {"matchLabels": {"a": "b"}}, "targetRefs": [target]})),
        ["conflict spec.targetRefs"]
    );
    assert_eq!(
        check(&json!({"selector": {"matchLabels": {"a": "*"}}})),
        ["invalid-value spec.selector.matchLabels.a"]
    );
    assert_eq!(check(&json!({"selector": {}})), ["suspicious spec.selector"]);
    assert_eq!(
        check(&json!({"targetRefs": [{"kind": "Gateway", "name": "", "namespace": "x"}]})),
        [
            "missing-field spec.targetRefs[0].name",
            "invalid-value spec.targetRefs[0].namespace",
            "invalid-value spec.targetRefs[0].kind"
        ]
    );
}

#[test]
fn values_that_match_nothing_or_too_little_are_remarked() {
    let to = |action: &str, operation: &Value| {
        let mut operation = operation.clone();
        operation["ports"] = json!(["80"]);
        check(
            &json!({"action": action, "rules": [{"from": [{"source": {"ipBlocks": ["10.0.0.0/8"]}}], "to": [{"operation": operation}]}]}),
        )
    };
    let at = |field: &str| vec![format!("doubtful spec.rules[0].to[0].operation.{field}")];
    // G-10, G-11 (S-119)
    for bad in ["*foo*", "/a/*/c", "**", "/a/*b"] {
        assert_eq!(to("ALLOW", &json!({"paths": [bad]})), at("paths[0]"), "{bad}");
    }
    assert_eq!(to("ALLOW", &json!({"paths": ["/a/*", "*/c", "*", "/a/{*}/c", "/a/{**}"]})), NONE);
    // G-20 (S-176)
    assert_eq!(to("DENY", &json!({"methods": ["GET", "get"]})), at("methods[1]"));
    // G-19, B-26 (S-178)
    assert_eq!(to("DENY", &json!({"hosts": ["a.com"]})), at("hosts[0]"));
    assert_eq!(to("ALLOW", &json!({"notHosts": ["a.com"]})), at("notHosts[0]"));
    for fine in [json!(["a.com", "a.com:*"]), json!(["a.com*"]), json!(["*.a.com"]), json!(["a.com:80"])] {
        assert_eq!(to("DENY", &json!({"hosts": fine})), NONE, "{fine}");
    }
    assert_eq!(to("ALLOW", &json!({"hosts": ["a.com"]})), NONE);
}

#[test]
fn n01_blocks_with_more_bits_than_count_and_zones_are_remarked() {
    let at = |field: &str| vec![format!("doubtful spec.rules[0].from[0].source.{field}")];
    for field in ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"] {
        let first = format!("{field}[0]");
        for text in ["10.1.2.3/8", "2001:db8::1/32", "fe80::1%eth0", "::ffff:10.1.2.3/104"] {
            assert_eq!(source(&json!({"principals": ["*"], field: [text]})), at(&first), "{text}");
        }
        for text in ["10.0.0.0/8", "10.1.2.3", "10.1.2.3/32", "2001:db8::/32", "::1", "::ffff:10.0.0.0/104"] {
            assert_eq!(source(&json!({"principals": ["*"], field: [text]})), NONE, "{text}");
        }
    }
}

#[test]
fn identities_that_are_nobodys_or_anybodys_are_remarked() {
    let at = |field: &str| vec![format!("doubtful spec.rules[0].from[0].source.{field}")];
    // G-23 (S-161)
    assert_eq!(source(&json!({"principals": ["spiffe://cluster.local/ns/a/sa/b"]})), at("principals[0]"));
    assert_eq!(source(&json!({"namespaces": ["*a*"]})), at("namespaces[0]"));
    // B-19 (S-154)
    assert_eq!(source(&json!({"notNamespaces": ["a"]})), at("notNamespaces"));
    assert_eq!(source(&json!({"notNamespaces": ["a"], "principals": ["*"]})), NONE);
    assert_eq!(
        check(&json!({"action": "DENY", "rules": [{"from": [{"source": {"notPrincipals": ["*"]}}]}]})),
        NONE
    );
}

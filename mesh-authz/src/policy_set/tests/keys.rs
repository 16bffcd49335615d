//! Every source field, operation field and `when` key.

use super::*;

/// A rule that should hold for the call: allowed by it, denied by it.
fn holds(call: &Call, rule: &Value) -> bool {
    let allowed = call.passes(&[allow(rule.clone())]);
    assert_eq!(allowed, !call.passes(&[deny(rule.clone())]), "ALLOW and DENY read {rule} differently");
    allowed
}

#[test]
fn s113_to_s116_the_algebra_of_rules() {
    let both = json!({ "from": [{ "source": { "namespaces": ["web"] } }],
                       "to": [{ "operation": { "methods": ["POST"] } }, { "operation": { "paths": ["/a"] } }] });
    assert!(holds(&get("/a"), &both) && !holds(&get("/b"), &both));
    assert!(holds(&get("/b").method("POST"), &both));
    assert!(!holds(&get("/a").from("spiffe://cluster.local/ns/x/sa/y"), &both));
    let except = operation(json!({ "paths": ["/a*"], "notPaths": ["/ab", "/ac"] }));
    assert!(holds(&get("/a"), &except) && !holds(&get("/ab"), &except) && !holds(&get("/ac"), &except));
    let headers = when("request.headers[x]", &["a*"], &["ab"]);
    assert!(holds(&get("/").header("x", "a"), &headers) && !holds(&get("/").header("x", "ab"), &headers));
    let repeated = json!({ "when": [{ "key": "source.ip", "values": ["10.0.0.0/8"] },
                                    { "key": "source.ip", "values": ["10.1.0.0/16"] }] });
    assert!(holds(&get("/"), &repeated));
}

#[test]
fn s154_s155_an_absent_identity_fits_nothing_so_not_lists_hold() {
    let plain = get("/").plaintext();
    for (field, not_field) in [
        ("principals", "notPrincipals"),
        ("namespaces", "notNamespaces"),
        ("serviceAccounts", "notServiceAccounts"),
        ("trustDomains", "notTrustDomains"),
    ] {
        assert!(!holds(&plain, &source(json!({ field: ["*"] }))), "{field}");
        assert!(holds(&plain, &source(json!({ not_field: ["*"] }))), "{not_field}");
    }
    assert!(!plain.passes(&[deny(source(json!({ "notPrincipals": ["*"] })))]), "G-30");
}

#[test]
fn s131_to_s135_identities_by_field_and_by_key() {
    let call = get("/");
    for (field, key, yes, no) in [
        ("principals", "source.principal", "cluster.local/ns/web/sa/front", "cluster.local/ns/web/sa/fron"),
        ("namespaces", "source.namespace", "w*b", "we"),
        ("serviceAccounts", "source.serviceAccount", "web/front", "front"),
        ("trustDomains", "source.trustDomain", "cluster.*", "cluster"),
    ] {
        assert!(
            holds(&call, &source(json!({ field: [yes] }))) && holds(&call, &when(key, &[yes], &[])),
            "{field}"
        );
        assert!(
            !holds(&call, &source(json!({ field: [no] }))) && !holds(&call, &when(key, &[no], &[])),
            "{field}"
        );
        assert!(!holds(&call, &when(key, &[], &[yes])) && holds(&call, &when(key, &[], &[no])), "{field}");
    }
}

#[test]
fn e090_aliases_count_in_not_lists_too() {
    let aliases = ["old".to_owned()];
    let options = PolicyOptions { trust_domain: "new", trust_domain_aliases: &aliases, ..options() };
    let ask = |rule: Value, peer| {
        let policy = named("shop", "a", allow(rule));
        get("/").from(peer).ask(&PolicySet::compile(&[&policy], Protocol::Http, &options).0.unwrap()).allowed
    };
    let old = "spiffe://old/ns/web/sa/front";
    assert!(ask(source(json!({ "principals": ["new/ns/web/sa/front"] })), old));
    assert!(!ask(source(json!({ "notPrincipals": ["cluster.local/ns/web/sa/front"] })), old));
    assert!(ask(source(json!({ "trustDomains": ["new"] })), old));
    assert!(!ask(source(json!({ "notTrustDomains": ["new"] })), old));
    assert!(!ask(when("source.trustDomain", &[], &["new"]), old));
}

#[test]
fn s136_s137_s142_addresses() {
    let call = get("/");
    for (field, key, block) in
        [("ipBlocks", "source.ip", "10.1.2.9/24"), ("remoteIpBlocks", "remote.ip", "203.0.113.7")]
    {
        assert!(holds(&call, &source(json!({ field: [block] }))) && holds(&call, &when(key, &[block], &[])));
        assert!(!holds(&call, &source(json!({ field: ["192.0.2.0/24"] }))));
    }
    assert!(!holds(&call, &source(json!({ "notRemoteIpBlocks": ["203.0.113.0/24"] }))));
    assert!(holds(&call, &when("destination.ip", &["10.0.1.1"], &[])));
    assert!(!holds(&call, &when("destination.ip", &[], &["10.0.0.0/8"])));
    assert!(!holds(&call, &when("source.ip", &["::/0"], &[])), "an IPv4 address is in no IPv6 block");
}

#[test]
fn s143_ports_are_exact() {
    let call = get("/");
    assert!(holds(&call, &operation(json!({ "ports": ["80", "8080"] }))));
    assert!(!holds(&call, &operation(json!({ "notPorts": ["8080"] }))));
    assert!(holds(&call, &when("destination.port", &["8080"], &[])));
    assert!(!holds(&call, &when("destination.port", &["80"], &[])));
}

#[test]
fn s144_sni() {
    let rule = when("connection.sni", &["*.example.com"], &[]);
    assert!(holds(&Call { sni: Some("a.example.com"), ..tcp() }, &rule));
    assert!(!holds(&tcp(), &rule));
    assert!(!holds(&tcp(), &when("connection.sni", &["*"], &[])), "G-77");
    assert!(holds(&tcp(), &when("connection.sni", &[], &["*"])), "S-159");
}

#[test]
fn s132_s158_s174_headers() {
    let x = |values: &[&str], not_values: &[&str]| when("request.headers[X-Role]", values, not_values);
    let call = get("/");
    assert!(holds(&call.clone().header("x-role", "admin"), &x(&["admin"], &[])));
    assert!(holds(&call.clone().header("x-role", ""), &x(&["*"], &[])), "G-43");
    assert!(!holds(&call, &x(&["*"], &[])));
    assert!(holds(&call, &x(&[], &["bad"])), "G-42");
    let two = call.clone().header("x-role", "user").header("x-role", "admin");
    assert!(holds(&two, &x(&["admin"], &[])), "G-44");
    assert!(!holds(&two, &x(&[], &["admin"])), "S-175");
    assert!(!holds(&call.clone().header("x-role", "user,admin"), &x(&["admin"], &[])), "G-45");
    let agents = call.header("user-agent", "a").header("user-agent", "b");
    assert!(holds(&agents, &when("request.headers[user-agent]", &["a,b"], &[])), "E-085");
    assert!(!holds(&agents, &when("request.headers[user-agent]", &["a"], &[])), "E-085");
}

#[test]
fn s176_s177_methods_and_hosts() {
    assert!(!holds(&get("/"), &operation(json!({ "methods": ["get"] }))));
    assert!(holds(&get("/"), &operation(json!({ "methods": ["G*"] }))));
    let hosts = |hosts: &[&str]| operation(json!({ "hosts": hosts }));
    assert!(holds(&get("/").host("A.com"), &hosts(&["a.COM"])), "G-18");
    assert!(!holds(&get("/").host("a.com:8080"), &hosts(&["a.com"])), "G-17");
    assert!(holds(&get("/").host("a.com:8080"), &hosts(&["a.com", "a.com:*"])), "S-177");
    assert!(holds(&get("/").host(""), &hosts(&["*"])), "an empty authority is there");
}

#[test]
fn s182_paths_are_compared_without_query() {
    let paths = |paths: &[&str]| operation(json!({ "paths": paths }));
    assert!(holds(&get("/admin?x=/y"), &paths(&["/admin"])));
    assert!(!holds(&get("/Admin"), &paths(&["/admin"])), "G-14");
    assert!(!holds(&get("/foo/"), &paths(&["/foo"])), "G-13");
    assert!(holds(&get("/a/x/c"), &paths(&["/a/{*}/c"])), "G-11");
    assert!(!holds(&get("/allow/admin?param=value"), &paths(&["/allow/admin/{**}"])), "S-188");
}

#[test]
fn s138_to_s141_claims() {
    let call = get("/").token(json!({
        "iss": "i", "sub": "s", "aud": ["a", "b"], "azp": "app", "level": 5,
        "nested": { "key": "v", "list": ["x", "y"], "a.b": "dotted" }, "[good]": "g",
    }));
    for (key, value) in [
        ("request.auth.principal", "i/s"),
        ("request.auth.audiences", "b"),
        ("request.auth.presenter", "a*"),
        ("request.auth.claims[iss]", "i"),
        ("request.auth.claims[nested][key]", "*"),
        ("request.auth.claims[nested][list]", "y"),
        ("request.auth.claims[nested][a.b]", "dotted"),
        ("request.auth.claims[[good]]", "g"),
    ] {
        assert!(holds(&call, &when(key, &[value], &[])), "{key}");
        assert!(!holds(&call, &when(key, &["other"], &[])), "{key}");
        assert!(!holds(&get("/"), &when(key, &["*"], &[])), "{key} without a token");
        assert!(holds(&get("/"), &when(key, &[], &["*"])), "S-156 {key}");
    }
    assert!(!holds(&call, &when("request.auth.claims[level]", &["5"], &[])), "G-39");
    assert!(!holds(&call, &when("request.auth.claims[nested]", &["*"], &[])), "S-160");
    assert!(!holds(&call, &when("request.auth.claims[nested][nope]", &["*"], &[])));
    assert!(holds(&call, &source(json!({ "requestPrincipals": ["i/*"] }))));
    assert!(!call.passes(&[deny(source(json!({ "notRequestPrincipals": ["x/*"] })))]));
    assert!(!get("/").passes(&[deny(source(json!({ "notRequestPrincipals": ["*"] })))]), "token required");
}

#[test]
fn s151_keys_without_brackets_are_no_keys() {
    for key in ["request.headers", "request.headers[x", "request.auth.claims.a", "request.auth.claims[a"] {
        let rule = when(key, &["*"], &[]);
        assert!(!get("/").passes(&[allow(rule.clone())]), "{key}");
        assert!(!get("/").passes(&[deny(rule)]), "the condition drops out of a DENY rule: {key}");
    }
}

#[test]
fn s145_metadata_of_filters_is_absent() {
    let key = "experimental.envoy.filters.network.mysql_proxy[db.table]";
    assert!(!holds(&tcp(), &when(key, &["[update]"], &[])));
    assert!(holds(&tcp(), &when(key, &[], &["[update]"])));
}

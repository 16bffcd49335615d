//! Attacks on policies: class A of the regression corpus, and the rows on identities and headers. The table of which
//! test answers which row is `tests/attacks.rs` of the workspace.

use super::*;

/// A DENY policy with this rule catches the call.
fn caught(call: &Call, rule: Value) -> bool {
    !call.passes(&[deny(rule)])
}

fn header(values: &[&str], not_values: &[&str]) -> Value {
    when("request.headers[x-role]", values, not_values)
}

fn lines(values: &[&'static [u8]]) -> Call {
    let mut call = get("/");
    for value in values {
        call.request.as_mut().unwrap().headers.push("x-role", *value);
    }
    call
}

#[test]
fn a01_cve_2026_26308_repeated_headers_are_not_joined() {
    assert!(caught(&lines(&[b"user", b"admin"]), header(&["admin"], &[])));
    assert!(!caught(&lines(&[b"user,admin"]), header(&["admin"], &[])), "one line is one value");
    assert!(!lines(&[b"user", b"admin"]).passes(&[allow(header(&[], &["admin"]))]), "notValues see each");
}

#[test]
fn a02_cve_2020_25017_every_line_of_a_header_counts_not_the_first() {
    let many: Vec<&'static [u8]> = std::iter::repeat_n(&b"user"[..], 10_000).chain([&b"admin"[..]]).collect();
    assert!(caught(&lines(&many), header(&["admin"], &[])));
    assert!(caught(&lines(&[b"", b"admin"]), header(&["admin"], &[])), "P12: an empty line before it");
}

#[test]
fn a04_cve_2026_39350_dots_are_dots() {
    let peer = |peer| get("/").from(peer);
    let near = peer("spiffe://td/ns/ns/sa/aXb");
    for rule in [
        source(json!({ "serviceAccounts": ["ns/a.b"] })),
        source(json!({ "principals": ["*/sa/a.b"] })),
        when("source.serviceAccount", &["ns/a.b"], &[]),
    ] {
        assert!(!near.passes(&[allow(rule.clone())]), "{rule}");
        assert!(peer("spiffe://td/ns/ns/sa/a.b").passes(&[allow(rule)]));
    }
    let space = source(json!({ "namespaces": ["n.s"] }));
    assert!(!peer("spiffe://td/ns/nXs/sa/a").passes(&[allow(space)]), "B-49");
}

#[test]
fn a05_cve_2020_16844_suffix_principals_match_on_tcp() {
    let call = tcp().from("spiffe://cluster.local/ns/web/sa/x");
    assert!(caught(&call, source(json!({ "principals": ["*/sa/x"] }))));
    assert!(!caught(&call, source(json!({ "principals": ["*/sa/y"] }))));
}

#[test]
fn a06_2021_004_negative_identity_fields_hold_on_plaintext() {
    for field in ["notPrincipals", "notNamespaces", "notServiceAccounts", "notTrustDomains"] {
        let rule = || source(json!({ field: ["foo"] }));
        assert!(get("/").plaintext().passes(&[allow(rule())]), "{field}: S-154");
        assert!(caught(&get("/").plaintext(), rule()), "{field}");
    }
}

#[test]
fn a07_cve_2021_39155_hosts_ignore_case() {
    for host in ["a.com", "A.COM", "a.CoM"] {
        assert!(caught(&get("/").host(host), operation(json!({ "hosts": ["A.com"] }))), "{host}");
    }
}

#[test]
fn a08_2021_008_a_port_in_the_host_is_a_part_of_it() {
    let hosts = |values: &[&str]| operation(json!({ "hosts": values }));
    assert!(!caught(&get("/").host("a.com:80"), hosts(&["a.com"])), "B-26");
    assert!(caught(&get("/").host("a.com:80"), hosts(&["a.com", "a.com:*"])));
}

#[test]
fn a17_cve_2026_73552_obs_text_is_compared_as_bytes() {
    assert!(caught(&lines(&[b"admin\xff"]), header(&["admin*"], &[])));
    assert!(caught(&lines(&[b"\xffadmin"]), header(&["*admin"], &[])));
    assert!(caught(&lines(&[b"\xff"]), header(&["*"], &[])));
    assert!(!lines(&[b"\xffadmin"]).passes(&[allow(header(&[], &["*admin"]))]), "a `not` value fails closed");
}

#[test]
fn a16_cve_2025_46821_a_star_in_a_path_against_templates() {
    // E-012: Envoy takes a literal star inside a segment.
    assert!(caught(&get("/files/a*b"), operation(json!({ "paths": ["/files/{*}"] }))));
    assert!(!caught(&get("/files/a/b"), operation(json!({ "paths": ["/files/{*}"] }))));
}

#[test]
fn a75_cve_2026_73547_a_request_without_path_has_an_empty_one() {
    let connect = get("").method("CONNECT");
    assert!(!connect.passes(&[allow(operation(json!({ "paths": ["/*"] })))]));
    assert!(connect.passes(&[allow(operation(json!({ "notPaths": ["/admin"] })))]));
    assert!(!connect.passes(&[allow(operation(json!({ "paths": ["/{**}"] })))]));
}

#[test]
fn a29_2020_011_client_addresses_come_from_the_facts_on_tcp_too() {
    let call = Call { remote_ip: "198.51.100.9".parse().unwrap(), ..tcp() };
    assert!(caught(&call, source(json!({ "remoteIpBlocks": ["198.51.100.0/24"] }))));
    assert!(!caught(&call, source(json!({ "ipBlocks": ["198.51.100.0/24"] }))));
}

#[test]
fn n02_mapped_addresses_meet_ipv4_blocks() {
    for written in ["::ffff:10.1.2.3", "10.1.2.3"] {
        let call = Call { direct_ip: written.parse().unwrap(), ..tcp() };
        assert!(caught(&call, source(json!({ "ipBlocks": ["10.0.0.0/8"] }))), "{written}");
        assert!(caught(&call, source(json!({ "ipBlocks": ["::ffff:10.0.0.0/104"] }))), "{written}");
    }
}

#[test]
fn t02_odd_identities_match_nothing_that_names_a_workload() {
    let rule = || {
        json!({ "from": [
            { "source": { "principals": ["td/ns/a/sa/b"] } }, { "source": { "serviceAccounts": ["a/b"] } },
            { "source": { "principals": ["*/ns/a/sa/b"] } },
        ] })
    };
    assert!(get("/").from("spiffe://td/ns/a/sa/b").passes(&[allow(rule())]));
    for odd in [
        "SPIFFE://td/ns/a/sa/b",
        "spiffe://TD/ns/a/sa/B",
        "spiffe://td//ns/a/sa/b/",
        "spiffe://td/ns/a/sa/b/",
        "spiffe://td/ns/a/sa/b?x",
        "spiffe://td/ns/a/sa/b#x",
        "spiffe://td/ns/a/sa/b\0x",
        "spiffe://td/ns/a/sa/b\n",
        "spiffe://td/sa/b/ns/a",
        "spiffe://td/ns//sa/b",
        "spiffe://td/ns/a/sa/",
        "spiffe://td/ns/a/sa/%62",
        "spiffe://td/ns/a/sa/b%00",
        "spiffe://td",
        "spiffe://",
        "https://td/ns/a/sa/b",
        "",
    ] {
        assert!(!get("/").from(odd).passes(&[allow(rule())]), "{odd:?}");
    }
}

#[test]
fn t02_cve_2025_66220_a_nul_ends_no_identity() {
    let whole = source(json!({ "principals": ["cluster.local/ns/web/sa/admin"] }));
    assert!(!get("/").from("spiffe://cluster.local/ns/web/sa/admin\0.evil").passes(&[allow(whole)]));
    let start = source(json!({ "namespaces": ["web"] }));
    assert!(!get("/").from("spiffe://cluster.local/ns/web\0/sa/admin").passes(&[allow(start)]));
}

#[test]
fn t08_trust_domain_aliases_are_whole_names() {
    let aliases = ["old.td".to_owned()];
    let options = PolicyOptions { trust_domain: "td", trust_domain_aliases: &aliases, ..options() };
    let policy = named("shop", "a", allow(source(json!({ "principals": ["td/ns/a/sa/b"] }))));
    let set = PolicySet::compile(&[&policy], Protocol::Http, &options).0.unwrap();
    for (peer, passes) in [
        ("spiffe://td/ns/a/sa/b", true),
        ("spiffe://old.td/ns/a/sa/b", true),
        ("spiffe://oldXtd/ns/a/sa/b", false),
        ("spiffe://old.td.evil/ns/a/sa/b", false),
        ("spiffe://evil.td/ns/a/sa/b", false),
    ] {
        assert_eq!(get("/").from(peer).ask(&set).allowed, passes, "{peer}");
    }
}

#[test]
fn r07_only_a_star_at_an_end_is_more_than_a_character() {
    let paths = |value: &str| operation(json!({ "paths": [value] }));
    for (value, path, fits) in [
        ("/a?", "/a?", false), // the query is cut off
        ("/[a]", "/a", false),
        ("/[a]", "/[a]", true),
        ("/a*b", "/axb", false),
        ("/a*b", "/a*b", true),
        ("/a\\*", "/a\\x", true),
        ("**", "/x*", true),
        ("/.", "/x", false),
    ] {
        assert_eq!(caught(&get(path), paths(value)), fits, "{value} {path}");
    }
}

#[test]
fn a12_b03_long_paths_and_headers_take_linear_time() {
    let path: &'static str = format!("/{}", "a/".repeat(32 * 1024)).leak();
    let values: Vec<String> = (0..500).map(|n| format!("/a/{{*}}/{{**}}/x{n}")).collect();
    let suffixes: Vec<String> = (0..500).map(|n| format!("*/x{n}")).collect();
    let all = [values, suffixes].concat();
    let rule = operation(json!({ "paths": all }));
    // A matcher that went back and forth would not end here.
    assert!(!caught(&get(path), rule));
    let long: &'static [u8] = "a".repeat(60 * 1024).into_bytes().leak();
    assert!(!caught(&lines(&[long]), header(&["*b", "b*", "ab"], &[])));
}

//! A field of many values decides as its values do one by one.

use proptest::prelude::*;

use super::vocabulary::{call, indexed_for};
use super::*;

/// Rules that differ in one value only, and one rule with all of the values.
fn split_and_whole(field: &str, rule: impl Fn(Value) -> Value, values: &[String]) -> (PolicySet, PolicySet) {
    let split: Vec<Value> = values.iter().map(|value| rule(json!({ field: [value] }))).collect();
    let set = |rules: Vec<Value>| {
        let policy = named("a", "p", json!({ "rules": rules }));
        indexed_for(&[policy], Protocol::Http)
    };
    (set(split), set(vec![rule(json!({ field: values }))]))
}

fn padded(few: &[&str], padding: impl Fn(usize) -> String) -> Vec<String> {
    (0..40).map(padding).chain(few.iter().map(|value| (*value).to_owned())).collect()
}

proptest! {
    #![proptest_config(super::property::cases(400))]

    #[test]
    fn many_values_are_their_sum(
        field in 0usize..8, calls in prop::collection::vec(call(), 6),
        paths in prop::sample::subsequence(vec!["/a", "/a/*", "*/b", "*", "/{*}/b", "/a/{**}"], 0..3),
        hosts in prop::sample::subsequence(vec!["A.com", "a.*", "*:80", "*"], 0..3),
        peers in prop::sample::subsequence(vec!["td/ns/a/sa/x", "td/*", "*/sa/y", "*"], 0..3),
        namespaces in prop::sample::subsequence(vec!["a", "b*", "*"], 0..2),
        accounts in prop::sample::subsequence(vec!["a/x", "y"], 0..2),
        blocks in prop::sample::subsequence(vec!["10.1.0.0/16", "::1", "fd00::/8", "0.0.0.0/0"], 0..3),
        tokens in prop::sample::subsequence(vec!["i/s", "i/*", "*/p", "*"], 0..3),
    ) {
        let block = |n: usize| format!("172.16.{n}.0/24");
        let (split, whole) = match field {
            0 => split_and_whole("paths", operation, &padded(&paths, |n| format!("/x{n}/*"))),
            1 => split_and_whole("hosts", operation, &padded(&hosts, |n| format!("h{n}.example"))),
            2 => split_and_whole("principals", source, &padded(&peers, |n| format!("td/ns/n{n}/sa/z"))),
            3 => split_and_whole("namespaces", source, &padded(&namespaces, |n| format!("n{n}"))),
            4 => split_and_whole("serviceAccounts", source, &padded(&accounts, |n| format!("a/z{n}"))),
            5 => split_and_whole("ipBlocks", source, &padded(&blocks, block)),
            6 => split_and_whole("remoteIpBlocks", source, &padded(&blocks, block)),
            _ => split_and_whole("requestPrincipals", source, &padded(&tokens, |n| format!("i{n}/s{n}"))),
        };
        for call in calls.iter().filter(|call| call.request.is_some()) {
            prop_assert_eq!(call.ask(&split).allowed, call.ask(&whole).allowed);
        }
    }
}

#[test]
fn not_values_beside_many_values_count() {
    let paths: Vec<String> = (0..100).map(|n| format!("/p{n}/*")).collect();
    let rule = operation(json!({ "paths": paths, "notPaths": ["/p7/secret"], "methods": ["GET"] }));
    let set = compile(&[named("shop", "p", json!({ "rules": [rule] }))], Protocol::Http);
    assert!(get("/p7/open").ask(&set).allowed && !get("/p7/secret").ask(&set).allowed);
    assert!(!get("/p100/open").ask(&set).allowed && !get("/p7/open").method("PUT").ask(&set).allowed);
}

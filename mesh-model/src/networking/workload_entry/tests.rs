use serde_json::{Value, json};

use crate::check::testing::problems;

const NONE: [&str; 0] = [];

fn check(spec: &Value) -> Vec<String> {
    problems("networking.istio.io/v1", "WorkloadEntry", spec)
}

#[test]
fn an_address_is_an_ip_a_name_or_a_socket() {
    for good in ["10.0.0.1", "::1", "fe80::1%eth0", "vm.example.com", "unix:///a", "unix://@a"] {
        assert_eq!(check(&json!({"address": good})), NONE, "{good}");
    }
    // Zones are of IPv6, and not of addresses of IPv4 within it (Go, net/netip, `ParseAddr`).
    for bad in ["10.0.0.1%eth0", "fe80::1%", "::ffff:1.2.3.4%eth0"] {
        assert_eq!(check(&json!({"address": bad})), ["invalid-host spec.address"], "{bad}");
    }
    assert_eq!(check(&json!({})), ["missing-field spec"]);
    assert_eq!(check(&json!({"address": "a_b"})), ["invalid-host spec.address"]);
    assert_eq!(check(&json!({"address": "unix://a"})), ["invalid-value spec.address"]);
    assert_eq!(check(&json!({"network": "n"})), ["suspicious spec"]);
}

#[test]
fn ports_have_names_and_numbers() {
    assert_eq!(check(&json!({"address": "10.0.0.1", "ports": {"http": 80}})), NONE);
    assert_eq!(
        check(&json!({"address": "10.0.0.1", "ports": {"a_b": 0}})),
        ["invalid-name spec.ports.a_b", "invalid-value spec.ports.a_b"]
    );
    assert_eq!(check(&json!({"address": "unix:///a", "ports": {"http": 80}})), ["conflict spec.ports"]);
}

#[test]
fn a_socket_has_no_ports_not_even_none() {
    assert_eq!(check(&json!({"address": "unix:///a", "ports": {}})), ["conflict spec.ports"]);
}

#[test]
fn labels_that_only_istio_takes_are_remarked_on() {
    let with = |key: &str, value: &str| check(&json!({"address": "10.0.0.1", "labels": {key: value}}));
    let long = "x".repeat(64);
    assert_eq!(with("app", "a_b.c"), NONE);
    assert_eq!(with("app", &long), ["doubtful spec.labels.app"]);
    assert_eq!(with("app", "-"), ["invalid-value spec.labels.app"]);
    assert_eq!(with("EXAMPLE.com/app", "a"), ["doubtful spec.labels[\"EXAMPLE.com/app\"]"]);
    assert_eq!(with(&long, "a"), [format!("invalid-value spec.labels.{long}")]);
    assert_eq!(with("a_b/app", "a"), ["invalid-value spec.labels.a_b/app"]);
}

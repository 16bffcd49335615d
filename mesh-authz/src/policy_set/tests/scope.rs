//! Which policies apply to a workload.

use super::*;

use mesh_model::name::StringMap;

fn labels(pairs: &[(&str, &str)]) -> StringMap {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn applies(namespace: &str, spec: Value, on: &[(&str, &str)]) -> bool {
    let policies = [named(namespace, "p", spec)];
    !applicable(&policies, "istio-system", "shop", &labels(on)).is_empty()
}

#[test]
fn s067_s070_namespaces_and_selectors() {
    let selector = || json!({ "selector": { "matchLabels": { "app": "x" } } });
    assert!(applies("shop", json!({}), &[]) && applies("istio-system", json!({}), &[]));
    assert!(!applies("other", json!({}), &[]));
    assert!(applies("istio-system", selector(), &[("app", "x"), ("v", "1")]), "G-55");
    assert!(!applies("shop", selector(), &[("app", "y")]));
    assert!(applies("shop", json!({ "selector": {} }), &[]));
}

#[test]
fn s068_s073_references_are_for_gateways_of_the_gateway_api() {
    let by = |kind: &str, group: &str, name: &str| json!({ "targetRefs": [{ "kind": kind, "group": group, "name": name }] });
    let gateway = [("gateway.networking.k8s.io/gateway-name", "gw")];
    let group = "gateway.networking.k8s.io";
    assert!(!applies("shop", by("Gateway", group, "gw"), &[]));
    assert!(applies("shop", by("Gateway", group, "gw"), &gateway));
    assert!(!applies("istio-system", by("Gateway", group, "gw"), &gateway));
    assert!(!applies("shop", by("Gateway", group, "other"), &gateway));
    assert!(!applies("shop", by("Service", "", "gw"), &gateway));
    assert!(applies("shop", json!({}), &gateway), "S-069");
    let legacy = json!({ "targetRef": { "kind": "Gateway", "group": group, "name": "gw" } });
    assert!(applies("shop", legacy, &gateway), "S-072");
}

#[test]
fn s071_s073_waypoints_take_references_only() {
    let waypoint = [
        ("gateway.networking.k8s.io/gateway-name", "wp"),
        ("gateway.istio.io/managed", "istio.io-mesh-controller"),
    ];
    let group = "gateway.networking.k8s.io";
    let class =
        |name: &str| json!({ "targetRefs": [{ "kind": "GatewayClass", "group": group, "name": name }] });
    assert!(!applies("shop", json!({}), &waypoint), "S-071");
    assert!(applies("istio-system", class("istio-waypoint"), &waypoint));
    assert!(!applies("shop", class("istio-waypoint"), &waypoint));
    assert!(!applies("istio-system", class("istio"), &waypoint));
    assert!(!applies("istio-system", class("istio-waypoint"), &waypoint[..1]), "a gateway is no waypoint");
}

use std::sync::Arc;

use mesh_model::document::{Document, Source, Tree};
use mesh_model::name::StringMap;
use mesh_model::object::ObjectMeta;
use mesh_model::origin::Provenance;
use serde_json::{Value, json};

use super::*;

fn policy(namespace: &str, name: &str, created: i64, spec: Value) -> Object<PeerAuthentication> {
    let document = Arc::new(Document::new(
        Source { file: "pa.yaml".into(), cluster: "Kubernetes".into() },
        0,
        Tree::default(),
    ));
    Object {
        meta: ObjectMeta {
            name: name.into(),
            namespace: namespace.into(),
            created: Some(created),
            ..ObjectMeta::default()
        },
        spec: serde_json::from_value(spec).unwrap(),
        provenance: Arc::new(Provenance {
            kind: "PeerAuthentication",
            namespace: namespace.into(),
            name: name.into(),
            document,
            refused_at: None,
        }),
    }
}

fn resolve(policies: &[Object<PeerAuthentication>]) -> PeerModes {
    let labels = StringMap::from([("app", "x")]);
    PeerModes::resolve(policies, "istio-system", "shop", &labels)
}

fn mode(mode: &str) -> Value {
    json!({"mtls": {"mode": mode}})
}

fn workload(mode: &str, ports: &Value) -> Value {
    json!({"selector": {"matchLabels": {"app": "x"}}, "mtls": {"mode": mode}, "portLevelMtls": ports})
}

#[test]
fn s015_to_s020_narrower_levels_win_unless_unset() {
    let mesh = |m| policy("istio-system", "mesh", 1, mode(m));
    let namespace = |m| policy("shop", "ns", 2, mode(m));
    assert_eq!(*resolve(&[]).default.value(), Mode::Permissive);
    assert_eq!(*resolve(&[mesh("STRICT")]).default.value(), Mode::Strict);
    assert_eq!(
        *resolve(&[policy("istio-system", "m", 1, json!({"mtls": {}}))]).default.value(),
        Mode::Permissive
    );
    assert_eq!(*resolve(&[mesh("STRICT"), namespace("UNSET")]).default.value(), Mode::Strict);
    assert_eq!(*resolve(&[namespace("PERMISSIVE"), mesh("STRICT")]).default.value(), Mode::Permissive);
    let own = policy("shop", "wl", 3, workload("STRICT", &json!({})));
    assert_eq!(*resolve(&[mesh("PERMISSIVE"), namespace("UNSET"), own]).default.value(), Mode::Strict);
}

#[test]
fn s021_to_s023_ports_inherit_the_workloads_mode() {
    let modes = resolve(&[
        policy("istio-system", "mesh", 1, mode("STRICT")),
        policy(
            "shop",
            "wl",
            2,
            json!({"selector": {"matchLabels": {"app": "x"}},
                   "portLevelMtls": {"80": {"mode": "DISABLE"}, "90": {"mode": "UNSET"}, "100": {}}}),
        ),
    ]);
    assert_eq!(*modes.for_port(80).value(), Mode::Disable);
    assert_eq!(*modes.for_port(90).value(), Mode::Strict);
    assert_eq!(*modes.for_port(100).value(), Mode::Strict);
    assert_eq!(*modes.for_port(1).value(), Mode::Strict);

    let modes = resolve(&[
        policy("shop", "ns", 1, mode("STRICT")),
        policy("shop", "wl", 2, workload("PERMISSIVE", &json!({"8080": {"mode": "UNSET"}}))),
    ]);
    assert_eq!(*modes.for_port(8080).value(), Mode::Permissive);
}

#[test]
fn s024_s025_the_older_workload_policy_wins_whole() {
    let modes = resolve(&[
        policy("shop", "b", 2, workload("UNSET", &json!({"8080": {"mode": "DISABLE"}}))),
        policy("shop", "a", 1, workload("STRICT", &json!({}))),
    ]);
    assert_eq!(*modes.for_port(8080).value(), Mode::Strict);
    let modes = resolve(&[
        policy("shop", "a", 1, workload("UNSET", &json!({"8080": {"mode": "DISABLE"}}))),
        policy("shop", "b", 2, workload("STRICT", &json!({}))),
    ]);
    assert_eq!((*modes.default.value(), *modes.for_port(8080).value()), (Mode::Permissive, Mode::Disable));
}

#[test]
fn s026_to_s029_ties_selectors_and_names() {
    let older = policy("shop", "b", 1, mode("DISABLE"));
    assert_eq!(*resolve(&[policy("shop", "a", 2, mode("STRICT")), older]).default.value(), Mode::Disable);
    let root = policy("istio-system", "r", 1, workload("STRICT", &json!({})));
    assert_eq!(*resolve(&[root]).default.value(), Mode::Permissive);
    let empty = policy("shop", "e", 1, json!({"selector": {}, "mtls": {"mode": "STRICT"}}));
    assert_eq!(*resolve(&[empty]).default.value(), Mode::Strict);
    let tie = [policy("shop", "b", 1, mode("DISABLE")), policy("shop", "a", 1, mode("STRICT"))];
    assert_eq!(*resolve(&tie).default.value(), Mode::Strict);
}

#[test]
fn s014_s030_clients_see_namespace_and_mesh_only() {
    let infer = |policies: &[Object<PeerAuthentication>]| {
        namespace_mode(policies, "istio-system", "shop").map(Resolved::into_value)
    };
    assert_eq!(infer(&[]), None);
    assert_eq!(infer(&[policy("shop", "wl", 1, workload("STRICT", &json!({})))]), None);
    assert_eq!(infer(&[policy("shop", "ns", 1, mode("UNSET"))]), Some(Mode::Permissive));
    assert_eq!(infer(&[policy("istio-system", "m", 1, json!({}))]), Some(Mode::Permissive));
    let both = [policy("istio-system", "m", 1, mode("STRICT")), policy("shop", "ns", 1, mode("UNSET"))];
    assert_eq!(infer(&both), Some(Mode::Strict));
    let disabled =
        [policy("shop", "ns", 1, mode("DISABLE")), policy("shop", "wl", 1, workload("STRICT", &json!({})))];
    assert_eq!(infer(&disabled), Some(Mode::Disable));
}

#[test]
fn what_is_shadowed_is_remembered() {
    let modes = resolve(&[
        policy("istio-system", "mesh", 1, mode("STRICT")),
        policy("shop", "ns", 2, mode("DISABLE")),
        policy("shop", "wl", 3, workload("PERMISSIVE", &json!({"80": {"mode": "STRICT"}}))),
    ]);
    let levels: Vec<_> = modes.for_port(80).layers().map(|it| (it.level, it.value)).collect();
    let wanted = [
        (Level::Port, Mode::Strict),
        (Level::Workload, Mode::Permissive),
        (Level::Namespace, Mode::Disable),
        (Level::RootNamespace, Mode::Strict),
        (Level::Default, Mode::Permissive),
    ];
    assert_eq!(levels, wanted);
}

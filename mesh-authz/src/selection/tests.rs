//! Who is selected, for each kind of proxy (S-067 to S-073).

use mesh_model::document::{Document, Source, Tree};
use mesh_model::name::StringMap;
use mesh_model::object::ObjectMeta;
use mesh_model::origin::Provenance;
use serde_json::{Value, json};

use super::*;

fn policy(namespace: &str, name: &str, spec: Value) -> Arc<Object<AuthorizationPolicy>> {
    let document = Arc::new(Document::new(
        Source { file: "ap.yaml".into(), cluster: "Kubernetes".into() },
        0,
        Tree::default(),
    ));
    let (namespace, name): (Arc<str>, Arc<str>) = (namespace.into(), name.into());
    Arc::new(Object {
        meta: ObjectMeta { name: name.clone(), namespace: namespace.clone(), ..ObjectMeta::default() },
        spec: serde_json::from_value(spec).unwrap(),
        provenance: Arc::new(Provenance {
            kind: "AuthorizationPolicy",
            namespace,
            name,
            document,
            refused_at: None,
        }),
    })
}

fn reference(group: &str, kind: &str, name: &str) -> Value {
    json!({ "targetRefs": [{ "group": group, "kind": kind, "name": name }] })
}

fn gateway(name: &str) -> Value {
    reference(GATEWAY_GROUP, "Gateway", name)
}

fn labels(of: &[(&str, &str)]) -> StringMap {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const SIDECAR: &[(&str, &str)] = &[("app", "web")];
const GATEWAY: &[(&str, &str)] = &[("app", "web"), (GATEWAY_NAME, "front")];
const WAYPOINT: &[(&str, &str)] =
    &[("app", "web"), (GATEWAY_NAME, "front"), (MANAGED_BY, WAYPOINT_CONTROLLER)];

const SERVICES: &[ServedService<'static>] = &[
    ServedService { namespace: "shop", name: "orders", kind: ServiceKind::Service },
    ServedService { namespace: "other", name: "bank", kind: ServiceKind::ServiceEntry },
];

/// Whether a policy of a namespace applies to a proxy in `shop`.
fn applies(namespace: &str, spec: Value, proxy: &[(&str, &str)]) -> bool {
    let policy = policy(namespace, "p", spec);
    let labels = labels(proxy);
    let workload = Workload {
        root_namespace: "istio-system",
        namespace: "shop",
        labels: &labels,
        services: if proxy == WAYPOINT { SERVICES } else { &[] },
    };
    !workload.applicable([&policy]).is_empty()
}

/// For a sidecar, a gateway of the Gateway API, and a waypoint.
fn each(namespace: &str, spec: &Value) -> [bool; 3] {
    [SIDECAR, GATEWAY, WAYPOINT].map(|proxy| applies(namespace, spec.clone(), proxy))
}

#[test]
fn s068_to_s071_selectors_are_for_all_but_waypoints() {
    let selector = |value: &str| json!({ "selector": { "matchLabels": { "app": value } } });
    for (namespace, spec, wanted) in [
        ("shop", json!({}), [true, true, false]),
        ("istio-system", json!({}), [true, true, false]),
        ("else", json!({}), [false; 3]),
        ("shop", selector("web"), [true, true, false]),
        ("istio-system", selector("web"), [true, true, false]),
        ("shop", selector("db"), [false; 3]),
    ] {
        assert_eq!(each(namespace, &spec), wanted, "{namespace} {spec}");
    }
}

#[test]
fn s073_a_gateway_is_referred_to_from_its_own_namespace() {
    let elsewhere = |namespace: &str| {
        json!({ "targetRefs": [
            { "group": GATEWAY_GROUP, "kind": "Gateway", "name": "front", "namespace": namespace },
        ] })
    };
    for (namespace, spec, wanted) in [
        ("shop", gateway("front"), [false, true, true]),
        ("shop", gateway("back"), [false; 3]),
        ("istio-system", gateway("front"), [false; 3]),
        ("shop", elsewhere("shop"), [false, true, true]),
        ("shop", elsewhere("else"), [false; 3]),
        ("shop", reference("", "Gateway", "front"), [false; 3]),
        ("shop", reference("networking.istio.io", "Gateway", "front"), [false; 3]),
    ] {
        assert_eq!(each(namespace, &spec), wanted, "{namespace} {spec}");
    }
}

#[test]
fn s073_a_class_is_referred_to_from_the_root_namespace_and_means_all_waypoints() {
    let class = |name| reference(GATEWAY_GROUP, "GatewayClass", name);
    assert_eq!(each("istio-system", &class("istio-waypoint")), [false, false, true]);
    assert_eq!(each("istio-system", &class("istio")), [false; 3]);
    assert_eq!(each("shop", &class("istio-waypoint")), [false; 3]);
}

#[test]
fn s073_services_are_referred_to_by_object_from_their_own_namespace() {
    for (namespace, spec, wanted) in [
        ("shop", reference("", "Service", "orders"), true),
        ("shop", reference("core", "Service", "orders"), true),
        ("shop", reference("", "Service", "bank"), false),
        ("other", reference("", "Service", "orders"), false),
        ("istio-system", reference("", "Service", "orders"), false),
        ("other", reference("networking.istio.io", "ServiceEntry", "bank"), true),
        ("other", reference("", "Service", "bank"), false),
        ("shop", reference("networking.istio.io", "ServiceEntry", "orders"), false),
        ("other", reference("", "ServiceEntry", "bank"), false),
    ] {
        assert_eq!(each(namespace, &spec), [false, false, wanted], "{namespace} {spec}");
    }
}

#[test]
fn s072_a_single_reference_counts_where_there_is_no_list() {
    let single = json!({ "group": GATEWAY_GROUP, "kind": "Gateway", "name": "front" });
    assert_eq!(each("shop", &json!({ "targetRef": single.clone() })), [false, true, true]);
    let mut both = gateway("back");
    both["targetRef"] = single;
    assert_eq!(each("shop", &both), [false; 3]);
}

#[test]
fn one_reference_of_several_is_enough_and_a_selector_beside_them_says_nothing() {
    let mut spec = json!({ "targetRefs": [
        { "kind": "Service", "name": "nobody" },
        { "kind": "Service", "name": "orders" },
    ] });
    assert_eq!(each("shop", &spec), [false, false, true]);
    spec["selector"] = json!({ "matchLabels": { "app": "db" } });
    assert_eq!(each("shop", &spec), [false, false, true]);
}

#[test]
fn s067_the_own_namespace_comes_first_and_the_root_namespace_last() {
    let policies = [
        policy("istio-system", "class", reference(GATEWAY_GROUP, "GatewayClass", "istio-waypoint")),
        policy("other", "entry", reference("networking.istio.io", "ServiceEntry", "bank")),
        policy("shop", "own", gateway("front")),
    ];
    let labels = labels(WAYPOINT);
    let workload =
        Workload { root_namespace: "istio-system", namespace: "shop", labels: &labels, services: SERVICES };
    let names: Vec<_> =
        workload.applicable(&policies).iter().map(|policy| policy.meta.name.to_string()).collect();
    assert_eq!(names, ["own", "entry", "class"]);
}

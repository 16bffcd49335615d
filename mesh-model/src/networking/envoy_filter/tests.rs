use serde_json::{Value, json};

use crate::check::testing::problems;

const NONE: [&str; 0] = [];

/// The problems of a whole `spec`, short of the warning that every EnvoyFilter gets.
fn spec(spec: &Value) -> Vec<String> {
    let mut found = problems("networking.istio.io/v1alpha3", "EnvoyFilter", spec);
    assert_eq!(found.first().map(String::as_str), Some("suspicious kind"), "{found:?}");
    found.remove(0);
    found
}

/// The problems of one patch, its path written `p`.
fn patch(patch: &Value) -> Vec<String> {
    let found = spec(&json!({"configPatches": [patch]}));
    found.iter().map(|line| line.replace("spec.configPatches[0]", "p")).collect()
}

/// The problems of a patch's value, its path written `v`.
fn value(apply_to: &str, value: &Value) -> Vec<String> {
    let found = patch(&json!({"applyTo": apply_to, "patch": {"operation": "MERGE", "value": value}}));
    found.iter().map(|line| line.replace("p.patch.value", "v")).collect()
}

fn matched(apply_to: &str, matches: &Value) -> Vec<String> {
    patch(&json!({"applyTo": apply_to, "match": matches, "patch": {"operation": "REMOVE"}}))
}

#[test]
fn every_envoy_filter_is_warned_about() {
    assert_eq!(spec(&json!({})), NONE);
}

#[test]
fn a_selector_has_labels_without_wildcards() {
    assert_eq!(spec(&json!({"workloadSelector": {}})), ["suspicious spec.workloadSelector"]);
    assert_eq!(
        spec(&json!({"workloadSelector": {"labels": {"app": "a*"}}})),
        ["invalid-value spec.workloadSelector.labels.app"]
    );
    assert_eq!(
        spec(&json!({"workloadSelector": {"labels": {"app": "a"}}, "targetRefs": []})),
        ["conflict spec.targetRefs"]
    );
}

#[test]
fn targets_are_of_any_kind_but_of_the_own_namespace() {
    let target = |target: Value| spec(&json!({"targetRefs": [target]}));
    assert_eq!(target(json!({"group": "a.example.com", "kind": "Thing", "name": "a"})), NONE);
    assert_eq!(
        target(json!({"group": "A", "kind": "1x", "namespace": "b"})),
        [
            "missing-field spec.targetRefs[0].name",
            "invalid-value spec.targetRefs[0].namespace",
            "invalid-value spec.targetRefs[0].kind",
            "invalid-value spec.targetRefs[0].group",
        ]
    );
}

#[test]
fn a_patch_says_what_where_and_how() {
    assert_eq!(patch(&json!({})), ["missing-field p"]);
    assert_eq!(patch(&json!({"applyTo": "CLUSTER"})), ["missing-field p"]);
    assert_eq!(patch(&json!({"applyTo": "CLUSTER", "patch": {}})), ["missing-field p.patch"]);
    assert_eq!(
        patch(&json!({"applyTo": "CLUSTER", "patch": {"operation": "ADD"}})),
        ["missing-field p.patch"]
    );
    assert_eq!(patch(&json!({"applyTo": "CLUSTER", "patch": {"operation": "REMOVE"}})), NONE);
}

#[test]
fn a_waypoint_is_matched_in_its_context_only() {
    let waypoint = |matches: Value| patch(&json!({"match": matches}));
    assert_eq!(waypoint(json!({"context": "WAYPOINT", "waypoint": {"portNumber": 80}})), NONE);
    assert_eq!(waypoint(json!({"context": "WAYPOINT"})), ["conflict p.match"]);
    assert_eq!(waypoint(json!({"context": "WAYPOINT", "listener": {}})), ["conflict p.match"]);
    assert_eq!(waypoint(json!({"waypoint": {}})), ["conflict p.match", "missing-field p"]);
    for port in [0, 65536] {
        assert_eq!(
            waypoint(json!({"context": "WAYPOINT", "waypoint": {"portNumber": port}})),
            ["invalid-value p.match.waypoint.portNumber"]
        );
    }
}

#[test]
fn the_way_to_match_fits_the_kind_of_object() {
    for (apply_to, good) in [
        ("LISTENER", "listener"),
        ("FILTER_CHAIN", "listener"),
        ("NETWORK_FILTER", "listener"),
        ("HTTP_FILTER", "listener"),
        ("ROUTE_CONFIGURATION", "routeConfiguration"),
        ("VIRTUAL_HOST", "routeConfiguration"),
        ("HTTP_ROUTE", "routeConfiguration"),
        ("CLUSTER", "cluster"),
    ] {
        for written in ["listener", "routeConfiguration", "cluster"] {
            let expected =
                if written == good { Vec::new() } else { vec![format!("conflict p.match.{written}")] };
            assert_eq!(matched(apply_to, &json!({written: {}})), expected, "{apply_to}");
        }
    }
    for apply_to in ["EXTENSION_CONFIG", "BOOTSTRAP", "LISTENER_FILTER"] {
        assert_eq!(matched(apply_to, &json!({"cluster": {}})), NONE, "{apply_to}");
    }
    let two = json!({"configPatches": [{"match": {"listener": {}, "cluster": {}}}]});
    let found = problems("networking.istio.io/v1alpha3", "EnvoyFilter", &two);
    assert_eq!(found, ["bad-value spec.configPatches[0].match"]);
}

#[test]
fn filters_are_matched_by_name() {
    let hcm = "envoy.filters.network.http_connection_manager";
    let filter = |apply_to: &str, filter: Value| {
        let found = matched(apply_to, &json!({"listener": {"filterChain": {"filter": filter}}}));
        found.iter().map(|line| line.replace("p.match.listener.filterChain.filter", "f")).collect::<Vec<_>>()
    };
    assert_eq!(filter("HTTP_FILTER", json!({"name": hcm, "subFilter": {"name": "a"}})), NONE);
    assert_eq!(filter("NETWORK_FILTER", json!({})), ["missing-field f"]);
    assert_eq!(filter("LISTENER", json!({"name": "a"})), ["no-effect f"]);
    assert_eq!(filter("NETWORK_FILTER", json!({"name": hcm, "subFilter": {}})), ["conflict f.subFilter"]);
    assert_eq!(filter("HTTP_FILTER", json!({"name": "a", "subFilter": {}})), ["conflict f.name"]);
    assert_eq!(filter("HTTP_FILTER", json!({"name": hcm, "subFilter": {}})), ["missing-field f.subFilter"]);
    assert_eq!(
        filter(
            "HTTP_FILTER",
            json!({"name": "envoy.http_connection_manager", "subFilter": {"name": "envoy.router"}})
        ),
        ["deprecated f.name", "deprecated f.subFilter.name"]
    );
}

#[test]
fn a_proxy_version_is_a_regex_unless_it_is_ignored() {
    let version = |text: &str| matched("CLUSTER", &json!({"proxy": {"proxyVersion": text}}));
    assert_eq!(version(r"^1\.2.*"), NONE);
    assert_eq!(version("a++"), ["invalid-regex p.match.proxy.proxyVersion"]);
    assert_eq!(version(&"a".repeat(1025)), ["no-effect p.match.proxy.proxyVersion"]);
}

#[test]
fn values_have_the_types_of_envoys_api() {
    assert_eq!(
        value(
            "CLUSTER",
            &json!({
                "name": "a", "connect_timeout": "1.5s", "perConnectionBufferLimitBytes": 1024, "lb_policy": "RING_HASH",
                "type": 2, "circuit_breakers": {"thresholds": [{"max_requests": "10"}]}, "dns_refresh_rate": null,
                "metadata": {"filter_metadata": {"a": {"any": [1, {}]}}},
                "common_lb_config": {"healthy_panic_threshold": {"value": 0.5}},
            })
        ),
        NONE
    );
    for (bad, at) in [
        (json!({"name": false}), "v.name"),
        (json!({"name": 1}), "v.name"),
        (json!({"connect_timeout": "1"}), "v.connect_timeout"),
        (json!({"connectTimeout": 1}), "v.connectTimeout"),
        (json!({"lb_policy": "ring_hash"}), "v.lb_policy"),
        (json!({"per_connection_buffer_limit_bytes": -1}), "v.per_connection_buffer_limit_bytes"),
        (json!({"per_connection_buffer_limit_bytes": 1.5}), "v.per_connection_buffer_limit_bytes"),
        (json!({"respect_dns_ttl": "true"}), "v.respect_dns_ttl"),
        (json!({"circuit_breakers": {"thresholds": {}}}), "v.circuit_breakers.thresholds"),
        (json!({"circuit_breakers": []}), "v.circuit_breakers"),
        (json!({"health_checks": [{}, 1]}), "v.health_checks[1]"),
        (json!({"metadata": {"filter_metadata": {"a": 1}}}), "v.metadata.filter_metadata.a"),
        (json!({"metadata": {"filter_metadata": []}}), "v.metadata.filter_metadata"),
    ] {
        assert_eq!(value("CLUSTER", &bad), [format!("invalid-value {at}")], "{bad}");
    }
}

#[test]
fn a_camel_case_spelling_wins() {
    assert_eq!(
        value("CLUSTER", &json!({"connect_timeout": "1s", "connectTimeout": 1})),
        ["invalid-value v.connectTimeout"]
    );
    assert_eq!(value("CLUSTER", &json!({"connect_timeout": 1, "connectTimeout": "1s"})), NONE);
}

#[test]
fn unknown_fields_are_warned_about() {
    assert_eq!(value("CLUSTER", &json!({"nam": "a"})), ["suspicious v.nam"]);
    assert_eq!(
        value("BOOTSTRAP", &json!({"admin": {"address": {"x": 1}}})),
        ["suspicious v.admin.address.x"]
    );
    let many: serde_json::Map<_, _> = (0..100).map(|n| (format!("x{n}"), json!(n))).collect();
    assert_eq!(value("CLUSTER", &many.into()).len(), 32);
}

#[test]
fn typed_objects_are_checked_by_their_type() {
    let lua = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua";
    let filter = |config: Value| {
        let found = value("HTTP_FILTER", &json!({"name": "a", "typed_config": config}));
        found.iter().map(|line| line.replace("v.typed_config", "c")).collect::<Vec<_>>()
    };
    assert_eq!(filter(json!({"@type": lua, "inline_code": "function f() end"})), NONE);
    assert_eq!(filter(json!({"@type": lua, "inlineCode": 1})), ["invalid-value c.inlineCode"]);
    assert_eq!(filter(json!({"@type": lua, "code": "a"})), ["suspicious c.code"]);
    assert_eq!(filter(json!({"inline_code": "a"})), ["missing-field c"]);
    assert_eq!(filter(json!({"@type": 1})), ["invalid-value c.@type"]);
    for unknown in ["", "a.B", "type.googleapis.com/envoy.config.filter.network.ext_authz.v2.ExtAuthz"] {
        assert_eq!(filter(json!({"@type": unknown})), ["invalid-value c.@type"], "{unknown}");
    }
    let typed_struct = "type.googleapis.com/udpa.type.v1.TypedStruct";
    assert_eq!(filter(json!({"@type": typed_struct, "type_url": "x", "value": {"any": 1}})), NONE);
    let well_known = "type.googleapis.com/google.protobuf.StringValue";
    assert_eq!(filter(json!({"@type": well_known, "value": "a"})), NONE);
    assert_eq!(filter(json!({"@type": well_known, "value": 1})), ["invalid-value c.value"]);
    assert_eq!(filter(json!({"@type": well_known})), ["missing-field c"]);
}

#[test]
fn a_filter_needs_its_typed_config() {
    assert_eq!(value("HTTP_FILTER", &json!({"name": "a"})), ["deprecated v"]);
    assert_eq!(value("NETWORK_FILTER", &json!({"typed_config": null})), ["deprecated v"]);
    assert_eq!(value("HTTP_FILTER", &json!({"config_discovery": {}})), NONE);
    assert_eq!(
        value("FILTER_CHAIN", &json!({"transport_socket": {"name": "a"}})),
        ["deprecated v.transport_socket"]
    );
    // Istio does not look into lists.
    assert_eq!(value("FILTER_CHAIN", &json!({"filters": [{"name": "a"}]})), NONE);
}

#[test]
fn help_names_what_was_meant() {
    use crate::networking::envoy_filter::envoy_api;
    assert_eq!(envoy_api::messages_called("Cluster").first(), Some(&"envoy.config.cluster.v3.Cluster"));
}

mod added;
mod filters;

use std::sync::Arc;

use super::*;
use crate::compiler::compile;
use crate::proxy_identity::Proxy;
use crate::route_table::action::{HeaderOp, RouteAction};
use crate::testing::{gateway, resolve, service, sidecar};
use crate::view::View;

fn filter(namespace: &str, name: &str, more: &str, patches: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{{more}configPatches: [{patches}]}}\n"
    )
}

fn of(yaml: &str, proxy: &Proxy) -> (ProxyConfig, Report) {
    let snapshot = resolve(&format!("{}{yaml}", service("shop", "web")));
    compile(&View::new(&snapshot, proxy))
}

/// What the sidecar `shop/client` runs.
fn client(yaml: &str) -> (ProxyConfig, Report) {
    of(yaml, &sidecar("shop", "client"))
}

const CLUSTER: &str = "outbound|80||web.shop.svc.cluster.local";

fn timeout_patch(matches: &str, timeout: &str) -> String {
    format!(
        "{{applyTo: CLUSTER, match: {{{matches}}}, patch: {{operation: MERGE, value: {{connect_timeout: {timeout}}}}}}}"
    )
}

fn timeout(yaml: &str) -> i64 {
    client(yaml).0.clusters.get(CLUSTER).unwrap().connect_timeout_ms
}

#[test]
fn a_cluster_takes_what_it_has_a_field_for_and_the_rest_is_told() {
    let value = "{connectTimeout: 1.5s, outlier_detection: {consecutive_5xx: 7, base_ejection_time: 2s, odd: 1}, \
                 upstream_connection_options: {tcp_keepalive: {keepalive_time: 30}}, \
                 circuit_breakers: {thresholds: [{max_connections: 3}]}, filters: []}";
    let yaml = filter(
        "shop",
        "f",
        "",
        &format!("{{applyTo: CLUSTER, patch: {{operation: MERGE, value: {value}}}}}"),
    );
    let (config, report) = client(&yaml);
    let cluster = config.clusters.get(CLUSTER).unwrap();
    assert_eq!(cluster.connect_timeout_ms, 1500);
    let outlier = &cluster.outlier.as_ref().unwrap().settings;
    assert_eq!(
        (outlier.get("consecutive5xx"), outlier.get("base_ejection_time_ms")),
        (Some(&7), Some(&2000))
    );
    assert_eq!(cluster.tcp_keepalive.unwrap().time, Some(30));
    assert!(cluster.origins.get("connect_timeout_ms").unwrap().to_string().contains("EnvoyFilter shop/f"));
    let [patch] = &config.envoy_filters.patches[..] else { panic!() };
    assert!(patch.changed.iter().any(|it| &**it == CLUSTER));
    let left: Vec<_> = patch.left_out.keys().map(String::as_str).collect();
    assert_eq!(left, ["circuit_breakers", "filters", "outlier_detection.odd"]);
    let found: Vec<_> = report.iter().filter(|it| it.code == Code::PatchNotApplied).collect();
    assert_eq!(found.len(), 3);
    assert!(found[0].message.starts_with("MERGE of CLUSTER: circuit_breakers is not applied here"));
}

#[test]
fn lists_that_are_replaced_hold() {
    let yaml = filter(
        "shop",
        "f",
        "",
        "{applyTo: CLUSTER, patch: {operation: MERGE_AND_REPLACE_LIST, \
         value: {circuit_breakers: {thresholds: [{max_connections: 3}]}}}}",
    );
    let limits = client(&yaml).0.clusters.get(CLUSTER).unwrap().limits;
    assert_eq!((limits.max_connections, limits.max_retries), (Some(3), Some(3)));
}

#[test]
fn clusters_are_meant_by_context_name_service_port_and_subset() {
    let with = |matches: &str| timeout(&filter("shop", "f", "", &timeout_patch(matches, "1s")));
    assert_eq!(with("context: SIDECAR_OUTBOUND"), 1000);
    assert_eq!(with("context: SIDECAR_INBOUND"), 10_000);
    assert_eq!(with("context: GATEWAY"), 10_000);
    assert_eq!(with(&format!("cluster: {{name: '{CLUSTER}'}}")), 1000);
    assert_eq!(with("cluster: {service: web.shop.svc.cluster.local, portNumber: 80}"), 1000);
    assert_eq!(with("cluster: {service: other.shop.svc.cluster.local}"), 10_000);
    assert_eq!(with("cluster: {portNumber: 81}"), 10_000);
    assert_eq!(with("cluster: {subset: v1}"), 10_000);
    // A proxy that says no version fits no expression.
    assert_eq!(with("proxy: {proxyVersion: '.*'}"), 10_000);
    assert_eq!(with("proxy: {metadata: {A: b}}"), 10_000);

    let yaml =
        filter("shop", "f", "", &timeout_patch("proxy: {proxyVersion: '^1[.]3', metadata: {A: b}}", "1s"));
    let mut proxy = sidecar("shop", "client");
    proxy.metadata = [("ISTIO_VERSION".into(), "1.30.0".into()), ("A".into(), "b".into())].into();
    assert_eq!(of(&yaml, &proxy).0.clusters.get(CLUSTER).unwrap().connect_timeout_ms, 1000);
}

#[test]
fn an_inbound_cluster_is_meant_by_the_service_behind_it() {
    let patch =
        timeout_patch("context: SIDECAR_INBOUND, cluster: {service: web.shop.svc.cluster.local}", "1s");
    let (config, _) = of(&filter("shop", "f", "", &patch), &sidecar("shop", "web"));
    assert_eq!(config.clusters.get("inbound|8080||").unwrap().connect_timeout_ms, 1000);
    assert_eq!(config.clusters.get(CLUSTER).unwrap().connect_timeout_ms, 10_000);
}

#[test]
fn filters_are_applied_by_priority_then_the_root_namespace_first() {
    let of = |namespace: &str, name: &str, priority: i32, timeout: &str| {
        filter(namespace, name, &format!("priority: {priority}, "), &timeout_patch("", timeout))
    };
    // The last one has the last word.
    assert_eq!(timeout(&[of("shop", "a", 0, "1s"), of("istio-system", "z", 0, "2s")].concat()), 1000);
    assert_eq!(timeout(&[of("shop", "a", -1, "1s"), of("istio-system", "z", 0, "2s")].concat()), 2000);
    assert_eq!(timeout(&[of("shop", "b", 0, "1s"), of("shop", "a", 0, "2s")].concat()), 1000);
    assert_eq!(timeout(&of("elsewhere", "a", 0, "1s")), 10_000);
    let selected = |app: &str| {
        let selector = format!("workloadSelector: {{labels: {{app: {app}}}}}, ");
        timeout(&filter("shop", "s", &selector, &timeout_patch("", "1s")))
    };
    assert_eq!((selected("client"), selected("web")), (1000, 10_000));
}

#[test]
fn clusters_and_virtual_hosts_can_be_removed() {
    let remove = |apply_to: &str, matches: &str| {
        filter(
            "shop",
            "f",
            "",
            &format!("{{applyTo: {apply_to}, match: {{{matches}}}, patch: {{operation: REMOVE}}}}"),
        )
    };
    let (config, _) = client(&remove("CLUSTER", &format!("cluster: {{name: '{CLUSTER}'}}")));
    assert!(config.clusters.get(CLUSTER).is_none());
    let vhost = "context: SIDECAR_OUTBOUND, routeConfiguration: {name: '80', vhost: {name: 'web.shop.svc.cluster.local:80'}}";
    let (config, report) = client(&remove("VIRTUAL_HOST", vhost));
    assert!(
        config
            .route_tables
            .get("80")
            .unwrap()
            .virtual_host("web.shop")
            .is_none_or(|it| &*it.name != "web.shop.svc.cluster.local:80")
    );
    assert!(report.is_empty(), "{report:?}");
    let changed = &config.envoy_filters.patches[0].changed;
    assert_eq!(changed, &[Arc::from("80/web.shop.svc.cluster.local:80")]);
}

#[test]
fn routes_take_timeouts_retries_and_headers() {
    let value = "{route: {timeout: 3s, retry_policy: {num_retries: 9}, idle_timeout: 1s}, request_headers_to_add: [{header: {key: A, value: b}}]}";
    let route = format!(
        "{{applyTo: HTTP_ROUTE, match: {{routeConfiguration: {{portNumber: 80, vhost: {{route: {{action: ROUTE}}}}}}}}, \
         patch: {{operation: MERGE, value: {value}}}}}"
    );
    let host = "{applyTo: VIRTUAL_HOST, patch: {operation: MERGE, value: \
                {request_headers_to_add: [{header: {key: c, value: d}, append: false}], request_headers_to_remove: [E]}}}";
    let (config, report) = client(&filter("shop", "f", "", &format!("{host}, {route}")));
    let table = config.route_tables.get("80").unwrap();
    let route = &table.virtual_host("web.shop.svc.cluster.local").unwrap().routes[0];
    let RouteAction::Forward(forward) = &route.action else { panic!() };
    assert_eq!((forward.timeout_ms, forward.retries.as_ref().unwrap().attempts), (3000, 9));
    let wanted = [
        // Envoy asks the route before its virtual host.
        HeaderOp::Add("a".into(), "b".into()),
        HeaderOp::Remove("e".into()),
        HeaderOp::Set("c".into(), "d".into()),
    ];
    assert_eq!(*route.request_headers.ops, wanted);
    let found: Vec<_> = report.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("route.idle_timeout is not applied here"), "{found:?}");
}

#[test]
fn what_stands_outside_the_tables_is_told_of_where_it_would_be() {
    let patch = |context: &str| {
        format!(
            "{{applyTo: HTTP_FILTER, match: {{context: {context}}}, patch: {{operation: INSERT_BEFORE, value: {{name: lua}}}}}}"
        )
    };
    let edge =
        "{selector: {app: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}";
    let yaml =
        filter("istio-system", "f", "", &format!("{}, {}", patch("GATEWAY"), patch("SIDECAR_INBOUND")))
            + &crate::testing::istio("Gateway", "edge", "g", edge);
    let found = |proxy: &Proxy| {
        let (_, report) = of(&yaml, proxy);
        report.iter().map(|it| it.at.field.clone()).collect::<Vec<_>>()
    };
    assert_eq!(found(&gateway("edge", "gw")), ["spec.configPatches[0]"]);
    assert_eq!(found(&sidecar("shop", "client")), ["spec.configPatches[1]"]);
    let bootstrap = filter("shop", "b", "", "{applyTo: BOOTSTRAP, patch: {operation: MERGE, value: {}}}");
    let (_, report) = client(&bootstrap);
    assert!(report.iter().next().unwrap().message.contains("there is no bootstrap here"));
}

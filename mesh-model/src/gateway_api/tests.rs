use crate::config_set::{Change, ConfigSet};
use crate::yaml::{LoadOptions, load};

fn read(yaml: &str) -> ConfigSet {
    let loaded = load("t.yaml", yaml, &LoadOptions::default());
    assert!(!loaded.report.has_errors(), "{:?}", loaded.report);
    let mut config = ConfigSet::new();
    let applied = config.apply(loaded.documents.into_iter().map(Change::Upsert));
    assert!(!applied.report.has_errors(), "{:?}", applied.report);
    config
}

#[test]
fn the_two_kinds_gateway_are_told_apart_by_group() {
    let config = read(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: infra}
spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: infra}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
",
    );
    assert_eq!((config.kubernetes_gateways.len(), config.gateways.len()), (1, 1));
    let listeners = &config.kubernetes_gateways.iter().next().unwrap().spec.spec.listeners;
    assert_eq!(listeners.first().map(|listener| listener.port), Some(80));
}

#[test]
fn capitals_within_field_names_are_read() {
    let config = read(
        "apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: a, namespace: b}
spec: {targetRefs: [{group: '', kind: Service, name: c}], validation: {hostname: h, wellKnownCACertificates: System}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a, namespace: b}
spec: {parentRefs: [{name: edge}], rules: [{filters: [{type: URLRewrite, urlRewrite: {hostname: x}}]}]}
",
    );
    let policy = config.backend_tls_policies.iter().next().unwrap();
    assert_eq!(policy.spec.spec.validation.well_known_ca_certificates.as_deref(), Some("System"));
    let route = config.http_routes.iter().next().unwrap();
    let filter = route.spec.spec.rules.first().and_then(|rule| rule.filters.first()).unwrap();
    assert!(filter.url_rewrite.is_some());
}

#[test]
fn classes_have_no_namespace() {
    let config = read(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: istio}
spec: {controllerName: istio.io/gateway-controller}
",
    );
    assert_eq!(
        config.gateway_classes.iter().next().map(|class| class.meta.namespace.to_string()),
        Some(String::new())
    );
}

#[test]
fn lists_are_as_short_as_the_api_server_wants_them() {
    let parents = vec!["{name: edge}"; 33].join(", ");
    let yaml = format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {{name: a, namespace: b}}
spec: {{parentRefs: [{parents}]}}
"
    );
    let loaded = load("t.yaml", &yaml, &LoadOptions::default());
    let mut config = ConfigSet::new();
    let applied = config.apply(loaded.documents.into_iter().map(Change::Upsert));
    assert!(applied.report.has_errors());
    assert!(config.tcp_routes.is_empty());
}

#[test]
fn backends_of_connections_have_no_filters() {
    for (kind, hosts) in [("TLSRoute", "hostnames: [a.example], "), ("TCPRoute", "")] {
        let text = format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: a}}\n\
             spec: {{{hosts}rules: [{{backendRefs: [{{name: x, port: 80, weight: 2, filters: []}}]}}]}}\n"
        );
        let loaded = load("t.yaml", text, &LoadOptions::default());
        let changes = loaded.documents.into_iter().map(Change::Upsert);
        let applied = ConfigSet::new().apply_with(changes, crate::config_set::Strictness::Strict);
        let found: Vec<_> =
            applied.report.iter().map(|found| (found.code.as_str(), &*found.at.field)).collect();
        assert_eq!(found, [("unknown-field", "spec.rules[0].backendRefs[0].filters")], "{kind}");
        #[cfg(feature = "schema")]
        {
            let schema = crate::schema::for_kind(kind).unwrap_or_default().to_string();
            assert!(schema.contains("weight") && !schema.contains("filters"), "{kind}: {schema}");
        }
    }
}

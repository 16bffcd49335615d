mod validate;

use serde_json::{Value, json};

use super::*;
use crate::conformance_test::shared;

fn read(document: Value) -> MeshConfig {
    serde_json::from_value(document).unwrap()
}

fn over_defaults(document: Value) -> MeshConfig {
    MeshConfig::with_defaults().overlay(read(document))
}

#[test]
fn an_empty_document_writes_nothing() {
    assert_eq!(read(json!({})), MeshConfig::default());
    assert_eq!(serde_json::to_value(MeshConfig::default()).unwrap(), json!({}));
    assert_eq!(over_defaults(json!({})), MeshConfig::with_defaults());
}

#[test]
fn accessors_of_an_empty_document_are_the_defaults() {
    let (empty, full) = (MeshConfig::default(), MeshConfig::with_defaults());
    let view = |mesh: &MeshConfig| {
        let proxy = mesh.default_config();
        json!({
            "root": mesh.root_namespace(), "trust": mesh.trust_domain(), "out": mesh.outbound_mode(), "in": mesh.inbound_mode(),
            "path": mesh.path_normalization(), "auto": mesh.enable_auto_mtls(), "lb": mesh.locality_lb_setting(),
            "exports": [mesh.default_service_export_to(), mesh.default_virtual_service_export_to(), mesh.default_destination_rule_export_to()],
            "times": [mesh.connect_timeout(), mesh.dns_refresh_rate(), mesh.protocol_detection_timeout()],
            "h2": mesh.h2_upgrade_policy(), "log": [mesh.access_log_file(), mesh.access_log_format()], "encoding": mesh.access_log_encoding(),
            "tracing": mesh.enable_tracing(), "ports": [mesh.proxy_listen_port(), mesh.proxy_inbound_listen_port()],
            "http": mesh.proxy_http_port(), "class": mesh.ingress_class(), "ingress": mesh.ingress_controller_mode(), "selector": mesh.ingress_selector(),
            "discovery": proxy.discovery_address(), "status": proxy.status_port(), "admin": proxy.proxy_admin_port(),
            "drain": [proxy.drain_duration(), proxy.termination_drain_duration()], "mode": proxy.interception_mode(),
            "hold": proxy.hold_application_until_proxy_starts(), "hops": proxy.num_trusted_proxies(),
        })
    };
    assert_eq!(view(&empty), view(&full));
    assert_eq!(empty.default_service_export_to(), ["*"]);
    assert_eq!(empty.outbound_mode(), OutboundMode::AllowAny);
}

#[test]
fn an_outbound_policy_without_a_mode_is_registry_only() {
    assert_eq!(
        over_defaults(json!({"outboundTrafficPolicy": {}})).outbound_mode(),
        OutboundMode::RegistryOnly
    );
    assert_eq!(over_defaults(json!({"outboundTrafficPolicy": null})).outbound_mode(), OutboundMode::AllowAny);
}

#[test]
fn the_ingress_selector_follows_the_service_unless_it_is_the_default() {
    assert_eq!(over_defaults(json!({})).ingress_selector(), "ingressgateway");
    assert_eq!(over_defaults(json!({"ingressService": ""})).ingress_selector(), "ingressgateway");
    assert_eq!(over_defaults(json!({"ingressService": "edge"})).ingress_selector(), "edge");
    assert_eq!(
        over_defaults(json!({"ingressService": "edge", "ingressSelector": "x"})).ingress_selector(),
        "x"
    );
}

#[test]
fn a_written_zero_wins_over_the_default() {
    let mesh = over_defaults(
        json!({"enableTracing": false, "enableAutoMtls": false, "proxyListenPort": 0, "trustDomain": "", "defaultServiceExportTo": []}),
    );
    assert!(!mesh.enable_tracing() && !mesh.enable_auto_mtls());
    assert_eq!((mesh.proxy_listen_port(), mesh.trust_domain()), (0, ""));
    assert!(mesh.default_service_export_to().is_empty());
    assert_eq!(mesh.default_virtual_service_export_to(), ["*"]);
}

#[test]
fn the_proxy_config_is_merged_and_its_metadata_by_key() {
    let mesh =
        over_defaults(json!({"defaultConfig": {"proxyMetadata": {"A": "1", "B": "1"}, "concurrency": 0}}))
            .overlay(read(json!({"defaultConfig": {"proxyMetadata": {"B": "2"}, "statusPort": 1}})));
    let proxy = mesh.default_config();
    assert_eq!(serde_json::to_value(&proxy.proxy_metadata).unwrap(), json!({"A": "1", "B": "2"}));
    assert_eq!((proxy.concurrency, proxy.status_port(), proxy.proxy_admin_port()), (Some(0), 1, 15000));
}

#[test]
fn a_tracing_service_name_takes_the_service_cluster_away() {
    let mesh = over_defaults(json!({"defaultConfig": {"tracingServiceName": "CANONICAL_NAME_ONLY"}}));
    assert_eq!(mesh.default_config().service_cluster, None);
    assert_eq!(over_defaults(json!({})).default_config().service_cluster.as_deref(), Some("istio-proxy"));
}

#[test]
fn five_proxy_headers_survive_from_below() {
    let below = json!({"defaultConfig": {"proxyHeaders": {"server": {"value": "s"}, "forwardedClientCert": "SANITIZE", "preserveHttp1HeaderCase": true}}});
    let mesh = over_defaults(below)
        .overlay(read(json!({"defaultConfig": {"proxyHeaders": {"requestId": {"disabled": true}}}})));
    let headers = serde_json::to_value(&mesh.default_config().proxy_headers).unwrap();
    assert_eq!(
        headers,
        json!({"server": {"value": "s"}, "forwardedClientCert": "SANITIZE", "requestId": {"disabled": true}})
    );
}

#[test]
fn extension_providers_are_merged_by_name() {
    let mesh = over_defaults(json!({"extensionProviders": [
        {"name": "opa", "envoyExtAuthzGrpc": {"service": "opa.default.svc.cluster.local", "port": 9191}},
        {"name": "prometheus", "zipkin": {"service": "z", "port": 9411}},
        {"name": "opa", "envoyExtAuthzGrpc": {"service": "last", "port": 1}},
    ]}));
    let names: Vec<_> = mesh.extension_providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["prometheus", "stackdriver", "envoy", "opa"]);
    let replaced = mesh.extension_provider("prometheus").unwrap();
    assert!(replaced.zipkin.is_some() && replaced.prometheus.is_none());
    assert_eq!(
        mesh.extension_provider("opa").unwrap().envoy_ext_authz_grpc.as_ref().unwrap().service,
        "last"
    );
}

#[test]
fn trust_domain_aliases_are_united_and_sorted() {
    let mesh = over_defaults(json!({"trustDomainAliases": ["c", "a", "c"]}))
        .overlay(read(json!({"trustDomainAliases": ["b"]})));
    assert_eq!(mesh.trust_domain_aliases, ["a", "b", "c"]);
}

/// The value at a path such as `extensionProviders[0].name`.
fn at(document: &Value, path: &str) -> Value {
    let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
    document.pointer(&pointer).cloned().unwrap_or(Value::Null)
}

#[test]
fn defaults_equal_the_ledger() {
    let Some(ledger) = shared("ledger/defaults.tsv") else { return };
    let mesh = serde_json::to_value(MeshConfig::with_defaults()).unwrap();
    let proxy = serde_json::to_value(ProxyConfig::with_defaults()).unwrap();
    assert_eq!(mesh.get("defaultConfig"), Some(&proxy));
    for line in ledger.lines().skip(1).filter(|line| !line.is_empty()) {
        let [kind, path, expected] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let expected: Value = serde_json::from_str(expected).unwrap();
        let mut found = at(if kind == "MeshConfig" { &mesh } else { &proxy }, path);
        if found.is_null() {
            // Zero values are not printed.
            found = match path {
                "inboundTrafficPolicy.mode" => json!(InboundMode::default()),
                _ if expected == json!([]) => json!([]),
                _ => Value::Null,
            };
        }
        assert_eq!(found, expected, "{kind} {path}");
    }
}

#[cfg(feature = "yaml")]
#[test]
fn full_documents_lose_nothing() {
    use crate::conformance_test::{assert_kept, documents};

    // Zero values of fields without presence; they are not printed.
    let zero = ["DISABLE", "DEFAULT", "SIDECAR"];
    if let Some(text) = shared("conformance/full/MeshConfig.yaml") {
        for document in documents(&text) {
            let mesh = read(document.clone());
            assert_kept(&document, &serde_json::to_value(&mesh).unwrap(), &zero, "MeshConfig");
        }
    }
    if let Some(text) = shared("conformance/full/mesh.ProxyConfig.yaml") {
        for document in documents(&text) {
            let proxy: ProxyConfig = serde_json::from_value(document.clone()).unwrap();
            assert_kept(&document, &serde_json::to_value(&proxy).unwrap(), &zero, "ProxyConfig");
        }
    }
    if let Some(text) = shared("conformance/full/MeshNetworks.yaml") {
        for document in documents(&text) {
            let networks: MeshNetworks = serde_json::from_value(document.clone()).unwrap();
            assert_eq!(serde_json::to_value(&networks).unwrap(), document);
        }
    }
}

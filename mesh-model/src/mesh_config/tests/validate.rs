//! One test per rule; only what is written is judged.

use serde_json::{Value, json};

use crate::check::testing::problems_of_message;
use crate::mesh_config::{MeshConfig, MeshNetworks, ProxyConfig};

const NONE: [&str; 0] = [];

fn mesh(json: &Value) -> Vec<String> {
    problems_of_message::<MeshConfig>(json)
}

#[test]
fn what_is_not_written_has_good_defaults() {
    assert_eq!(mesh(&json!({})), NONE);
    assert_eq!(problems_of_message::<ProxyConfig>(&json!({})), NONE);
    assert_eq!(problems_of_message::<MeshNetworks>(&json!({})), NONE);
}

#[test]
fn timeouts_and_ports_have_bounds() {
    assert_eq!(mesh(&json!({"connectTimeout": "2h"})), ["invalid-value connectTimeout"]);
    assert_eq!(mesh(&json!({"protocolDetectionTimeout": "0s"})), NONE);
    assert_eq!(mesh(&json!({"proxyListenPort": 0})), ["invalid-value proxyListenPort"]);
    assert_eq!(mesh(&json!({"trustDomain": "a_b"})), ["invalid-value trustDomain"]);
}

#[test]
fn a_faulty_provider_is_a_warning() {
    let found = mesh(
        &json!({"extensionProviders": [{"name": "a", "zipkin": {"service": "", "port": 0}}, {"name": "a"}]}),
    );
    assert_eq!(
        found,
        [
            "suspicious extensionProviders[0].zipkin.service",
            "suspicious extensionProviders[0].zipkin.port",
            "suspicious extensionProviders[1].name",
            "suspicious extensionProviders[1]"
        ]
    );
}

#[test]
fn members_of_one_choice_exclude_each_other() {
    assert_eq!(
        mesh(&json!({"caCertificates": [{"pem": "", "spiffeBundleUrl": "https://a"}]})),
        ["conflict caCertificates[0].spiffeBundleUrl"]
    );
    let with = |format: Value| json!({"extensionProviders": [{"name": "a", "envoyFileAccessLog": {"logFormat": format}}]});
    assert_eq!(mesh(&with(json!({"labels": {}}))), NONE);
    assert_eq!(
        mesh(&with(json!({"text": "%PROTOCOL%", "labels": {}}))),
        ["conflict extensionProviders[0].envoyFileAccessLog.logFormat.labels"]
    );
}

#[test]
fn proxies_are_told_addresses_with_ports() {
    let proxy = |json: Value| problems_of_message::<ProxyConfig>(&json);
    assert_eq!(proxy(json!({"discoveryAddress": "istiod.istio-system.svc:15012"})), NONE);
    assert_eq!(proxy(json!({"discoveryAddress": "istiod"})), ["invalid-value discoveryAddress"]);
    assert_eq!(proxy(json!({"tracing": {"zipkin": {"address": "$(HOST_IP):9411"}}})), NONE);
    assert_eq!(proxy(json!({"drainDuration": "1.5s"})), ["invalid-value drainDuration"]);
    assert_eq!(
        proxy(json!({"privateKeyProvider": {"qat": {"pollDelay": "0s"}}})),
        ["invalid-value privateKeyProvider.qat.pollDelay"]
    );
}

#[test]
fn inbound_retries_choose_no_endpoint() {
    assert_eq!(
        mesh(&json!({"defaultInboundHttpRetryPolicy": {"attempts": 1, "retryRemoteLocalities": true}})),
        ["no-effect defaultInboundHttpRetryPolicy.retryRemoteLocalities"]
    );
    assert_eq!(
        mesh(&json!({"defaultInboundHttpRetryPolicy": {"backoff": "1s"}})),
        ["conflict defaultInboundHttpRetryPolicy.backoff"]
    );
}

#[test]
fn networks_have_blocks_registries_and_gateways() {
    let found = problems_of_message::<MeshNetworks>(&json!({"networks": {"n1": {
        "endpoints": [{"fromCidr": "10.0.0.0/40"}, {"fromRegistry": "a.b"}], "gateways": [{"address": "1.1.1.1"}]
    }}}));
    assert_eq!(
        found,
        [
            "invalid-value networks.n1.endpoints[0].fromCidr",
            "invalid-name networks.n1.endpoints[1].fromRegistry",
            "invalid-value networks.n1.gateways[0].port"
        ]
    );
}

/// istio/istio, pkg/config/validation/agent: `ValidateMeshConfig` looks at no `defaultHttpRetryPolicy`, and at less of the
/// `defaultTrafficPolicy` than of a DestinationRule's.
#[test]
fn what_istio_passes_over_is_only_remarked_on() {
    for passed_over in [
        json!({"defaultHttpRetryPolicy": {"retryOn": "5xx"}}),
        json!({"defaultHttpRetryPolicy": {"attempts": 2, "retryOn": "bogus"}}),
        json!({"defaultTrafficPolicy": {"outlierDetection": {"consecutiveErrors": 5}}}),
        json!({"defaultTrafficPolicy": {"outlierDetection": {"outlierDetectionHttpErrorCodes": [99]}}}),
        json!({"defaultTrafficPolicy": {"connectionPool": {"http": {"http2KeepAlive": {"interval": "1s"}}}}}),
    ] {
        let found = mesh(&passed_over);
        assert!(found.len() == 1 && found.iter().all(|line| line.starts_with("doubtful ")), "{found:?}");
    }
    for refused in [
        json!({"defaultInboundHttpRetryPolicy": {"retryOn": "5xx"}}),
        json!({"defaultTrafficPolicy": {"outlierDetection": {"maxEjectionPercent": 101}}}),
        json!({"defaultTrafficPolicy": {"connectionPool": {"http": {"maxRetries": -1}}}}),
    ] {
        let found = mesh(&refused);
        assert!(found.len() == 1 && found.iter().all(|line| !line.starts_with("doubtful ")), "{found:?}");
    }
}

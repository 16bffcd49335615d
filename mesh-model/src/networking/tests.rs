use super::destination_rule::spec::DestinationRule;
use super::gateway::spec::Gateway;
use super::service_entry::spec::{Resolution, ServiceEntry};
use super::sidecar::spec::{OutboundTrafficPolicyMode, Sidecar};
use super::virtual_service::spec::{RedirectPortSelection, VirtualService};
use super::workload_entry::spec::WorkloadEntry;
use crate::object::Kind;
use crate::part::{ServerTlsMode, StringMatch};
use crate::value::Duration;

/// Reads a spec and checks that printing it gives back all that was written, and nothing else.
fn round_trip<K: Kind + serde::Serialize>(text: &str) -> K {
    let written: serde_json::Value = serde_json::from_str(text).unwrap();
    let spec: K = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&spec).unwrap(), written);
    spec
}

#[test]
fn nothing_written_prints_as_nothing() {
    round_trip::<VirtualService>("{}");
    round_trip::<DestinationRule>("{}");
    round_trip::<Gateway>("{}");
    round_trip::<ServiceEntry>("{}");
    round_trip::<WorkloadEntry>("{}");
    round_trip::<Sidecar>("{}");
}

#[test]
fn virtual_service_keeps_all_that_is_written() {
    let spec = round_trip::<VirtualService>(
        r#"{
        "hosts": ["a"], "gateways": ["mesh"], "exportTo": ["."],
        "http": [{
            "name": "n",
            "match": [{
                "name": "m", "uri": {"prefix": "/"}, "scheme": {"exact": "http"}, "method": {"exact": "GET"},
                "authority": {"regex": ".*"}, "headers": {"x": {}, "y": {"exact": ""}}, "port": 80,
                "sourceLabels": {"app": "a"}, "gateways": ["g"], "queryParams": {"q": {"exact": "1"}},
                "ignoreUriCase": true, "withoutHeaders": {"z": {"prefix": "p"}}, "sourceNamespace": "ns",
                "statPrefix": "s"
            }],
            "route": [{"destination": {"host": "h", "subset": "s", "port": {"number": 1}}, "weight": 5,
                       "headers": {"request": {"set": {"a": "b"}}}}],
            "redirect": {"uri": "/u", "prefixRewrite": "/p", "authority": "h", "derivePort": "FROM_PROTOCOL_DEFAULT",
                         "scheme": "https", "redirectCode": 302},
            "directResponse": {"status": 200, "body": {"string": ""}},
            "delegate": {"name": "d", "namespace": "ns"},
            "rewrite": {"uri": "/", "authority": "x", "uriRegexRewrite": {"match": "a", "rewrite": "b"}},
            "timeout": "1.5s",
            "retries": {"attempts": 3, "perTryTimeout": "2s", "retryOn": "5xx", "retryRemoteLocalities": false,
                        "retryIgnorePreviousHosts": false, "backoff": "1s"},
            "fault": {"delay": {"percent": 5, "fixedDelay": "1s", "exponentialDelay": "2s", "percentage": {}},
                      "abort": {"httpStatus": 0, "grpcStatus": "ABORTED", "http2Error": "e",
                                "percentage": {"value": 0.1}}},
            "mirror": {"host": "m"}, "mirrorPercent": 0, "mirrorPercentage": {},
            "mirrors": [{"destination": {"host": "m"}, "percentage": {"value": 50.0}}],
            "corsPolicy": {"allowOrigin": ["*"], "allowOrigins": [{"exact": "o"}], "allowMethods": ["GET"],
                           "allowHeaders": ["a"], "exposeHeaders": ["e"], "maxAge": "1s", "allowCredentials": false,
                           "unmatchedPreflights": "IGNORE"},
            "headers": {"response": {"add": {"a": "b"}, "remove": ["c"]}}
        }],
        "tls": [{"match": [{"sniHosts": ["s"], "destinationSubnets": ["10.0.0.0/8"], "port": 443,
                            "sourceLabels": {"a": "b"}, "gateways": ["g"], "sourceNamespace": "n"}],
                 "route": [{"destination": {"host": "h"}, "weight": 100}]}],
        "tcp": [{"match": [{"destinationSubnets": ["10.0.0.0/8"], "port": 1, "sourceSubnet": "10.0.0.0/8",
                            "sourceLabels": {"a": "b"}, "gateways": ["g"], "sourceNamespace": "n"}],
                 "route": [{"destination": {"host": "h"}}]}]
    }"#,
    );
    let route = &spec.http[0];
    assert_eq!(route.timeout, Some("1500ms".parse::<Duration>().unwrap()));
    assert_eq!(
        route.redirect.as_ref().unwrap().derive_port,
        Some(RedirectPortSelection::FromProtocolDefault)
    );
    assert_eq!(route.mirror_percentage.unwrap().value, 0.0);
    assert_eq!(route.r#match[0].headers["x"], StringMatch::Unset);
    assert_eq!(route.r#match[0].headers["y"], StringMatch::Exact(String::new()));
}

#[test]
fn destination_rule_keeps_all_that_is_written() {
    let spec = round_trip::<DestinationRule>(
        r#"{
        "host": "h", "exportTo": ["*"], "workloadSelector": {},
        "subsets": [{"name": "v1", "labels": {"v": "1"}, "trafficPolicy": {}}],
        "trafficPolicy": {
            "loadBalancer": {"simple": "UNSPECIFIED", "warmup": {"duration": "1s", "aggression": 0.0},
                "consistentHash": {"httpCookie": {"name": "c", "ttl": "0s"}, "useSourceIp": false, "maglev": {},
                                   "minimumRingSize": 18446744073709551615},
                "localityLbSetting": {"distribute": [{"from": "a", "to": {"b": 100}}], "enabled": false},
                "zoneAwareLbSetting": {"minClusterSize": 0}},
            "connectionPool": {"tcp": {"maxConnections": -1, "tcpKeepalive": {}}, "http": {"http2KeepAlive": {}}},
            "outlierDetection": {"consecutive5xxErrors": 0, "outlierDetectionHttpErrorCodes": [429]},
            "tls": {"sni": "x", "insecureSkipVerify": false},
            "portLevelSettings": [{"port": {"number": 80}, "tls": {}}],
            "tunnel": {"targetHost": "t", "targetPort": 1}, "proxyProtocol": {}, "retryBudget": {"percent": 0.0}
        }
    }"#,
    );
    assert!(spec.subsets[0].traffic_policy.is_some(), "written empty is written");
}

#[test]
fn gateway_keeps_all_that_is_written() {
    let spec = round_trip::<Gateway>(
        r#"{
        "selector": {"istio": "ingressgateway"},
        "servers": [{"port": {"number": 443, "protocol": "HTTPS", "name": "https", "targetPort": 1}, "bind": "0.0.0.0",
            "hosts": ["*"], "defaultEndpoint": "e", "name": "n",
            "tls": {"httpsRedirect": true, "credentialName": "c", "minProtocolVersion": "TLSV1_2"}}]
    }"#,
    );
    assert_eq!(spec.servers[0].tls.as_ref().unwrap().mode, ServerTlsMode::Passthrough);
}

#[test]
fn service_entry_keeps_all_that_is_written() {
    let spec = round_trip::<ServiceEntry>(
        r#"{
        "hosts": ["h"], "addresses": ["10.0.0.0/8"], "location": "MESH_INTERNAL", "resolution": "DYNAMIC_DNS",
        "ports": [{"number": 1, "protocol": "TCP", "name": "p", "targetPort": 2}],
        "endpoints": [{"address": "a", "ports": {"p": 3}, "weight": 1}], "workloadSelector": {},
        "exportTo": ["~"], "subjectAltNames": ["s"]
    }"#,
    );
    assert_eq!(spec.resolution, Resolution::DynamicDns);
}

#[test]
fn workload_entry_keeps_all_that_is_written() {
    round_trip::<WorkloadEntry>(
        r#"{"address": "a", "ports": {"p": 3}, "labels": {"a": "b"}, "network": "n", "locality": "r/z",
            "weight": 1, "serviceAccount": "s"}"#,
    );
}

#[test]
fn sidecar_keeps_all_that_is_written() {
    let spec = round_trip::<Sidecar>(
        r#"{
        "workloadSelector": {"labels": {"a": "b"}},
        "ingress": [{"port": {"number": 1, "protocol": "HTTP", "name": "p", "targetPort": 2}, "bind": "b",
            "captureMode": "NONE", "defaultEndpoint": "127.0.0.1:1", "tls": {}, "connectionPool": {}}],
        "egress": [{"port": {"number": 1}, "bind": "b", "captureMode": "IPTABLES", "hosts": ["./*"]}],
        "inboundConnectionPool": {}, "outboundTrafficPolicy": {"egressProxy": {"host": "h"}}
    }"#,
    );
    assert_eq!(spec.outbound_traffic_policy.unwrap().mode, OutboundTrafficPolicyMode::RegistryOnly);
}

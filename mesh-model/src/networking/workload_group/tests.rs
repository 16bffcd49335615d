use serde_json::{Value, json};

use super::spec::WorkloadGroup;
use crate::check::testing::problems;
use crate::part::{ProbeMethod, ReadinessProbe};

const NONE: [&str; 0] = [];

fn check(spec: &Value) -> Vec<String> {
    problems("networking.istio.io/v1", "WorkloadGroup", spec)
}

fn probed(probe: &Value) -> Vec<String> {
    check(&json!({"template": {}, "probe": probe}))
}

#[test]
fn a_template_is_needed_and_may_be_empty() {
    assert_eq!(check(&json!({"template": {}})), NONE);
    assert_eq!(check(&json!({})), ["missing-field spec"]);
    assert_eq!(check(&Value::Null), ["missing-field spec"]);
}

#[test]
fn a_template_is_looser_than_an_entry() {
    assert_eq!(check(&json!({"template": {"address": "not a host", "labels": {".": "~"}}})), NONE);
    assert_eq!(
        check(&json!({"template": {"ports": {"http": 0}}})),
        ["invalid-value spec.template.ports.http"]
    );
    assert_eq!(check(&json!({"template": {"ports": {"a_b": 1}}})), ["invalid-name spec.template.ports.a_b"]);
    let socket = |address: &str| check(&json!({"template": {"address": address}}));
    assert_eq!(socket("unix:///run/a"), NONE);
    assert_eq!(socket("unix://@a"), NONE);
    for bad in ["unix://", "unix://run/a", "unix:///run/"] {
        assert!(!socket(bad).is_empty(), "{bad}");
    }
    let with_ports = json!({"template": {"address": "unix:///a", "ports": {"http": 1}}});
    assert_eq!(check(&with_ports), ["conflict spec.template.ports"]);
}

#[test]
fn labels_of_entries_are_labels() {
    let spec = json!({"template": {}, "metadata": {"labels": {".": "~"}, "annotations": {".": "~"}}});
    let at = "spec.metadata.labels[\".\"]";
    assert_eq!(check(&spec), [format!("invalid-value {at}"), format!("invalid-value {at}")]);
}

#[test]
fn a_probe_has_one_method() {
    assert_eq!(probed(&json!({})), ["missing-field spec.probe"]);
    assert_eq!(probed(&json!({"tcpSocket": {"port": 5}})), NONE);
    assert_eq!(
        probed(&json!({"tcpSocket": {"port": 5}, "exec": {"command": ["a"]}})),
        ["conflict spec.probe.exec"]
    );
    assert_eq!(probed(&json!({"grpc": {}})), ["invalid-value spec.probe.grpc"]);
    assert_eq!(
        probed(&json!({"grpc": {"port": 0}})),
        ["invalid-value spec.probe.grpc", "invalid-value spec.probe.grpc.port"]
    );
}

#[test]
fn an_http_probe_has_a_port_and_plain_headers() {
    let http = |http: Value| probed(&json!({"httpGet": http}));
    assert_eq!(
        http(json!({"port": 5, "scheme": "HTTPS", "httpHeaders": [{"name": "x-a1", "value": ""}]})),
        NONE
    );
    assert_eq!(http(json!({})), ["invalid-value spec.probe.httpGet.port"]);
    assert_eq!(http(json!({"port": 65536})), ["invalid-value spec.probe.httpGet.port"]);
    assert_eq!(http(json!({"port": 5, "scheme": "http"})), ["invalid-value spec.probe.httpGet.scheme"]);
    // Kubernetes' own headers of probes have no underscore.
    for name in ["**", "", "x_a"] {
        let found = http(json!({"port": 5, "httpHeaders": [{"name": name}]}));
        assert_eq!(found, ["invalid-name spec.probe.httpGet.httpHeaders[0].name"]);
    }
}

#[test]
fn tcp_needs_a_port_and_exec_a_command() {
    assert_eq!(probed(&json!({"tcpSocket": {}})), ["invalid-value spec.probe.tcpSocket.port"]);
    assert_eq!(probed(&json!({"exec": {}})), ["missing-field spec.probe.exec.command"]);
    assert_eq!(
        probed(&json!({"exec": {"command": ["a", ""]}})),
        ["missing-field spec.probe.exec.command[1]"]
    );
}

#[test]
fn times_and_counts_are_not_negative() {
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        let probe = json!({"tcpSocket": {"port": 1}, field: -1});
        assert_eq!(probed(&probe), [format!("invalid-value spec.probe.{field}")]);
    }
}

#[test]
fn the_method_is_found() {
    let spec: WorkloadGroup =
        serde_json::from_value(json!({"template": {}, "probe": {"exec": {"command": ["a"]}}})).unwrap();
    let method = spec.probe.as_ref().and_then(ReadinessProbe::method);
    assert!(matches!(method, Some(ProbeMethod::Exec(exec)) if exec.command == ["a"]));
}

use serde_json::{Value, json};

use super::*;
use crate::kubernetes::endpoint_slice::AddressType;
use crate::kubernetes::pod::PodPhase;
use crate::kubernetes::service::ServiceType;

fn round_trip<T: serde::de::DeserializeOwned + serde::Serialize>(document: &Value) -> T {
    let read: T = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), *document);
    read
}

#[test]
fn a_service_keeps_named_and_numbered_target_ports_apart() {
    let service: Service = round_trip(&json!({
        "spec": {
            "type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"], "externalIPs": ["1.2.3.4"],
            "selector": {"app": "web"},
            "ports": [
                {"name": "http", "port": 80, "targetPort": "web", "appProtocol": "http"},
                {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 5353, "nodePort": 30053},
            ],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "9.9.9.9"}, {"hostname": "lb.example.com"}]}},
    }));
    assert_eq!(service.spec.r#type, ServiceType::LoadBalancer);
    let targets: Vec<_> = service.spec.ports.iter().map(|port| port.target_port.clone().unwrap()).collect();
    assert_eq!(targets, [IntOrString::String("web".to_owned()), IntOrString::Int(5353)]);
    assert_eq!(service.spec.ports[0].protocol, Protocol::Tcp);
    assert_eq!(service.spec.ports[1].protocol, Protocol::Udp);
}

#[test]
fn an_unknown_word_is_kept() {
    let service: Service = round_trip(&json!({"spec": {"type": "Teleport"}}));
    assert_eq!(service.spec.r#type, ServiceType::Other("Teleport".to_owned()));
}

#[test]
fn unknown_fields_are_no_problem() {
    let pod: Pod = serde_json::from_value(json!({
        "spec": {"containers": [{"name": "c", "image": "i", "volumeMounts": [], "ports": [{"containerPort": 8080}]}], "dnsPolicy": "x"},
        "status": {"phase": "Running", "podIP": "10.1.2.3", "conditions": [{"type": "Ready", "status": "True", "reason": "r"}]},
    }))
    .unwrap();
    assert_eq!(pod.spec.service_account(), "default");
    assert_eq!(pod.status.phase, Some(PodPhase::Running));
    assert!(pod.status.is_ready());
    assert_eq!(pod.spec.containers[0].ports[0].container_port, 8080);
}

#[test]
fn an_unset_endpoint_condition_reads_as_ready() {
    let slice: EndpointSlice = serde_json::from_value(json!({
        "addressType": "IPv6",
        "endpoints": [
            {"addresses": ["fd00::2"]},
            {"addresses": ["fd00::3"], "conditions": {"ready": false, "serving": true, "terminating": true},
             "hints": {"forZones": [{"name": "a"}]}, "targetRef": {"kind": "Pod", "name": "p", "namespace": "n"}},
        ],
        "ports": [{"name": "http", "port": 80}, {"name": "all"}],
    }))
    .unwrap();
    assert_eq!(slice.address_type, AddressType::Ipv6);
    let flags: Vec<_> = slice
        .endpoints
        .iter()
        .map(|endpoint| &endpoint.conditions)
        .map(|conditions| (conditions.is_ready(), conditions.is_serving(), conditions.is_terminating()))
        .collect();
    assert_eq!(flags, [(true, true, false), (false, true, true)]);
    assert_eq!(slice.ports[1].port, None);
}

#[test]
fn an_ingress_round_trips() {
    let _: Ingress = round_trip(&json!({
        "spec": {
            "ingressClassName": "istio",
            "tls": [{"hosts": ["a.example.com"], "secretName": "cert"}],
            "rules": [{"host": "a.example.com", "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}},
            ]}}],
        },
    }));
}

#[test]
fn a_secret_never_shows_its_values() {
    let document = json!({"type": "kubernetes.io/tls", "data": {"tls.key": "c2VjcmV0", "tls.crt": "", "odd": 4711, "none": null}, "stringData": {"a": "hush"}});
    let secret: Secret = serde_json::from_value(document).unwrap();
    let shown = format!("{secret:?} {}", serde_json::to_string(&secret).unwrap());
    for hidden in ["c2VjcmV0", "hush", "4711"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    assert!(
        secret.has("tls.key")
            && secret.has("a")
            && !secret.has("tls.crt")
            && !secret.has("none")
            && !secret.has("missing")
    );
}

#[test]
fn a_port_number_that_does_not_fit_is_refused() {
    assert!(serde_json::from_value::<IntOrString>(json!(3_000_000_000_u64)).is_err());
    assert_eq!(
        serde_json::from_value::<IntOrString>(json!("80")).unwrap(),
        IntOrString::String("80".to_owned())
    );
}

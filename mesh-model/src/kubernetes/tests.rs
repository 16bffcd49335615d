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

#[test]
fn y24_certificates_and_keys_of_secrets_are_looked_at_and_never_repeated() {
    let file = |name: &str| {
        let path = format!("{}/testdata/pem/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let (certificate, key) = (file("ec.crt"), file("ec.key"));
    let cut = certificate.get(..200).unwrap_or_default().to_owned();
    let no_der = "-----BEGIN CERTIFICATE-----\naHVudGVyMmh1bnRlcjI=\n-----END CERTIFICATE-----\n".to_owned();
    let secret = "hunter2hunter2".to_owned();
    let many = certificate.repeat(3_000);
    let cases: &[(&str, &str, &str, &str)] = &[
        (&certificate, &key, "", ""),
        (&many, &key, "", ""),
        (&key, &key, "tls.crt", "`tls.crt` holds a private key, not certificates"),
        (&certificate, &certificate, "tls.key", "`tls.key` holds a certificate, not a private key"),
        (&cut, &key, "tls.crt", "`tls.crt` has no `-----END` line: it was cut off"),
        (&no_der, &key, "tls.crt", "`tls.crt` holds a certificate that cannot be read"),
        (&secret, &key, "tls.crt", "`tls.crt` is not in PEM form"),
        (&certificate, &secret, "tls.key", "`tls.key` is not in PEM form"),
        (
            &certificate,
            &file("ec2.key"),
            "tls.key",
            "`tls.key` is the key of another certificate than the first of `tls.crt`",
        ),
        (
            &certificate,
            &file("enc.key"),
            "tls.key",
            "`tls.key` holds a key that is encrypted, with a passphrase that no proxy knows",
        ),
    ];
    for (certificate, key, field, expected) in cases {
        use base64::Engine;
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        for (under, values) in [
            ("stringData", [(*certificate).to_owned(), (*key).to_owned()]),
            ("data", [encode(certificate), encode(key)]),
        ] {
            let json = serde_json::json!({"tls.crt": values[0], "tls.key": values[1]});
            let text = format!(
                "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {{name: a}}\n{under}: {json}\n"
            );
            let loaded = crate::yaml::load("a.yaml", text, &crate::yaml::LoadOptions::default());
            let changes = loaded.documents.into_iter().map(crate::config_set::Change::Upsert);
            let report = crate::config_set::ConfigSet::new().apply(changes).report;
            let told: Vec<_> = report
                .iter()
                .map(|found| (found.at.field.clone(), found.at.line, found.message.as_str()))
                .collect();
            let wanted: Vec<_> = (!field.is_empty())
                .then(|| (format!("{under}[\"{field}\"]"), 5, *expected))
                .into_iter()
                .collect();
            assert_eq!(told, wanted);
            let all = format!("{report:?}");
            for part in [secret.as_str(), "hunter2", values[1].get(30..60).unwrap_or("hunter2")] {
                assert!(!all.contains(part), "{part} is repeated");
            }
        }
    }
}

#[test]
fn y24_secrets_of_other_sorts_may_hold_anything_that_the_api_server_takes() {
    let found = |body: &str| {
        let text = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\n{body}\n");
        let loaded = crate::yaml::load("a.yaml", text, &crate::yaml::LoadOptions::default());
        let changes = loaded.documents.into_iter().map(crate::config_set::Change::Upsert);
        let report = crate::config_set::ConfigSet::new().apply(changes).report;
        report.iter().map(|found| format!("{} {}", found.code.as_str(), found.at.field)).collect::<Vec<_>>()
    };
    assert_eq!(found("stringData: {key: hunter2, cert: x, ca.crt: a, tls.crt: b}"), Vec::<String>::new());
    assert_eq!(found("data: {a: aHVudGVyMg==, b: ''}"), Vec::<String>::new());
    assert_eq!(found("data: {a: hunter2!}"), ["bad-value data.a"]);
    assert_eq!(found("data: {a: 5}\nstringData: {b: [x]}"), ["wrong-type data.a", "wrong-type stringData.b"]);
}

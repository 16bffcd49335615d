use serde_json::{Value, json};

use crate::check::testing::{problems, problems_of};

const NONE: [&str; 0] = [];

/// The problems of a server: `fields` over a plain one of HTTPS.
fn server(fields: &Value) -> Vec<String> {
    let mut server = json!({
        "hosts": ["a.com"], "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
        "tls": {"mode": "SIMPLE", "credentialName": "a"}
    });
    for (key, value) in fields.as_object().unwrap() {
        server[key] = value.clone();
    }
    let found = problems("networking.istio.io/v1", "Gateway", &json!({"servers": [server]}));
    found.iter().map(|line| line.replace("spec.servers[0]", "s")).collect()
}

#[test]
fn a_gateway_has_a_label_for_a_name() {
    let json = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "a.b"}, "spec": {}
    });
    assert_eq!(problems_of(&json), ["invalid-name metadata.name", "missing-field spec"]);
}

#[test]
fn servers_have_hosts_and_a_named_port() {
    assert_eq!(server(&json!({})), NONE);
    assert_eq!(server(&json!({"hosts": []})), ["missing-field s"]);
    assert_eq!(server(&json!({"port": null})), ["missing-field s"]);
    assert_eq!(
        server(&json!({"port": {"protocol": "HTTPS", "targetPort": 1}})),
        ["invalid-value s.port.number", "invalid-value s.port.targetPort", "missing-field s.port"]
    );
    for good in ["*", "*.a.com", "ns/a.com", "./a.com", "*/*", "10.0.0.1"] {
        assert_eq!(server(&json!({"hosts": [good]})), NONE, "{good}");
    }
    for bad in ["short", "*a.com", "a/b/c.com", "/a.com", "ns/", "_/a.com"] {
        assert!(!server(&json!({"hosts": [bad]})).is_empty(), "{bad}");
    }
}

#[test]
fn a_socket_has_no_port_number() {
    let port = |number: u32| json!({"number": number, "name": "a", "protocol": "HTTPS"});
    assert_eq!(server(&json!({"bind": "unix:///a", "port": port(0)})), NONE);
    assert_eq!(server(&json!({"bind": "unix:///a", "port": port(80)})), ["conflict s.port.number"]);
    assert_eq!(server(&json!({"bind": "a.com"})), ["invalid-value s.bind"]);
}

#[test]
fn tls_goes_with_protocols_that_have_it() {
    let http = json!({"number": 80, "name": "http", "protocol": "HTTP"});
    let tcp = json!({"number": 80, "name": "tcp", "protocol": "TCP"});
    assert_eq!(server(&json!({"tls": null})), ["missing-field s"]);
    assert_eq!(server(&json!({"port": http, "tls": {"httpsRedirect": true}})), NONE);
    assert_eq!(server(&json!({"port": http})), ["conflict s.tls"]);
    assert_eq!(server(&json!({"port": tcp})), ["conflict s.tls"]);
    assert_eq!(
        server(&json!({"tls": {"mode": "PASSTHROUGH", "httpsRedirect": true}})),
        ["no-effect s.tls.httpsRedirect"]
    );
}

#[test]
fn server_certificates_come_from_one_place() {
    let tls = |tls: Value| server(&json!({"tls": tls}));
    assert_eq!(tls(json!({"mode": "SIMPLE"})), ["missing-field s.tls"]);
    assert_eq!(
        tls(json!({"mode": "MUTUAL", "serverCertificate": "a", "privateKey": "b"})),
        ["missing-field s.tls"]
    );
    assert_eq!(
        tls(json!({"mode": "SIMPLE", "credentialName": "a", "credentialNames": ["b"]})),
        ["conflict s.tls.credentialNames"]
    );
    assert_eq!(
        tls(json!({"mode": "ISTIO_MUTUAL", "credentialName": "a"})),
        ["conflict s.tls.credentialName"]
    );
    assert_eq!(
        tls(json!({"mode": "PASSTHROUGH", "credentialName": "a"})),
        ["no-effect s.tls.credentialName"]
    );
    assert_eq!(
        tls(json!({"mode": "SIMPLE", "credentialNames": ["a", "b", "c"]})),
        ["invalid-value s.tls.credentialNames"]
    );
    assert_eq!(
        tls(
            json!({"mode": "SIMPLE", "credentialName": "a", "cipherSuites": ["AES128-SHA", "AES128-SHA", "X"]})
        ),
        ["no-effect s.tls.cipherSuites[1]", "no-effect s.tls.cipherSuites[2]"]
    );
    assert_eq!(
        tls(json!({"mode": "SIMPLE", "credentialName": "a", "minProtocolVersion": "TLSV1_0"})),
        ["suspicious s.tls.minProtocolVersion"]
    );
}

#[test]
fn port_names_are_unique() {
    let server = json!({"hosts": ["*"], "port": {"number": 80, "name": "a", "protocol": "HTTP"}});
    let found = problems("networking.istio.io/v1", "Gateway", &json!({"servers": [server, server]}));
    assert_eq!(found, ["conflict spec.servers[1].port.name"]);
}

#[test]
fn names_of_tencent_cloud_fit_their_servers() {
    let servers = |servers: Value| {
        let found = problems("networking.istio.io/v1", "Gateway", &json!({ "servers": servers }));
        found.iter().map(|line| line.replace("tencent-name spec.servers", "")).collect::<Vec<_>>()
    };
    let http = |number: u32, name: &str| json!({"hosts": ["a.com"], "port": {"number": number, "name": name, "protocol": "HTTP"}});
    assert_eq!(servers(json!([http(443, "clb-https-443-Ab9"), http(443, "clb-https-443-Cd8")])), NONE);
    assert_eq!(servers(json!([http(6443, "clb-https-443-Ab9")])), ["[0].port.name"], "T-582");
    assert_eq!(
        servers(json!([http(443, "clb-https-443-Ab9"), http(443, "http")])),
        ["[1].port.name"],
        "T-583"
    );
    assert_eq!(servers(json!([http(443, "clb-https-443-Ab9"), http(80, "http")])), NONE, "other ports");
    let mut tcp = http(6443, "clb-https-443-Ab9");
    tcp["port"]["protocol"] = json!("TCP");
    assert_eq!(servers(json!([tcp])), NONE, "the name means nothing with other protocols");
    let mut redirecting = http(443, "clb-https-443-Ab9");
    redirecting["tls"] = json!({"httpsRedirect": true});
    assert_eq!(servers(json!([redirecting])), ["[0].tls.httpsRedirect"], "T-584");
    let tls = |mode: &str, name: &str| server(&json!({"tls": {"mode": mode, "credentialName": name}}));
    assert_eq!(tls("SIMPLE", "qcloud-Ab9"), NONE);
    assert_eq!(tls("MUTUAL", "Ab9"), NONE);
    for mode in ["MUTUAL", "OPTIONAL_MUTUAL"] {
        assert_eq!(tls(mode, "qcloud-Ab9"), ["tencent-name s.tls.credentialName"], "T-585");
    }
}

use serde_json::{Value, json};

use crate::check::testing::problems;

const NONE: [&str; 0] = [];

fn check(spec: &Value) -> Vec<String> {
    problems("networking.istio.io/v1", "Sidecar", spec)
}

fn ingress(fields: &Value) -> Vec<String> {
    let mut listener = json!({"port": {"number": 80, "protocol": "HTTP", "name": "http"}});
    for (key, value) in fields.as_object().unwrap() {
        listener[key] = value.clone();
    }
    check(&json!({"ingress": [listener]}))
}

#[test]
fn an_empty_one_is_refused() {
    assert_eq!(check(&json!({})), ["missing-field spec"]);
    assert_eq!(check(&json!({"outboundTrafficPolicy": {}})), NONE);
}

#[test]
fn egress_hosts_have_a_namespace() {
    let hosts = |hosts: Value| check(&json!({"egress": [{"hosts": hosts}]}));
    for good in ["*/*", "./*", "ns/a.com", "~/*", "*/*.a.com"] {
        assert_eq!(hosts(json!([good])), NONE, "{good}");
    }
    for bad in ["a.com", "ns/short", "/a.com", "ns/", "ns/*a.com", "n.s/a.com", "*/10.0.0.1"] {
        assert_eq!(
            hosts(json!([bad])),
            ["invalid-host spec.egress[0].hosts[0]"].map(|line| if bad.starts_with("n.s") {
                "invalid-name spec.egress[0].hosts[0]"
            } else {
                line
            }),
            "{bad}"
        );
    }
    assert_eq!(hosts(json!([])), ["missing-field spec.egress[0]"]);
    assert_eq!(hosts(json!(["./a.com", "default/a.com"])), ["no-effect spec.egress[0].hosts[1]"]);
    assert_eq!(hosts(json!(["*/*", "ns/a.com"])), ["no-effect spec.egress[0].hosts"]);
}

#[test]
fn the_listener_without_a_port_is_the_last() {
    let port = |number: u32| json!({"number": number, "protocol": "HTTP"});
    let egress = |first: Value, second: Value| {
        check(&json!({"egress": [{"port": first, "hosts": ["*/*"]}, {"port": second, "hosts": ["*/*"]}]}))
    };
    assert_eq!(egress(port(80), Value::Null), NONE);
    assert_eq!(egress(Value::Null, port(80)), ["conflict spec.egress[0]"]);
    assert_eq!(egress(port(80), port(80)), ["conflict spec.egress[1].port.number"]);
    assert_eq!(egress(port(0), Value::Null), ["invalid-value spec.egress[0].bind"]);
}

#[test]
fn the_application_is_on_this_machine() {
    for good in ["127.0.0.1:80", "0.0.0.0:80", "[::1]:80", ":80", "unix:///a"] {
        assert_eq!(ingress(&json!({"defaultEndpoint": good})), NONE, "{good}");
    }
    for bad in ["10.0.0.1:80", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "unix://a"] {
        assert_eq!(
            ingress(&json!({"defaultEndpoint": bad})),
            ["invalid-value spec.ingress[0].defaultEndpoint"],
            "{bad}"
        );
    }
}

#[test]
fn ingress_listeners_have_ports_and_little_tls() {
    assert_eq!(ingress(&json!({"port": null})), ["missing-field spec.ingress[0]"]);
    assert_eq!(
        ingress(&json!({"port": {"number": 80, "protocol": "HTTPS", "targetPort": 1},
            "tls": {"mode": "SIMPLE", "credentialName": "a"}})),
        ["invalid-value spec.ingress[0].port.targetPort", "invalid-value spec.ingress[0].tls.credentialName"]
    );
    assert_eq!(
        ingress(
            &json!({"port": {"number": 80, "protocol": "TCP"}, "connectionPool": {"http": {"maxRetries": 1}}})
        ),
        ["no-effect spec.ingress[0].connectionPool.http"]
    );
}

#[test]
fn an_egress_proxy_needs_a_policy_that_lets_out() {
    let proxy = json!({"host": "a.com", "port": {"number": 80}});
    assert_eq!(check(&json!({"outboundTrafficPolicy": {"mode": "ALLOW_ANY", "egressProxy": proxy}})), NONE);
    assert_eq!(
        check(&json!({"outboundTrafficPolicy": {"egressProxy": {"host": "a.com"}}})),
        [
            "conflict spec.outboundTrafficPolicy.egressProxy",
            "missing-field spec.outboundTrafficPolicy.egressProxy"
        ]
    );
}

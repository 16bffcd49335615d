use serde_json::{Value, json};

use crate::check::testing::problems;

const NONE: [&str; 0] = [];

fn check(spec: &Value) -> Vec<String> {
    problems("networking.istio.io/v1", "DestinationRule", spec)
}

/// The problems of a traffic policy, without the path that leads to it.
fn policy(policy: &Value) -> Vec<String> {
    let found = check(&json!({"host": "a", "trafficPolicy": policy}));
    found.iter().map(|line| line.replace("spec.trafficPolicy", "tp")).collect()
}

#[test]
fn hosts_and_subsets_are_named() {
    assert_eq!(
        check(&json!({"host": "*.a.com", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]})),
        NONE
    );
    assert_eq!(check(&json!({})), ["missing-field spec.host"]);
    assert_eq!(
        check(&json!({"host": "a", "subsets": [{"name": "v1"}, {"name": "v1", "labels": {"a": "-"}}, {}]})),
        [
            "conflict spec.subsets[1].name",
            "invalid-value spec.subsets[1].labels.a",
            "missing-field spec.subsets[2].name"
        ]
    );
}

#[test]
fn a_rule_with_a_selector_stays_at_home() {
    let with = |export_to: Value| {
        check(&json!({"host": "a", "exportTo": export_to, "workloadSelector": {"matchLabels": {"a": "b"}}}))
    };
    assert_eq!(with(json!(["."])), NONE);
    assert_eq!(with(json!(["default"])), NONE);
    assert_eq!(with(json!(["other"])), ["invalid-value spec.exportTo[0]"]);
    assert_eq!(check(&json!({"host": "a", "exportTo": ["*", "b"]})), ["conflict spec.exportTo"]);
    assert_eq!(check(&json!({"host": "a", "exportTo": [".", "default"]})), ["conflict spec.exportTo[1]"]);
    assert_eq!(check(&json!({"host": "a", "exportTo": ["~"]})), ["invalid-value spec.exportTo[0]"]);
}

#[test]
fn a_policy_says_something_and_does_not_contradict_itself() {
    assert_eq!(policy(&json!({})), ["missing-field tp"]);
    assert_eq!(
        policy(&json!({"portLevelSettings": [{}]})),
        ["missing-field tp.portLevelSettings[0]", "missing-field tp.portLevelSettings[0]"]
    );
    assert_eq!(
        policy(&json!({"tunnel": {"targetHost": "a.com", "targetPort": 80}, "proxyProtocol": {}})),
        ["conflict tp.proxyProtocol"]
    );
    assert_eq!(
        policy(&json!({"tunnel": {"protocol": "PUT", "targetHost": "", "targetPort": 0}})),
        [
            "invalid-value tp.tunnel.protocol",
            "invalid-host tp.tunnel.targetHost",
            "invalid-value tp.tunnel.targetPort"
        ]
    );
}

#[test]
fn connection_pools_have_limits_that_are_not_negative() {
    let pool = |pool: Value| policy(&json!({"connectionPool": pool}));
    assert_eq!(pool(json!({})), ["missing-field tp.connectionPool"]);
    assert_eq!(pool(json!({"tcp": {"idleTimeout": "0s", "connectTimeout": "1s"}})), NONE);
    assert_eq!(
        pool(json!({"tcp": {"maxConnections": -1}})),
        ["invalid-value tp.connectionPool.tcp.maxConnections"]
    );
    assert_eq!(
        pool(json!({"tcp": {"connectTimeout": "1us"}})),
        ["invalid-value tp.connectionPool.tcp.connectTimeout"]
    );
    assert_eq!(
        pool(json!({"http": {"h2UpgradePolicy": "UPGRADE", "useClientProtocol": true}})),
        ["conflict tp.connectionPool.http.useClientProtocol"]
    );
    assert_eq!(
        pool(json!({"http": {"http2KeepAlive": {"interval": "1s"}}})),
        ["missing-field tp.connectionPool.http.http2KeepAlive"]
    );
}

#[test]
fn outliers_are_counted_as_switched_on() {
    let outlier = |outlier: Value| policy(&json!({"outlierDetection": outlier}));
    assert_eq!(outlier(json!({})), NONE);
    assert_eq!(
        outlier(json!({"maxEjectionPercent": 101})),
        ["invalid-value tp.outlierDetection.maxEjectionPercent"]
    );
    assert_eq!(
        outlier(json!({"consecutiveErrors": 5})),
        ["deprecated tp.outlierDetection.consecutiveErrors"]
    );
    assert_eq!(
        outlier(json!({"consecutiveLocalOriginFailures": 5})),
        ["conflict tp.outlierDetection.consecutiveLocalOriginFailures"]
    );
}

#[test]
fn balancers_have_one_way_to_choose() {
    let balancer = |balancer: Value| policy(&json!({"loadBalancer": balancer}));
    assert_eq!(
        balancer(json!({"simple": "RANDOM", "consistentHash": {}})),
        ["conflict tp.loadBalancer.consistentHash"]
    );
    assert_eq!(
        balancer(json!({"consistentHash": {"httpHeaderName": "x", "useSourceIp": true}})),
        ["conflict tp.loadBalancer.consistentHash.useSourceIp"]
    );
    assert_eq!(
        balancer(json!({"consistentHash": {"useSourceIp": true, "maglev": {"tableSize": 65537}}})),
        NONE
    );
    for size in [0, 1, 4, 5_000_011] {
        assert_eq!(
            balancer(json!({"consistentHash": {"useSourceIp": true, "maglev": {"tableSize": size}}})),
            ["invalid-value tp.loadBalancer.consistentHash.maglev.tableSize"],
            "{size}"
        );
    }
    assert_eq!(
        balancer(
            json!({"consistentHash": {"httpCookie": {"attributes": [{"name": "a"}, {"name": "a"}, {}]}}})
        ),
        [
            "missing-field tp.loadBalancer.consistentHash.httpCookie",
            "conflict tp.loadBalancer.consistentHash.httpCookie.attributes[1].name",
            "missing-field tp.loadBalancer.consistentHash.httpCookie.attributes[2]"
        ]
    );
    assert_eq!(
        balancer(json!({"warmup": {"minimumPercent": 101, "aggression": 0}})),
        [
            "missing-field tp.loadBalancer.warmup",
            "invalid-value tp.loadBalancer.warmup.minimumPercent",
            "invalid-value tp.loadBalancer.warmup.aggression"
        ]
    );
}

#[test]
fn localities_add_up_and_fail_over_elsewhere() {
    let locality = |setting: Value| {
        policy(&json!({"outlierDetection": {}, "loadBalancer": {"localityLbSetting": setting}}))
    };
    assert_eq!(locality(json!({"distribute": [{"from": "a/*", "to": {"a/*": 80, "b/*": 20}}]})), NONE);
    assert_eq!(
        locality(json!({"distribute": [{"from": "a/*", "to": {"a/*": 80}}]})),
        ["invalid-value tp.loadBalancer.localityLbSetting.distribute[0].to"]
    );
    assert_eq!(
        locality(json!({"failover": [{"from": "a", "to": "a"}]})),
        ["conflict tp.loadBalancer.localityLbSetting.failover[0].to"]
    );
    assert_eq!(
        policy(&json!({"loadBalancer": {"localityLbSetting": {"failover": [{"from": "a", "to": "b"}]}}})),
        ["suspicious tp.loadBalancer.localityLbSetting"]
    );
}

#[test]
fn client_certificates_come_from_one_place() {
    let tls = |tls: Value| policy(&json!({"tls": tls}));
    assert_eq!(tls(json!({"mode": "MUTUAL"})), ["missing-field tp.tls"]);
    assert_eq!(tls(json!({"mode": "MUTUAL", "credentialName": "a"})), NONE);
    assert_eq!(
        tls(json!({"mode": "SIMPLE", "credentialName": "a", "caCertificates": "/b"})),
        ["conflict tp.tls.caCertificates"]
    );
    assert_eq!(
        tls(json!({"mode": "SIMPLE", "insecureSkipVerify": true, "subjectAltNames": ["a"]})),
        ["conflict tp.tls.subjectAltNames"]
    );
    assert_eq!(tls(json!({"mode": "SIMPLE", "credentialName": "configmap://default/a"})), NONE);
    assert_eq!(
        tls(json!({"mode": "SIMPLE", "credentialName": "configmap://other/a"})),
        ["invalid-value tp.tls.credentialName"]
    );
    // The namespace is always written (istio/istio, `ParseResourceName`); nobody reads what comes after the name.
    for bad in ["configmap://a", "configmap:///a", "configmap://default/"] {
        let found = tls(json!({"mode": "SIMPLE", "credentialName": bad}));
        assert_eq!(found, ["invalid-value tp.tls.credentialName"], "{bad}");
    }
    assert_eq!(tls(json!({"mode": "SIMPLE", "credentialName": "configmap://default/a/b"})), NONE);
}

#[test]
fn warnings_of_subsets_and_ports_are_remarks_as_istio_loses_them() {
    let policy = json!({"loadBalancer": {"consistentHash": {"useSourceIp": true, "minimumRingSize": 1}}});
    let field = "loadBalancer.consistentHash.minimumRingSize";
    assert_eq!(
        check(&json!({"host": "a", "trafficPolicy": policy})),
        [format!("deprecated spec.trafficPolicy.{field}")]
    );
    assert_eq!(
        check(&json!({"host": "a", "subsets": [{"name": "v1", "trafficPolicy": policy}]})),
        [format!("doubtful spec.subsets[0].trafficPolicy.{field}")]
    );
    let mut port = policy.clone();
    port["port"] = json!({"number": 80});
    assert_eq!(
        check(&json!({"host": "a", "trafficPolicy": {"portLevelSettings": [port]}})),
        [format!("doubtful spec.trafficPolicy.portLevelSettings[0].{field}")]
    );
    let outlier = json!({"outlierDetection": {"consecutiveErrors": 5}});
    assert_eq!(
        check(&json!({"host": "a", "subsets": [{"name": "v1", "trafficPolicy": outlier}]})),
        ["doubtful spec.subsets[0].trafficPolicy.outlierDetection.consecutiveErrors"]
    );
}

//! `describe` leaves out nothing that a route does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use mesh::Mesh;
use mesh::proxy_core::describe;
use serde_json::{Value, json};

const MESH: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, labels: {app: web}}
status: {podIP: 10.1.0.1, phase: Running}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [web]
  http:
  - name: all of it
    match:
    - uri: {prefix: /a}
      headers: {x-kind: {exact: big}}
      withoutHeaders: {x-old: {}}
      queryParams: {page: {regex: "[0-9]+"}}
    rewrite: {uri: /b, authority: inner.example.com}
    timeout: 3s
    retries: {attempts: 4, perTryTimeout: 1s, retryOn: "5xx,503", backoff: 250ms, retryRemoteLocalities: true, retryIgnorePreviousHosts: true}
    fault: {delay: {fixedDelay: 2s, percentage: {value: 0.5}}, abort: {httpStatus: 418, percentage: {value: 1}}}
    mirrors: [{destination: {host: web}, percentage: {value: 12.5}}]
    corsPolicy: {allowOrigins: [{prefix: "https://"}], allowMethods: [GET], maxAge: 1h, allowCredentials: true}
    headers: {request: {set: {x-a: "1"}, remove: [x-b]}, response: {add: {x-c: "2"}}}
    route:
    - destination: {host: web}
      weight: 9
      headers: {request: {set: {x-d: "3"}}}
    - destination: {host: web}
      weight: 1
  - name: elsewhere
    match: [{uri: {exact: /r}}]
    redirect: {uri: /s, authority: other.example.com, redirectCode: 308, scheme: https, port: 8443}
  - name: answered
    directResponse: {status: 503, body: {string: "not now"}}
"#;

/// Without the places that values come from.
fn without_origins(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(key, _)| !key.ends_with("origin"))
            .map(|(key, value)| (key, without_origins(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_origins).collect(),
        value => value,
    }
}

#[test]
fn everything_that_a_route_asks_and_does_is_shown() {
    let (mesh, report) = Mesh::from_texts([("mesh.yaml", MESH)]);
    assert!(report.is_empty(), "{report:?}");
    let (config, report) = mesh.proxy_config(&mesh.sidecar("shop", "web-0").unwrap());
    assert!(report.is_empty(), "{report:?}");
    let shown = without_origins(describe::route_tables(&config));
    let host = |host: &&Value| host["name"] == "web.shop.svc.cluster.local:80";
    let routes = &shown["80"].as_array().unwrap().iter().find(host).unwrap()["routes"];
    assert_eq!(
        routes[0],
        json!({
            "name": "all of it",
            "match": {
                "prefix": "/a",
                "header x-kind": {"exact": "big"},
                "not header x-old": "present",
                "query page": {"regex": "[0-9]+"},
            },
            "request_headers": [["remove", "x-b"], ["set", "x-a", "1"]],
            "response_headers": [["add", "x-c", "2"]],
            "forward": {
                "clusters": [
                    {
                        "cluster": "outbound|80||web.shop.svc.cluster.local",
                        "weight": 9,
                        "request_headers": [["set", "x-d", "3"]],
                    },
                    {"cluster": "outbound|80||web.shop.svc.cluster.local", "weight": 1},
                ],
                "timeout_ms": 3000,
                "retries": {
                    "attempts": 4,
                    "on": "5xx,retriable-status-codes",
                    "codes": [503],
                    "per_try_timeout_ms": 1000,
                    "backoff_ms": 250,
                    "avoid_previous_hosts": true,
                    "remote_localities": true,
                },
                "local_rate_limit": null,
                "mirrors": [{"cluster": "outbound|80||web.shop.svc.cluster.local", "percent": 12.5}],
                "path_rewrite": {"matched": "/b"},
                "authority_rewrite": "inner.example.com",
                "tells_authority": true,
                "fault": {"delay_ms": 2000, "delay_percent": 0.5, "abort_status": 418, "abort_percent": 1},
                "cors": {
                    "allow_origins": [{"prefix": "https://"}],
                    "allow_methods": "GET",
                    "allow_headers": "",
                    "expose_headers": "",
                    "max_age": "3600",
                    "allow_credentials": true,
                    "forward_unmatched_preflights": true,
                },
            },
        })
    );
    assert_eq!(
        routes[1]["redirect"],
        json!({
            "status": 308, "scheme": "https", "host": "other.example.com", "port": 8443,
            "path": {"whole": "/s"}, "strip_query": false,
        })
    );
    assert_eq!(routes[2]["respond"], json!({"status": 503, "body": "not now"}));
}

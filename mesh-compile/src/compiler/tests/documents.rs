//! The documents of random histories.

/// A step of a random history: kind, namespace, name and content by number.
pub(super) type Step = (u8, u8, u8, u8, u8);

pub(super) const NAMESPACES: [&str; 3] = ["a", "b", "istio-system"];
pub(super) const HOSTS: [&str; 7] = [
    "web.a.svc.cluster.local",
    "api.b.svc.cluster.local",
    "one.ext",
    "two.ext",
    "*.ext",
    "*",
    "db.a.svc.cluster.local",
];

fn pick<'t>(list: &[&'t str], n: u8) -> &'t str {
    list[usize::from(n) % list.len()]
}

fn head(group: &str, kind: &str, namespace: &str, name: &str, minute: u8) -> String {
    format!(
        "apiVersion: {group}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}, \
         creationTimestamp: \"2024-01-01T00:{:02}:00Z\"}}\n",
        minute % 2
    )
}

/// The document of a step, with its kind, group, namespace and name.
pub(super) fn document(
    (kind, namespace, name, x, y): Step,
) -> (String, &'static str, &'static str, &'static str, &'static str) {
    let namespace = pick(&NAMESPACES, namespace);
    let net = "networking.istio.io/v1";
    let sec = "security.istio.io/v1";
    let export =
        pick(&["", ", exportTo: ['.']", ", exportTo: ['*']", ", exportTo: [a]", ", exportTo: ['~']"], y);
    let host = &format!("'{}'", pick(&HOSTS, x));
    let other = pick(&HOSTS[..4], y);
    let (group, kind, name, head_group, body) = match kind % 22 {
        0..=2 => {
            let name = pick(&["v1", "v2", "v3"], name);
            let spec = match x % 12 {
                0 => format!(
                    "hosts: [{host}]{export}, http: [{{route: [{{destination: {{host: {other}, subset: s{}}}}}]}}]",
                    y % 2
                ),
                1 => format!(
                    "hosts: [{other}]{export}, http: [{{match: [{{uri: {{prefix: /{x}}}}}], route: [{{destination: {{host: {other}}}}}]}}, {{route: [{{destination: {{host: web}}}}]}}]"
                ),
                2 => format!(
                    "hosts: [web, '*.ext']{export}, http: [{{match: [{{{}}}], redirect: {{uri: /{y}}}}}]",
                    pick(&["sourceLabels: {app: web}", "sourceNamespace: b"], y / 5)
                ),
                3 => format!(
                    "hosts: [{other}]{export}, tcp: [{{{}route: [{{destination: {{host: {host}, port: {{number: 90}}}}}}]}}]",
                    pick(
                        &["", "match: [{sourceNamespace: a}], ", "match: [{sourceLabels: {app: api}}], "],
                        y / 5
                    )
                ),
                4 => format!(
                    "hosts: [{other}]{export}, tls: [{{match: [{{sniHosts: [{other}]}}], route: [{{destination: {{host: one.ext}}}}]}}]"
                ),
                5 => format!(
                    "hosts: ['*.ext', two.ext], gateways: [istio-system/g1, mesh]{export}, http: [{{route: [{{destination: {{host: {other}}}}}]}}]"
                ),
                6 => format!(
                    "hosts: [{other}], http: [{{match: [{{uri: {{prefix: /d}}}}], delegate: {{name: v{}, namespace: a}}}}, {{directResponse: {{status: 20{}}}}}]",
                    y % 3 + 1,
                    y % 5
                ),
                7 | 8 => format!(
                    "http: [{{match: [{{uri: {{prefix: /d/{y}}}}}], route: [{{destination: {{host: {other}}}}}]}}]"
                ),
                9 => format!("hosts: [{other}], http: [{{directResponse: {{status: 20{}}}}}]", y % 5),
                10 => format!(
                    "hosts: [{other}], gateways: [istio-system/g{}], http: [{{route: [{{destination: {{host: {other}}}}}]}}]",
                    y % 2
                ),
                _ => format!(
                    "hosts: [{other}], http: [{{match: [{{port: 81}}], directResponse: {{status: 20{}}}}}]",
                    y % 5
                ),
            };
            (net, "VirtualService", name, "networking.istio.io", format!("spec: {{{spec}}}\n"))
        }
        3 | 4 => {
            let name = pick(&["d1", "d2"], name);
            let policy = match y % 8 {
                6 => {
                    "outlierDetection: {consecutive5xxErrors: 3}, loadBalancer: {localityLbSetting: {enabled: true, failoverPriority: [app, v]}}"
                }
                7 => "tls: {mode: MUTUAL, credentialName: 'kubernetes-gateway://a/c'}",
                0 => "loadBalancer: {consistentHash: {httpHeaderName: x}}",
                1 => "tls: {mode: SIMPLE}",
                2 => "connectionPool: {tcp: {maxConnections: 7}}",
                3 => "portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]",
                4 => {
                    "outlierDetection: {consecutive5xxErrors: 3}, loadBalancer: {consistentHash: {useSourceIp: true}}"
                }
                _ => "loadBalancer: {simple: PASSTHROUGH}",
            };
            let selector = if x % 5 == 4 { ", workloadSelector: {matchLabels: {app: web}}" } else { "" };
            let spec = format!(
                "host: {host}{export}{selector}, trafficPolicy: {{{policy}}}, subsets: [{{name: s{}, labels: {{v: a}}}}]",
                x % 2
            );
            (net, "DestinationRule", name, "networking.istio.io", format!("spec: {{{spec}}}\n"))
        }
        5 | 6 => {
            let name = pick(&["e1", "e2"], name);
            let port = match x % 4 {
                0 => "{number: 80, name: http, protocol: HTTP}",
                1 => "{number: 90, name: tcp, protocol: TCP}",
                2 => "{number: 443, name: tls, protocol: TLS}, {number: 81, name: http-b, protocol: HTTP}",
                _ => "{number: 80, name: any, protocol: ''}",
            };
            let resolution = match y % 5 {
                4 => {
                    "STATIC, addresses: [240.0.0.2, 240.0.0.3], endpoints: [{address: 10.1.0.3, serviceAccount: s}]"
                }
                0 => "STATIC, endpoints: [{address: 10.1.0.1, labels: {v: a}}, {address: 10.9.0.2}]",
                1 => "NONE",
                2 => "DNS",
                _ => "STATIC, addresses: [240.0.0.1], workloadSelector: {labels: {app: web}}",
            };
            let host = pick(&HOSTS[2..5], x.wrapping_add(y));
            let resolution = if host.starts_with('*') { "NONE" } else { resolution };
            let host = if x % 3 == 0 { format!("{host}\", \"three.ext") } else { host.to_owned() };
            let spec = format!(
                "hosts: [\"{host}\"]{export}, location: MESH_INTERNAL, ports: [{port}], resolution: {resolution}"
            );
            (net, "ServiceEntry", name, "networking.istio.io", format!("spec: {{{spec}}}\n"))
        }
        7 => {
            let name = pick(&["web", "api", "db"], name);
            let ports = match x % 4 {
                0 => "{name: http, port: 80, targetPort: 8080}",
                1 => "{name: tcp, port: 90}",
                2 => "{name: http, port: 80}, {name: http-b, port: 81, targetPort: 8081}",
                _ => "{name: any, port: 80}",
            };
            let address = if y % 3 == 0 { "None" } else { "10.0.0.7" };
            let spec = match x % 8 {
                7 => format!("type: ExternalName, externalName: {other}, ports: [{ports}]"),
                _ => format!("clusterIP: {address}, selector: {{app: {name}}}, ports: [{ports}]"),
            };
            ("v1", "Service", name, "", format!("spec: {{{spec}}}\n"))
        }
        8 => {
            let name = pick(&["web-1", "db-1"], name);
            let of = name.trim_end_matches("-1");
            let addresses = match x % 6 {
                4 => "[{addresses: [10.1.0.1], targetRef: {kind: Pod, name: web-10.1.0.1, namespace: a}}]",
                5 => "[{addresses: [10.1.0.3], targetRef: {kind: Pod, name: api-10.1.0.3, namespace: b}}]",
                0 => "[{addresses: [10.1.0.1]}]",
                1 => "[{addresses: [10.1.0.2]}, {addresses: [10.9.0.1], conditions: {ready: false}}]",
                2 => "[]",
                _ => "[{addresses: [10.1.0.1]}, {addresses: [10.1.0.2]}, {addresses: [10.1.0.3]}]",
            };
            let port =
                pick(&["{name: http, port: 8080}", "{name: tcp, port: 90}", "{name: any, port: 80}"], y);
            let text = format!(
                "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{kubernetes.io/service-name: {of}}}}}\naddressType: IPv4\nendpoints: {addresses}\nports: [{port}]\n"
            );
            return (text, "EndpointSlice", "discovery.k8s.io", namespace, name);
        }
        9 => {
            let name = pick(&["web-10.1.0.1", "api-10.1.0.3"], name);
            let ip = name.split_once('-').unwrap().1;
            let app = name.split_once('-').unwrap().0;
            let annotation = match x % 3 {
                0 => ", annotations: {proxy.istio.io/config: '{proxyMetadata: {HTTP10: \"1\"}}'}",
                1 => ", annotations: {proxy.istio.io/config: '{interceptionMode: NONE}'}",
                _ => "",
            };
            let text = format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: {app}, security.istio.io/tlsMode: istio}}{annotation}}}\nspec: {{serviceAccountName: sa{}}}\nstatus: {{podIP: {ip}, phase: Running, conditions: [{{type: Ready, status: \"True\"}}]}}\n",
                y % 2
            );
            return (text, "Pod", "", namespace, name);
        }
        10 => {
            let name = pick(&["s1", "s2"], name);
            let egress = match x % 5 {
                0 => "egress: [{hosts: ['./*']}]",
                1 => "egress: [{hosts: ['*/one.ext', 'a/*']}], outboundTrafficPolicy: {mode: REGISTRY_ONLY}",
                2 => {
                    "egress: [{port: {number: 80, protocol: HTTP, name: h}, hosts: ['*/*']}, {hosts: ['~/*']}]"
                }
                3 => {
                    "ingress: [{port: {number: 9000, protocol: HTTP, name: h}, defaultEndpoint: '127.0.0.1:9001'}]"
                }
                _ => "egress: [{hosts: ['*/*']}]",
            };
            let selector = if y % 2 == 0 { "workloadSelector: {labels: {app: web}}, " } else { "" };
            (net, "Sidecar", name, "networking.istio.io", format!("spec: {{{selector}{egress}}}\n"))
        }
        11 => {
            let name = pick(&["p1", "p2"], name);
            let mode = pick(&["STRICT", "DISABLE", "PERMISSIVE"], x);
            let selector = if y % 2 == 0 {
                "selector: {matchLabels: {app: web}}, portLevelMtls: {'8080': {mode: DISABLE}}, "
            } else {
                ""
            };
            (
                sec,
                "PeerAuthentication",
                name,
                "security.istio.io",
                format!("spec: {{{selector}mtls: {{mode: {mode}}}}}\n"),
            )
        }
        12 => {
            let name = pick(&["z1", "z2"], name);
            let action = pick(&["ALLOW", "DENY"], x);
            let selector = if y % 2 == 0 { "selector: {matchLabels: {app: web}}, " } else { "" };
            let spec =
                format!("{selector}action: {action}, rules: [{{to: [{{operation: {{paths: [/{x}]}}}}]}}]");
            (sec, "AuthorizationPolicy", name, "security.istio.io", format!("spec: {{{spec}}}\n"))
        }
        13 => {
            let name = pick(&["r1", "r2"], name);
            let spec = format!("jwtRules: [{{issuer: i{}, jwks: '{{\"keys\":[]}}'}}]", x % 3);
            (sec, "RequestAuthentication", name, "security.istio.io", format!("spec: {{{spec}}}\n"))
        }
        14 => {
            let name = pick(&["g1", "g0"], name);
            let server = match x % 3 {
                0 => "{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}",
                1 => "{port: {number: 8080, name: http, protocol: HTTP}, hosts: [one.ext, '*.ext']}",
                _ => {
                    "{port: {number: 15443, name: tls, protocol: TLS}, hosts: ['*'], tls: {mode: AUTO_PASSTHROUGH}}"
                }
            };
            let app = if y % 4 == 0 { "other" } else { "gw" };
            (
                net,
                "Gateway",
                name,
                "networking.istio.io",
                format!("spec: {{selector: {{app: {app}}}, servers: [{server}]}}\n"),
            )
        }
        15 => {
            let name = pick(&["w1", "w2"], name);
            let spec = format!(
                "address: 10.1.0.{}, labels: {{app: web, v: a}}, serviceAccount: sa{}",
                x % 3 + 1,
                y % 2
            );
            (net, "WorkloadEntry", name, "networking.istio.io", format!("spec: {{{spec}}}\n"))
        }
        18 => {
            let name = pick(&["c1", "c2"], name);
            let selector = if y % 2 == 0 { "selector: {matchLabels: {app: web}}, " } else { "" };
            let said =
                if x % 2 == 0 { "concurrency: 3" } else { "environmentVariables: {ISTIO_META_HTTP10: '1'}" };
            let text = head("networking.istio.io/v1beta1", "ProxyConfig", namespace, name, y);
            let text = text + &format!("spec: {{{selector}{said}}}\n");
            return (text, "ProxyConfig", "networking.istio.io", namespace, name);
        }
        19 => {
            let name = pick(&["x1", "x2"], name);
            let text = head("extensions.istio.io/v1alpha1", "WasmPlugin", namespace, name, y);
            let text = text + &format!("spec: {{url: 'file:///a.wasm', priority: {x}}}\n");
            return (text, "WasmPlugin", "extensions.istio.io", namespace, name);
        }
        20 => {
            let name = pick(&["f1", "f2"], name);
            let patch = match x % 4 {
                0 => format!(
                    "{{applyTo: CLUSTER, patch: {{operation: MERGE, value: {{connect_timeout: {y}s, odd: 1}}}}}}"
                ),
                1 => "{applyTo: CLUSTER, match: {context: SIDECAR_INBOUND}, patch: {operation: REMOVE}}"
                    .to_owned(),
                2 => "{applyTo: HTTP_ROUTE, patch: {operation: MERGE, value: {route: {timeout: 3s}}}}"
                    .to_owned(),
                _ => format!(
                    "{{applyTo: HTTP_FILTER, patch: {{operation: INSERT_BEFORE, value: {{name: f{y}}}}}}}"
                ),
            };
            let text = head("networking.istio.io/v1alpha3", "EnvoyFilter", namespace, name, y);
            let text = text + &format!("spec: {{priority: {}, configPatches: [{patch}]}}\n", y % 3);
            return (text, "EnvoyFilter", "networking.istio.io", namespace, name);
        }
        16 | 17 => {
            let name = pick(&["t1", "t2"], name);
            let selector = if y % 2 == 0 { "selector: {matchLabels: {app: web}}, " } else { "" };
            let said = match x % 4 {
                0 => "accessLogging: [{providers: [{name: envoy}]}]",
                1 => {
                    "accessLogging: [{match: {mode: CLIENT}, disabled: true}], metrics: [{providers: [{name: prometheus}]}]"
                }
                2 => "tracing: [{providers: [{name: spans}], randomSamplingPercentage: 3}]",
                _ => "metrics: [{overrides: [{match: {metric: REQUEST_COUNT}, disabled: true}]}]",
            };
            let text = head("telemetry.istio.io/v1", "Telemetry", namespace, name, y);
            let text = text + &format!("spec: {{{selector}{said}}}\n");
            return (text, "Telemetry", "telemetry.istio.io", namespace, name);
        }
        _ => {
            let name = pick(&NAMESPACES, name);
            let text = format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{team: t{}}}}}\n",
                x % 2
            );
            return (text, "Namespace", "", "", name);
        }
    };
    (head(group, kind, namespace, name, y) + &body, kind, head_group, namespace, name)
}

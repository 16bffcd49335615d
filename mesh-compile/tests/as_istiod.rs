//! Odd meshes that istiod was asked about (istio/istio 86c9f01f, its own discovery server): what it made of each stands
//! beside the mesh. Found by random meshes that were put to both.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::cluster::UpstreamTls;
use mesh_compile::proxy::listener::{Direction, FilterChain, Network};
use mesh_compile::proxy_identity::Proxy;

mod common;

use common::*;

/// A gateway of the Gateway API in `infra`, with the Pod and Service that stand for it.
fn edge(listeners: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {{name: istio}}\n\
         spec: {{controllerName: istio.io/gateway-controller}}\n\
         ---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: edge, namespace: infra}}\n\
         spec: {{gatewayClassName: istio, listeners: [{listeners}]}}\n\
         ---\napiVersion: v1\nkind: Secret\nmetadata: {{name: cert, namespace: infra}}\n\
         data: {{tls.crt: LS0tLS1CRUdJTiBDRVJU, tls.key: LS0tLS1CRUdJTiBQUklW}}\n\
         ---\napiVersion: v1\nkind: Service\nmetadata: {{name: edge-istio, namespace: infra}}\n\
         spec: {{clusterIP: 10.0.9.1, selector: {{gateway.networking.k8s.io/gateway-name: edge}}, \
         ports: [{{name: tls, port: 443}}]}}\n\
         ---\napiVersion: v1\nkind: Pod\nmetadata: {{name: e, namespace: infra, labels: {{gateway.networking.k8s.io/gateway-name: edge}}}}\n\
         status: {{podIP: 10.8.0.1}}\n\
         ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: e, namespace: infra, labels: {{kubernetes.io/service-name: edge-istio}}}}\n\
         addressType: IPv4\nports: [{{name: tls, port: 443}}]\nendpoints: [{{addresses: [10.8.0.1], targetRef: {{kind: Pod, name: e, namespace: infra}}}}]\n"
    )
}

fn edge_proxy() -> Proxy {
    serde_json::from_value(serde_json::json!({
        "type": "gateway", "namespace": "infra", "name": "e", "ip": "10.8.0.1",
        "labels": {"gateway.networking.k8s.io/gateway-name": "edge"},
    }))
    .unwrap()
}

fn route(kind: &str, name: &str, minute: u32, spec: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: a, \
         creationTimestamp: \"2024-01-01T00:{minute:02}:00Z\"}}\n\
         spec: {{parentRefs: [{{name: edge, namespace: infra}}], {spec}}}\n"
    )
}

/// Server names and destinations of the chains over bytes; `terminated` where TLS ends.
fn tcp_chains(config: &ProxyConfig) -> Vec<String> {
    let told = |chain: &FilterChain| {
        let Network::Tcp(proxy) = &chain.network else { return None };
        let names = chain.matches.server_names.join(",");
        let to: Vec<_> = proxy.destinations.iter().map(|to| &*to.cluster).collect();
        let tls = if chain.tls.is_some() { "terminated" } else { "passed on" };
        Some(format!("[{names}] {tls} > {}", to.join(" ")))
    };
    config.listeners.iter().flat_map(|listener| &listener.filter_chains).filter_map(told).collect()
}

#[test]
fn a_tls_route_serves_a_listener_that_terminates() {
    let listener = |mode: &str| {
        format!(
            "{{name: tls, port: 443, protocol: TLS, hostname: '*.test', \
             tls: {{mode: {mode}, certificateRefs: [{{name: cert}}]}}, allowedRoutes: {{namespaces: {{from: All}}}}}}"
        )
    };
    let tls = |name: &str, minute: u32, host: &str| {
        let spec = format!("hostnames: [{host}], rules: [{{backendRefs: [{{name: {name}, port: 80}}]}}]");
        route("TLSRoute", name, minute, &spec)
    };
    let services = service("a", "x") + &service("a", "z");
    let run_edge = |mode: &str, routes: &str| {
        tcp_chains(&run(&(edge(&listener(mode)) + &services + routes), &edge_proxy()).0)
    };
    // The oldest has the listener whole: where TLS ends nobody looks at server names any more.
    let both = tls("x", 2, "x.test") + &tls("z", 1, "z.test");
    assert_eq!(run_edge("Terminate", &both), ["[*.test] terminated > outbound|80||z.a.svc.cluster.local"]);
    let mut passed = run_edge("Passthrough", &both);
    passed.sort();
    let wanted = [
        "[x.test] passed on > outbound|80||x.a.svc.cluster.local",
        "[z.test] passed on > outbound|80||z.a.svc.cluster.local",
    ];
    assert_eq!(passed, wanted);
    // A TCPRoute that is older comes first, one that is younger after it.
    let tcp = |minute: u32| route("TCPRoute", "t", minute, "rules: [{backendRefs: [{name: x, port: 80}]}]");
    let z_alone = tls("z", 5, "z.test");
    for (minute, winner) in [(1, "x"), (9, "z")] {
        let found = run_edge("Terminate", &(tcp(minute) + &z_alone));
        assert_eq!(found, [format!("[*.test] terminated > outbound|80||{winner}.a.svc.cluster.local")]);
    }
}

#[test]
fn t_376_an_ingress_listener_that_asks_for_capture_has_no_socket() {
    let sidecar = |mode: &str| {
        let ingress = format!(
            "ingress: [{{port: {{number: 9080, protocol: HTTP, name: http}}, defaultEndpoint: '127.0.0.1:80'{mode}}}]"
        );
        PROXY_POD.to_owned()
            + &istio("Sidecar", "a", "s", 1, &format!("workloadSelector: {{labels: {{app: p}}}}, {ingress}"))
    };
    let inbound = |mode: &str, interception: &str| {
        let client: Proxy = serde_json::from_value(serde_json::json!({
            "type": "sidecar", "namespace": "a", "name": "p", "labels": {"app": "p"}, "ip": "10.1.2.3",
            "metadata": {"INTERCEPTION_MODE": interception},
        }))
        .unwrap();
        let config = run(&sidecar(mode), &client).0;
        let own = config.listeners.iter().filter(|it| it.direction == Direction::Inbound);
        own.map(|it| it.name.to_string()).collect::<Vec<_>>()
    };
    let (captured, own) = ("virtualInbound", "10.1.2.3_9080");
    for (mode, with_capture, without) in [
        ("", &[captured][..], &[own][..]),
        (", captureMode: IPTABLES", &[captured], &[]),
        (", captureMode: NONE", &[captured, own], &[own]),
    ] {
        assert_eq!(inbound(mode, "REDIRECT"), with_capture, "{mode}");
        assert_eq!(inbound(mode, "NONE"), without, "{mode}");
    }
}

/// A headless service with a Pod on the node of [`near`] and one on another; `far` speaks mutual TLS or not.
fn headless(policy: &str, far: &str) -> String {
    let mut yaml = format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: h, namespace: a}}\n\
         spec: {{clusterIP: None, selector: {{app: h}}, ports: [{{name: tcp, port: 80}}]{policy}}}\n\
         ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: h, namespace: a, labels: {{kubernetes.io/service-name: h}}}}\naddressType: IPv4\n\
         ports: [{{name: tcp, port: 80}}]\nendpoints:\n"
    );
    for (number, node) in [(1, "near"), (2, "far")] {
        yaml += &format!(
            "- {{addresses: [10.2.0.{number}], nodeName: {node}, targetRef: {{kind: Pod, name: h{number}, namespace: a}}}}\n"
        );
    }
    for (number, node, mode) in [(1, "near", "istio"), (2, "far", far)] {
        yaml += &format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: h{number}, namespace: a, labels: {{app: h, security.istio.io/tlsMode: {mode}}}}}\n\
             spec: {{nodeName: {node}}}\nstatus: {{podIP: 10.2.0.{number}}}\n"
        );
    }
    yaml
}

fn near() -> Proxy {
    serde_json::from_value(serde_json::json!({
        "type": "sidecar", "namespace": "a", "name": "p", "ip": "10.1.2.3", "metadata": {"NODE_NAME": "near"},
    }))
    .unwrap()
}

#[test]
fn t_307_a_headless_service_has_listeners_for_pods_that_are_not_local_too() {
    let listeners = |policy: &str| {
        let config = run(&headless(policy, "istio"), &near()).0;
        let names = config.listeners.iter().map(|listener| listener.name.to_string());
        names.filter(|name| name.starts_with("10.2.")).collect::<Vec<_>>()
    };
    let both = ["10.2.0.1_80", "10.2.0.2_80"];
    assert_eq!(listeners(""), both);
    assert_eq!(listeners(", internalTrafficPolicy: Local"), both);
}

#[test]
fn t_285_pods_that_are_not_local_decide_too_whether_a_headless_service_is_dialled_with_mutual_tls() {
    let tls = |policy: &str, far: &str| {
        let config = run(&headless(policy, far), &near()).0;
        let cluster = config.clusters.get("outbound|80||h.a.svc.cluster.local").unwrap();
        !matches!(cluster.tls, UpstreamTls::Plaintext)
    };
    for policy in ["", ", internalTrafficPolicy: Local"] {
        assert!(tls(policy, "istio"), "{policy}");
        assert!(!tls(policy, "disabled"), "{policy}");
    }
}

#[test]
fn t_427_a_server_whose_hosts_are_served_already_asks_for_no_clusters_by_name() {
    let gateway = |name: &str, minute: u32, port: u16, mode: &str| {
        istio(
            "Gateway",
            "infra",
            name,
            minute,
            &format!(
                "selector: {{gateway.networking.k8s.io/gateway-name: edge}}, servers: [{{hosts: ['*.local'], \
                 port: {{number: {port}, name: {name}, protocol: TLS}}, tls: {{mode: {mode}}}}}]"
            ),
        )
    };
    let by_name = |second: &str| {
        let yaml = service("a", "x") + &gateway("first", 1, 15443, "PASSTHROUGH") + second;
        let config = run(&yaml, &edge_proxy()).0;
        config.clusters.values().any(|cluster| cluster.name.starts_with("outbound_."))
    };
    assert!(!by_name(&gateway("second", 2, 15443, "AUTO_PASSTHROUGH")));
    assert!(by_name(&gateway("second", 2, 15444, "AUTO_PASSTHROUGH")));
}

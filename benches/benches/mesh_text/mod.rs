//! The `mesh text` workload: resources of a mesh as block YAML and as JSON, a pure function of their number.
//!
//! 20 % Service, 30 % VirtualService with five routes, 20 % DestinationRule, 10 % AuthorizationPolicy, 10 %
//! ServiceEntry, 10 % Gateway or PeerAuthentication; about 1.4 KB and 69 lines each.

/// The resources as separate YAML texts.
pub fn documents(count: usize) -> Vec<String> {
    (0..count).map(document).collect()
}

/// One YAML stream.
pub fn stream(documents: &[String]) -> String {
    documents.join("---\n")
}

/// A JSON `List` of the same resources, compact.
pub fn json_list(documents: &[String]) -> String {
    let items: Vec<String> = documents.iter().map(|text| as_json(text)).collect();
    format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{}]}}", items.join(","))
}

fn as_json(text: &str) -> String {
    // Our own YAML reads; a slip of ours would show as `null` where it is used.
    serde_yaml::from_str::<serde_json::Value>(text).unwrap_or_default().to_string()
}

/// One of the resources.
pub fn document(number: usize) -> String {
    let name = format!("svc-{number}");
    let namespace = format!("team-{}", number % 100);
    let host = format!("{name}.{namespace}.svc.cluster.local");
    match number % 10 {
        0 | 1 => service(&name, &namespace, number),
        2..=4 => virtual_service(&name, &namespace, &host, number),
        5 | 6 => destination_rule(&name, &namespace, &host, number),
        7 => authorization_policy(&name, &namespace, number),
        8 => service_entry(&name, &namespace, number),
        _ if number.is_multiple_of(20) || number % 20 == 9 => gateway(&name, &namespace, number),
        _ => peer_authentication(&name, &namespace, number),
    }
}

fn head(api_version: &str, kind: &str, name: &str, namespace: &str, number: usize) -> String {
    format!(
        "apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n    app: {name}\n\
         \x20   team: {namespace}\n    app.kubernetes.io/part-of: shop-{}\n  annotations:\n    example.com/owner: \"group {} of the shop\"\n\
         \x20   example.com/ticket: OPS-{number}\n  creationTimestamp: \"2026-01-{:02}T10:{:02}:00Z\"\n  resourceVersion: \"{}\"\nspec:\n",
        number % 7,
        number % 31,
        number % 28 + 1,
        number % 60,
        number + 1000,
    )
}

fn service(name: &str, namespace: &str, number: usize) -> String {
    let mut text = head("v1", "Service", name, namespace, number);
    text.push_str(&format!(
        "  type: ClusterIP\n  clusterIP: 10.{}.{}.{}\n",
        number / 62_500,
        number / 250 % 250,
        number % 250 + 1
    ));
    text.push_str(&format!("  selector:\n    app: {name}\n    version: v{}\n  ports:\n", number % 3));
    for (index, port) in
        ["http", "grpc", "tcp", "http-admin", "http-metrics", "https", "http-extra", "grpc-extra"]
            .iter()
            .enumerate()
    {
        text.push_str(&format!(
            "  - name: {port}\n    port: {}\n    targetPort: {}\n    protocol: TCP\n    appProtocol: {}\n",
            8000 + index,
            9000 + index,
            if port.starts_with("grpc") { "grpc" } else { "http" }
        ));
    }
    text.push_str("  sessionAffinity: None\n  internalTrafficPolicy: Cluster\n");
    text
}

fn virtual_service(name: &str, namespace: &str, host: &str, number: usize) -> String {
    let mut text = head("networking.istio.io/v1", "VirtualService", name, namespace, number);
    text.push_str(&format!("  hosts:\n  - {host}\n  exportTo:\n  - \"*\"\n  http:\n"));
    for route in 0..5 {
        text.push_str(&format!("  - name: route-{route}\n"));
        match route {
            0 => text.push_str(&format!("    match:\n    - uri:\n        exact: /api/v{}/items-{number}\n", number % 5)),
            1 => text.push_str(&format!(
                "    match:\n    - uri:\n        prefix: /api/v{}/orders\n      headers:\n        x-canary:\n          exact: \"true\"\n",
                number % 5
            )),
            2 => text.push_str(&format!("    match:\n    - uri:\n        prefix: /api/v{}/orders\n", number % 5)),
            3 => text.push_str("    match:\n    - uri:\n        regex: /files/[0-9]+/[a-z]+\n"),
            _ => {}
        }
        text.push_str(&format!(
            "    route:\n    - destination:\n        host: {host}\n        subset: v1\n        port:\n          number: 8000\n      weight: {}\n",
            if route == 4 { 90 } else { 100 }
        ));
        if route == 4 {
            text.push_str(&format!(
                "    - destination:\n        host: {host}\n        subset: v2\n      weight: 10\n"
            ));
        }
        text.push_str("    timeout: 5s\n    retries:\n      attempts: 3\n      perTryTimeout: 1s\n      retryOn: 5xx,reset\n");
    }
    text
}

fn destination_rule(name: &str, namespace: &str, host: &str, number: usize) -> String {
    let mut text = head("networking.istio.io/v1", "DestinationRule", name, namespace, number);
    text.push_str(&format!(
        "  host: {host}\n  trafficPolicy:\n    connectionPool:\n      tcp:\n        maxConnections: 100\n        connectTimeout: 30ms\n\
         \x20     http:\n        http1MaxPendingRequests: 64\n        http2MaxRequests: 1000\n        maxRequestsPerConnection: 10\n\
         \x20   outlierDetection:\n      consecutive5xxErrors: 7\n      interval: 5m\n      baseEjectionTime: 15m\n      maxEjectionPercent: 50\n\
         \x20   loadBalancer:\n      simple: LEAST_REQUEST\n    tls:\n      mode: ISTIO_MUTUAL\n  subsets:\n"
    ));
    for subset in ["v1", "v2", "v3", "canary"] {
        text.push_str(&format!(
            "  - name: {subset}\n    labels:\n      app: {name}\n      version: {subset}\n    trafficPolicy:\n      loadBalancer:\n        simple: ROUND_ROBIN\n\
             \x20     connectionPool:\n        http:\n          http2MaxRequests: {}\n",
            number % 900 + 1
        ));
    }
    text
}

fn authorization_policy(name: &str, namespace: &str, number: usize) -> String {
    let mut text = head("security.istio.io/v1", "AuthorizationPolicy", name, namespace, number);
    text.push_str(&format!("  selector:\n    matchLabels:\n      app: {name}\n  action: ALLOW\n  rules:\n"));
    for rule in 0..4 {
        text.push_str(&format!(
            "  - from:\n    - source:\n        principals:\n        - cluster.local/ns/{namespace}/sa/client-{rule}\n        - cluster.local/ns/shared/sa/job-{}\n\
             \x20   to:\n    - operation:\n        methods:\n        - GET\n        - POST\n        paths:\n        - /api/v{}/items\n        - /api/v{}/orders*\n",
            number % 17,
            number % 5,
            number % 5
        ));
    }
    text
}

fn service_entry(name: &str, namespace: &str, number: usize) -> String {
    let mut text = head("networking.istio.io/v1", "ServiceEntry", name, namespace, number);
    text.push_str(&format!(
        "  hosts:\n  - ext-{number}.example.com\n  location: MESH_EXTERNAL\n  resolution: STATIC\n  ports:\n  - number: 443\n    name: https\n    protocol: HTTPS\n\
         \x20 - number: 80\n    name: http\n    protocol: HTTP\n  endpoints:\n"
    ));
    for endpoint in 0..6 {
        text.push_str(&format!(
            "  - address: 192.0.2.{endpoint}\n    labels:\n      app: {name}\n      version: v{endpoint}\n    locality: region-1/zone-{endpoint}\n    weight: 10\n"
        ));
    }
    text
}

fn gateway(name: &str, namespace: &str, number: usize) -> String {
    let mut text = head("networking.istio.io/v1", "Gateway", name, namespace, number);
    text.push_str("  selector:\n    istio: ingressgateway\n  servers:\n");
    for server in 0..5 {
        text.push_str(&format!(
            "  - port:\n      number: {}\n      name: https-{server}\n      protocol: HTTPS\n    hosts:\n    - app-{number}-{server}.example.com\n\
             \x20   tls:\n      mode: SIMPLE\n      credentialName: cert-{number}-{server}\n",
            8443 + server
        ));
    }
    text
}

fn peer_authentication(name: &str, namespace: &str, number: usize) -> String {
    let mut text = head("security.istio.io/v1", "PeerAuthentication", name, namespace, number);
    text.push_str(&format!(
        "  selector:\n    matchLabels:\n      app: {name}\n  mtls:\n    mode: STRICT\n  portLevelMtls:\n"
    ));
    for port in 0..20 {
        text.push_str(&format!("    {}:\n      mode: PERMISSIVE\n", 8000 + port));
    }
    text
}

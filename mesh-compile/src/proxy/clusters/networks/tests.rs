//! Several clusters and networks in, endpoints out. Numbers are those that Istio's split-horizon rules give.

use std::sync::Arc;

use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::diagnostic::{Code, Report, Severity, Stage};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};
use serde_json::{Value, json};

use crate::proxy::cluster::Cluster;
use crate::proxy_identity::Proxy;
use crate::snapshot::MeshSnapshot;
use crate::view::View;

const DB: &str = "outbound|80||db.a.svc.cluster.local";

/// A mesh of several clusters.
#[derive(Default)]
struct Mesh {
    /// Cluster and documents.
    documents: Vec<(&'static str, String)>,
    networks: Value,
    settings: Value,
}

impl Mesh {
    /// Adds a cluster in a network, with a service `db` and its pods.
    fn cluster(mut self, cluster: &'static str, network: &str, pods: &[&str]) -> Self {
        self.documents.push((
            cluster,
            format!(
                "apiVersion: v1
kind: Namespace
metadata: {{name: istio-system, labels: {{topology.istio.io/network: {network:?}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: db, namespace: a}}
spec: {{clusterIP: 10.255.0.1, selector: {{app: db}}, ports: [{{name: http, port: 80}}]}}
"
            ),
        ));
        for (index, ip) in pods.iter().enumerate() {
            self.documents
                .push((cluster, pod(&format!("db-{index}"), ip, "security.istio.io/tlsMode: istio")));
        }
        self
    }

    /// Adds documents of a cluster.
    fn with(mut self, cluster: &'static str, yaml: impl Into<String>) -> Self {
        self.documents.push((cluster, yaml.into()));
        self
    }

    /// Adds a service that leads into a network from outside.
    fn gateway(self, cluster: &'static str, network: &str, ingress: &str) -> Self {
        self.with(cluster, eastwest(&format!("topology.istio.io/network: {network}"), "", ingress))
    }

    fn resolve(&self) -> (MeshSnapshot, Report) {
        let mut config = ConfigSet::new();
        for (cluster, yaml) in &self.documents {
            let loaded = load("mesh.yaml", yaml, &LoadOptions::default().with_cluster(*cluster));
            assert!(!loaded.report.has_errors(), "{:?}", loaded.report);
            let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
            let applied = config.apply_with(loaded.documents.into_iter().map(Change::Upsert), options);
            // Fixtures are as small as they can be: what Istio's webhook would add does not matter here.
            let is_unread = |code: Code| code.stage() == Stage::Read && code.severity() == Severity::Error;
            assert!(!applied.report.iter().any(|finding| is_unread(finding.code)), "{:?}", applied.report);
        }
        if !self.networks.is_null() {
            let networks = json!({ "networks": self.networks });
            config.mesh_networks = Arc::new(serde_json::from_value(networks).unwrap());
        }
        let settings = if self.settings.is_null() { json!({}) } else { self.settings.clone() };
        let mesh = MeshConfig::with_defaults().overlay(serde_json::from_value(settings).unwrap());
        MeshSnapshot::resolve(&config, Arc::new(mesh))
    }

    /// A cluster of a proxy; `fields` over a sidecar of namespace `a`.
    fn built(&self, fields: &Value, name: &str) -> Arc<Cluster> {
        let (snapshot, _) = self.resolve();
        let mut proxy = json!({"type": "sidecar", "namespace": "a", "ip": "10.0.0.9"});
        for (key, value) in fields.as_object().unwrap() {
            proxy[key] = value.clone();
        }
        let proxy: Proxy = serde_json::from_value(proxy).unwrap();
        let (built, _) = crate::proxy::clusters::compile(&View::new(&snapshot, &proxy));
        let found = built.iter().find(|(cluster, _)| &***cluster == name);
        Arc::clone(found.unwrap().1)
    }

    /// `address weight` of the endpoints that a proxy of a cluster and network has for `db`, sorted.
    fn seen_from(&self, cluster: &str, network: &str) -> Vec<String> {
        endpoints(&self.built(&of(cluster, network), DB))
    }
}

fn of(cluster: &str, network: &str) -> Value {
    json!({"cluster_id": cluster, "metadata": {"NETWORK": network}})
}

fn endpoints(cluster: &Cluster) -> Vec<String> {
    let line = |it: &crate::proxy::cluster::ClusterEndpoint| format!("{} {}", it.address, it.weight);
    let mut lines: Vec<_> = cluster.endpoints.iter().map(line).collect();
    lines.sort();
    lines
}

/// A pod of `db` with its slice.
fn pod(name: &str, ip: &str, labels: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: a, labels: {{app: db, {labels}}}}}
spec: {{serviceAccountName: db}}
status: {{podIP: {ip:?}, phase: Running, conditions: [{{type: Ready, status: 'True'}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: slice-{name}, namespace: a, labels: {{kubernetes.io/service-name: db}}}}
addressType: IPv4
ports: [{{name: http, port: 8080}}]
endpoints: [{{addresses: [{ip:?}], targetRef: {{kind: Pod, namespace: a, name: {name}}}}}]
"
    )
}

/// A service for traffic from other networks. `ingress` are the addresses of its load balancer.
fn eastwest(labels: &str, ports: &str, ingress: &str) -> String {
    let ports = if ports.is_empty() { "{name: tls, port: 15443}" } else { ports };
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: eastwest, namespace: istio-system, labels: {{{labels}}}}}
spec: {{type: LoadBalancer, clusterIP: 10.255.0.2, ports: [{ports}]}}
status: {{loadBalancer: {{ingress: [{ingress}]}}}}
"
    )
}

/// Two networks with gateways, one of them of two clusters, and one network without.
fn four_clusters() -> Mesh {
    Mesh::default()
        .cluster("east", "n1", &["10.1.0.1", "10.1.0.2"])
        .gateway("east", "n1", "{ip: 192.0.2.1}")
        .cluster("west-1", "n2", &["10.2.0.1"])
        .gateway("west-1", "n2", "{ip: 198.51.100.1}")
        .cluster("west-2", "n2", &["10.2.0.2", "10.2.0.3"])
        .gateway("west-2", "n2", "{ip: 198.51.100.20}, {ip: 198.51.100.21}")
        .cluster("far", "n4", &["10.4.0.1"])
}

#[test]
fn endpoints_of_other_networks_are_behind_the_gateways_of_their_clusters() {
    let mesh = four_clusters();
    // Weights are scaled by 6: 1 gateway, 3 of a network, 2 of a cluster.
    let of_west = ["198.51.100.1:15443 6", "198.51.100.20:15443 6", "198.51.100.21:15443 6"];
    let mut from_east = vec!["10.1.0.1:8080 6", "10.1.0.2:8080 6", "10.4.0.1:8080 6"];
    from_east.extend(of_west);
    assert_eq!(mesh.seen_from("east", "n1"), from_east);
    let from_west =
        ["10.2.0.1:8080 6", "10.2.0.2:8080 6", "10.2.0.3:8080 6", "10.4.0.1:8080 6", "192.0.2.1:15443 12"];
    assert_eq!(mesh.seen_from("west-1", "n2"), from_west);
    assert_eq!(mesh.seen_from("west-2", "n2"), from_west);
    let mut from_elsewhere = vec!["10.4.0.1:8080 6", "192.0.2.1:15443 12"];
    from_elsewhere.extend(of_west);
    assert_eq!(mesh.seen_from("other", "n3"), from_elsewhere);
    assert_eq!(mesh.seen_from("east", ""), from_elsewhere, "a proxy that does not know its network");
    let cluster = mesh.built(&of("west-1", "n2"), DB);
    let weights: Vec<u32> = cluster.localities.iter().map(|(_, _, weight)| *weight).collect();
    assert_eq!(weights, [36], "the weight of a locality is that of what is left");
    assert!(cluster.endpoints.iter().all(|endpoint| endpoint.mtls && endpoint.healthy));
}

#[test]
fn without_gateways_networks_do_not_matter() {
    let mesh = Mesh::default().cluster("east", "n1", &["10.1.0.1"]).cluster("west", "n2", &["10.2.0.1"]);
    assert_eq!(mesh.seen_from("east", "n1"), ["10.1.0.1:8080 1", "10.2.0.1:8080 1"]);
}

#[test]
fn a_gateway_of_another_cluster_is_used_where_its_own_cluster_has_none() {
    let mesh = Mesh::default()
        .cluster("east", "n1", &[])
        .cluster("west-1", "n2", &["10.2.0.1"])
        .cluster("west-2", "n2", &[])
        .gateway("west-2", "n2", "{ip: 198.51.100.1}");
    assert_eq!(mesh.seen_from("east", "n1"), ["198.51.100.1:15443 1"]);
}

#[test]
fn endpoints_without_mesh_mtls_cannot_be_reached_through_gateways() {
    let mesh = || {
        Mesh::default().cluster("east", "n1", &[]).cluster("west", "n2", &["10.2.0.1"]).gateway(
            "west",
            "n2",
            "{ip: 198.51.100.1}",
        )
    };
    let plain = mesh().with("west", pod("plain", "10.2.0.9", "tier: old"));
    assert_eq!(plain.seen_from("east", "n1"), ["198.51.100.1:15443 1"]);
    assert_eq!(plain.seen_from("west", "n2"), ["10.2.0.1:8080 1", "10.2.0.9:8080 1"]);
    let policy = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
                  metadata: {name: plain, namespace: a}\nspec: {mtls: {mode: DISABLE}}\n";
    assert!(mesh().with("east", policy).seen_from("east", "n1").is_empty());
    let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: plain, namespace: a}\n\
                spec: {host: db, trafficPolicy: {tls: {mode: DISABLE}}}\n";
    assert!(mesh().with("east", rule).seen_from("east", "n1").is_empty());
}

#[test]
fn gateways_of_the_other_address_family_are_no_way_and_neither_is_the_endpoint() {
    let mesh = |ingress: &str| {
        Mesh::default()
            .cluster("east", "n1", &["10.1.0.1"])
            .cluster("west", "n2", &["10.2.0.1"])
            .gateway("west", "n2", ingress)
    };
    assert_eq!(mesh("{ip: '2001:db8::1'}").seen_from("east", "n1"), ["10.1.0.1:8080 1"]);
    let both = mesh("{ip: '2001:db8::1'}, {ip: 198.51.100.1}");
    assert_eq!(both.seen_from("east", "n1"), ["10.1.0.1:8080 2", "198.51.100.1:15443 2"]);
    let mut unknown = of("east", "n1");
    unknown["ip"] = Value::Null;
    let found = endpoints(&both.built(&unknown, DB));
    assert_eq!(found, ["10.1.0.1:8080 2", "198.51.100.1:15443 1", "[2001:db8::1]:15443 1"]);
}

#[test]
fn the_name_of_a_load_balancer_is_not_looked_up() {
    let mesh =
        Mesh::default().cluster("west", "n2", &["10.2.0.1"]).gateway("west", "n2", "{hostname: lb.test}");
    assert_eq!(mesh.seen_from("east", "n1"), ["10.2.0.1:8080 1"]);
    let (_, report) = mesh.resolve();
    let told = |text: &str| report.iter().any(|finding| finding.message.contains(text));
    assert!(told("`lb.test`, the gateway of network `n2`"), "{report:?}");
}

#[test]
fn labels_of_a_service_say_which_port_leads_in() {
    let from_east = |labels: &str, ports: &str| {
        let labels = format!("topology.istio.io/network: n2, {labels}");
        Mesh::default()
            .cluster("west", "n2", &["10.2.0.1"])
            .with("west", eastwest(&labels, ports, "{ip: 198.51.100.1}"))
            .seen_from("east", "n1")
    };
    let port = "networking.istio.io/gatewayPort: '443'";
    assert_eq!(from_east(port, "{name: tls, port: 443}"), ["198.51.100.1:443 1"]);
    assert_eq!(from_east(port, "{name: tls, port: 15443}"), ["10.2.0.1:8080 1"], "it has no such port");
    let nonsense = "networking.istio.io/gatewayPort: nonsense";
    assert_eq!(from_east(nonsense, "{name: tls, port: 15443}"), ["198.51.100.1:15443 1"]);
    let tunnel = from_east("tier: edge", "{name: hbone, port: 15008}");
    assert_eq!(tunnel, ["10.2.0.1:8080 1"], "sidecars have no use for a port for tunnels");
}

#[test]
fn nodes_are_the_way_to_a_service_on_node_ports() {
    let node = |name: &str, labels: &str, address: &str| {
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n\
             status: {{addresses: [{{type: InternalIP, address: 10.9.0.1}}, {{type: ExternalIP, address: {address}}}]}}\n"
        )
    };
    let service = "apiVersion: v1
kind: Service
metadata:
  name: eastwest
  namespace: istio-system
  labels: {topology.istio.io/network: n2}
  annotations: {traffic.istio.io/nodeSelector: '{\"edge\": \"yes\"}'}
spec: {type: NodePort, clusterIP: 10.255.0.2, ports: [{name: tls, port: 15443, nodePort: 31443}]}
";
    let mesh = Mesh::default()
        .cluster("west", "n2", &["10.2.0.1"])
        .with("west", service)
        .with("west", node("one", "edge: 'yes'", "198.51.100.1"))
        .with("west", node("two", "edge: 'no'", "198.51.100.2"))
        .with("east", node("three", "edge: 'yes'", "198.51.100.3"));
    assert_eq!(mesh.seen_from("east", "n1"), ["198.51.100.1:31443 1"]);
}

#[test]
fn mesh_networks_say_who_is_where_and_how_to_get_there() {
    let mesh = |networks: Value| Mesh {
        networks,
        ..Mesh::default()
            .cluster("east", "", &["10.1.0.1"])
            .cluster("west", "", &["10.2.0.1"])
            .with("west", eastwest("tier: edge", "", "{ip: 198.51.100.1}"))
    };
    let by_address = mesh(json!({"n2": {
        "endpoints": [{"fromRegistry": "west"}], "gateways": [{"address": "203.0.113.9", "port": 443}]
    }}));
    assert_eq!(by_address.seen_from("east", "n1"), ["10.1.0.1:8080 1", "203.0.113.9:443 1"]);
    let by_service = mesh(json!({"n2": {
        "endpoints": [{"fromRegistry": "west"}],
        "gateways": [{"registryServiceName": "eastwest.istio-system.svc.cluster.local", "port": 15443}]
    }}));
    assert_eq!(by_service.seen_from("east", "n1"), ["10.1.0.1:8080 1", "198.51.100.1:15443 1"]);
    let by_block = mesh(json!({"n2": {
        "endpoints": [{"fromCidr": "10.2.0.0/16"}], "gateways": [{"address": "203.0.113.9", "port": 443}]
    }}));
    assert_eq!(by_block.seen_from("east", "n1"), ["10.1.0.1:8080 1", "203.0.113.9:443 1"]);
    let not_registered = mesh(json!({"n2": {
        "endpoints": [{"fromCidr": "10.2.0.0/16"}],
        "gateways": [{"registryServiceName": "eastwest.istio-system.svc.cluster.local", "port": 15443}]
    }}));
    let direct = ["10.1.0.1:8080 1", "10.2.0.1:8080 1"];
    assert_eq!(
        not_registered.seen_from("east", "n1"),
        direct,
        "a service counts in clusters of its network only"
    );
}

#[test]
fn labels_of_pods_and_namespaces_count_before_mesh_networks() {
    let networks = json!({"n3": {
        "endpoints": [{"fromRegistry": "west"}], "gateways": [{"address": "203.0.113.9", "port": 443}]
    }});
    let labels = "security.istio.io/tlsMode: istio, topology.istio.io/network: n1";
    let mesh = Mesh { networks, ..Mesh::default().cluster("west", "n2", &["10.2.0.1"]) }
        .with("west", pod("own", "10.2.0.7", labels));
    assert_eq!(
        mesh.seen_from("east", "n3"),
        ["10.2.0.1:8080 1", "10.2.0.7:8080 1"],
        "no gateways to n1 and n2"
    );
}

#[test]
fn a_workload_without_an_address_is_reached_through_the_gateway_of_its_network() {
    let entry = "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vm, namespace: a}
spec:
  hosts: [vm.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{network: n2, serviceAccount: vm, weight: 3}, {address: 10.3.0.1, serviceAccount: vm}]
";
    let mesh = Mesh::default().with("east", entry).gateway("west", "n2", "{ip: 198.51.100.1}");
    let seen = |network| endpoints(&mesh.built(&of("east", network), "outbound|80||vm.test"));
    assert_eq!(seen("n1"), ["10.3.0.1:80 1", "198.51.100.1:15443 3"]);
    assert_eq!(seen("n2"), ["10.3.0.1:80 1"], "inside the network nobody knows where it is");
}

#[test]
fn a_proxy_may_ask_for_some_networks_only() {
    let mesh = four_clusters();
    let mut proxy = of("west-1", "n2");
    proxy["metadata"]["REQUESTED_NETWORK_VIEW"] = json!("n2");
    let found = endpoints(&mesh.built(&proxy, DB));
    assert_eq!(found, ["10.2.0.1:8080 6", "10.2.0.2:8080 6", "10.2.0.3:8080 6"]);
}

#[test]
fn a_gateway_by_server_names_sends_to_its_own_network_and_on_to_others() {
    let gateway = "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: cross-network, namespace: istio-system}
spec:
  selector: {istio: eastwest}
  servers:
  - {port: {number: 15443, name: tls, protocol: TLS}, hosts: ['*.local'], tls: {mode: AUTO_PASSTHROUGH}}
";
    let mesh = four_clusters().with("east", gateway).with("east", pod("plain", "10.1.0.9", "tier: old"));
    let mut proxy = of("east", "n1");
    proxy["type"] = json!("gateway");
    proxy["namespace"] = json!("istio-system");
    proxy["labels"] = json!({"istio": "eastwest"});
    let name = "outbound_.80_._.db.a.svc.cluster.local";
    let found = endpoints(&mesh.built(&proxy, name));
    let own = ["10.1.0.1:8080 6", "10.1.0.2:8080 6"];
    let others =
        ["10.4.0.1:8080 6", "198.51.100.1:15443 6", "198.51.100.20:15443 6", "198.51.100.21:15443 6"];
    assert_eq!(found, [&own[..], &others[..]].concat());
    proxy["metadata"]["REQUESTED_NETWORK_VIEW"] = json!("n1");
    assert_eq!(endpoints(&mesh.built(&proxy, name)), own);
}

#[test]
fn a_labelled_gateway_of_the_gateway_api_leads_in() {
    let gateway = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eastwest, namespace: istio-system, labels: {topology.istio.io/network: n2}}
spec:
  gatewayClassName: istio-remote
  addresses: [{type: IPAddress, value: 198.51.100.1}, {value: 198.51.100.2}]
  listeners:
  - {name: tls, port: 15443, protocol: TLS, tls: {mode: Passthrough}}
  - {name: other, port: 443, protocol: TLS, tls: {mode: Passthrough}}
  - {name: http, port: 80, protocol: HTTP}
";
    let mesh = Mesh::default().cluster("west", "n2", &["10.2.0.1"]).with("west", gateway);
    assert_eq!(
        mesh.seen_from("east", "n1"),
        ["198.51.100.1:15443 1"],
        "an address without a type does not count"
    );
}

#[test]
fn endpoints_of_the_own_network_come_first_where_near_ones_do() {
    let near = "apiVersion: v1
kind: Service
metadata: {name: db, namespace: a, annotations: {networking.istio.io/traffic-distribution: PreferClose}}
spec: {clusterIP: 10.255.0.1, selector: {app: db}, ports: [{name: http, port: 80}]}
";
    let mesh = four_clusters().with("east", near);
    let cluster = mesh.built(&of("far", "n4"), DB);
    let mut found: Vec<_> =
        cluster.endpoints.iter().map(|it| (it.priority, it.address.to_string())).collect();
    found.sort();
    let gateways = ["192.0.2.1", "198.51.100.1", "198.51.100.20", "198.51.100.21"];
    let mut wanted = vec![(0, "10.4.0.1:8080".to_owned())];
    wanted.extend(gateways.map(|address| (1, format!("{address}:15443"))));
    assert_eq!(found, wanted);
}

#[test]
fn cluster_local_hosts_have_the_endpoints_of_their_own_cluster() {
    let settings = json!({"serviceSettings": [
        {"settings": {"clusterLocal": true}, "hosts": ["db.a.svc.cluster.local"]}
    ]});
    let mesh = Mesh { settings, ..four_clusters() };
    assert_eq!(mesh.seen_from("west-1", "n2"), ["10.2.0.1:8080 6"]);
}

#[test]
fn very_many_gateways_overflow_nothing() {
    let primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31];
    let mut mesh = Mesh::default().cluster("east", "n1", &["10.1.0.1"]).cluster("west", "n29", &["10.2.0.1"]);
    let mut networks = serde_json::Map::new();
    for prime in primes {
        let gateways: Vec<_> =
            (0..prime).map(|host| json!({"address": format!("198.51.{prime}.{host}"), "port": 1})).collect();
        networks.insert(format!("n{prime}"), json!({ "gateways": gateways }));
    }
    mesh.networks = Value::Object(networks);
    let found = mesh.seen_from("east", "n1");
    assert_eq!(found.len(), 30);
    let cluster = mesh.built(&of("east", "n1"), DB);
    assert_eq!(cluster.localities.iter().map(|(_, _, weight)| *weight).collect::<Vec<_>>(), [u32::MAX]);
}

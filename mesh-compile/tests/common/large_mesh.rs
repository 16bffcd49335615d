//! A mesh of N hosts, N VirtualServices, N/2 DestinationRules and N times E endpoints, and changes of single objects.
//!
//! Of ten hosts four are Services with one HTTP port; one each has a TCP port beside it, a port whose protocol is not
//! said, no cluster IP, and no cluster IP with a TCP port; two are ServiceEntries, one of them with a VIP. All ages differ.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    reason = "each program uses a part; a test fails by panicking"
)]

use std::fmt::Write;

use mesh_compile::proxy_identity::Proxy;
use mesh_model::config_set::Change;
use mesh_model::object::ResourceKey;
use mesh_model::yaml::{LoadOptions, load};

/// Namespaces that the hosts are spread over.
const NAMESPACES: usize = 50;
/// Kinds of hosts.
pub const FLAVOURS: usize = 10;

#[derive(Debug, Clone, Copy)]
pub struct LargeMesh {
    pub hosts: usize,
    pub endpoints: usize,
}

fn namespace(index: usize) -> String {
    format!("ns-{}", index * 7 % NAMESPACES)
}

fn is_entry(index: usize) -> bool {
    index % FLAVOURS >= 8
}

pub fn host(index: usize) -> String {
    let namespace = namespace(index);
    if is_entry(index) {
        format!("svc-{index}.{namespace}.example")
    } else {
        format!("svc-{index}.{namespace}.svc.cluster.local")
    }
}

fn head(group: &str, kind: &str, index: usize, labels: &str) -> String {
    let age = index * 7919 % 86_000;
    let (hour, minute, second) = (age / 3_600, age / 60 % 60, age % 60);
    format!(
        "---\napiVersion: {group}\nkind: {kind}\nmetadata: {{name: svc-{index}, namespace: {}{labels}, creationTimestamp: \
         \"2024-01-01T{hour:02}:{minute:02}:{second:02}Z\"}}\n",
        namespace(index)
    )
}

/// What kind of host it is, in words.
pub fn flavour(index: usize) -> &'static str {
    match index % FLAVOURS {
        0..=3 => "HTTP",
        4 => "HTTP and TCP",
        5 => "protocol not said",
        6 => "headless",
        7 => "headless TCP",
        8 => "ServiceEntry",
        _ => "ServiceEntry with VIP",
    }
}

impl LargeMesh {
    /// All of it, one text for each kind.
    pub fn texts(self) -> Vec<String> {
        let mut texts = vec![String::new(); 4];
        for index in 0..self.hosts {
            for (text, part) in texts.iter_mut().zip([
                self.service(index, 0),
                self.slice(index, 0),
                self.virtual_service(index, 0),
                if index % 2 == 0 { self.destination_rule(index, 0) } else { String::new() },
            ]) {
                text.push_str(&part);
            }
        }
        texts
    }

    fn address(self, index: usize, endpoint: usize, edit: usize) -> String {
        let number = index * self.endpoints + endpoint;
        format!("10.{}.{}.{}", 128 + number / 65_536 + 40 * (edit % 2), number / 256 % 256, number % 256)
    }

    /// The Service or ServiceEntry; an edit changes a port's number and nothing else where it is odd.
    pub fn service(self, index: usize, edit: usize) -> String {
        let vip = format!("{}.{}", index / 250, index % 250 + 1);
        let odd = if edit % 2 == 1 { 1_000 } else { 0 };
        if is_entry(index) {
            let mut endpoints = String::new();
            for endpoint in 0..self.endpoints {
                let _ = write!(
                    endpoints,
                    "{{address: {}, labels: {{version: v{}}}}}, ",
                    self.address(index, endpoint, 0),
                    endpoint % 2 + 1
                );
            }
            let addresses =
                if index % FLAVOURS == 9 { format!("addresses: [240.1.{vip}], ") } else { String::new() };
            return head("networking.istio.io/v1", "ServiceEntry", index, "")
                + &format!(
                    "spec: {{hosts: [{}], {addresses}ports: [{{number: {}, name: http, protocol: HTTP}}], location: \
                     MESH_INTERNAL, resolution: STATIC, endpoints: [{endpoints}]}}\n",
                    host(index),
                    80 + odd
                );
        }
        let ports = match index % FLAVOURS {
            4 => format!("{{name: http, port: {}}}, {{name: tcp, port: 9000}}", 80 + odd),
            5 => format!("{{name: any, port: {}}}", 8_080 + odd),
            7 => format!("{{name: tcp, port: {}}}", 9_100 + odd),
            _ => format!("{{name: http, port: {}}}", 80 + odd),
        };
        let address = if matches!(index % FLAVOURS, 6 | 7) { "None".into() } else { format!("10.96.{vip}") };
        head("v1", "Service", index, "")
            + &format!("spec: {{clusterIP: {address}, selector: {{app: svc-{index}}}, ports: [{ports}]}}\n")
    }

    /// The EndpointSlice of a Service; nothing for a ServiceEntry.
    pub fn slice(self, index: usize, edit: usize) -> String {
        if is_entry(index) {
            return String::new();
        }
        let mut endpoints = String::new();
        for endpoint in 0..self.endpoints {
            let edit = if endpoint == 0 { edit } else { 0 };
            let _ = write!(endpoints, "{{addresses: [{}]}}, ", self.address(index, endpoint, edit));
        }
        let ports = match index % FLAVOURS {
            4 => "{name: http, port: 8080}, {name: tcp, port: 9000}",
            5 => "{name: any, port: 8080}",
            7 => "{name: tcp, port: 9100}",
            _ => "{name: http, port: 8080}",
        };
        let labels = format!(", labels: {{kubernetes.io/service-name: svc-{index}}}");
        head("discovery.k8s.io/v1", "EndpointSlice", index, &labels)
            + &format!("addressType: IPv4\nendpoints: [{endpoints}]\nports: [{ports}]\n")
    }

    /// The VirtualService of a host: three routes; `edit` changes a path.
    pub fn virtual_service(self, index: usize, edit: usize) -> String {
        let (host, other) = (host(index), host((index + 1) % self.hosts));
        head("networking.istio.io/v1", "VirtualService", index, "")
            + &format!(
                "spec:\n  hosts: [{host}]\n  http:\n  - match: [{{uri: {{exact: /items/{edit}}}}}]\n    route: [{{destination: \
                 {{host: {host}, subset: v1}}}}]\n  - match: [{{uri: {{prefix: /api}}, headers: {{x-canary: {{exact: on-1}}}}}}]\n    \
                 route: [{{destination: {{host: {other}}}}}]\n  - route: [{{destination: {{host: {host}}}}}]\n"
            )
    }

    /// A DestinationRule of a host: two subsets; `edit` changes a limit.
    pub fn destination_rule(self, index: usize, edit: usize) -> String {
        head("networking.istio.io/v1", "DestinationRule", index, "")
            + &format!(
                "spec: {{host: {}, trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {}}}}}, outlierDetection: \
                 {{consecutive5xxErrors: 5}}}}, subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: \
                 {{version: v2}}}}]}}\n",
                host(index),
                edit + 100
            )
    }

    /// Each change of a single object that there is, by its name: two that follow each other come back to where they began, but
    /// for those called `changes`.
    pub fn changes(self, index: usize, turn: usize) -> Vec<(&'static str, Vec<Change>)> {
        let edit = turn + 1;
        let service_kind = if is_entry(index) { "ServiceEntry" } else { "Service" };
        let mut changes = vec![
            ("VirtualService changes", read(&self.virtual_service(index, edit))),
            ("VirtualService goes", vec![removal("VirtualService", index)]),
            ("VirtualService comes", read(&self.virtual_service(index, edit))),
            ("DestinationRule changes", read(&self.destination_rule(index, edit))),
            ("DestinationRule goes", vec![removal("DestinationRule", index)]),
            ("DestinationRule comes", read(&self.destination_rule(index, edit))),
            (if is_entry(index) { "ServiceEntry changes port" } else { "Service changes port" }, {
                read(&self.service(index, 1))
            }),
            (if is_entry(index) { "ServiceEntry changes back" } else { "Service changes back" }, {
                read(&self.service(index, 0))
            }),
            (if is_entry(index) { "ServiceEntry goes" } else { "Service goes" }, {
                vec![removal(service_kind, index)]
            }),
            (if is_entry(index) { "ServiceEntry comes" } else { "Service comes" }, {
                read(&self.service(index, 0))
            }),
        ];
        if !is_entry(index) {
            changes.push(("EndpointSlice changes", read(&self.slice(index, edit))));
            changes.push(("EndpointSlice goes", vec![removal("EndpointSlice", index)]));
            changes.push(("EndpointSlice comes", read(&self.slice(index, edit))));
        }
        changes
    }
}

pub fn read(text: &str) -> Vec<Change> {
    let loaded = load("mesh.yaml", text, &LoadOptions::default());
    assert!(!loaded.report.has_errors(), "{:?}", loaded.report.iter().next());
    loaded.documents.into_iter().map(Change::Upsert).collect()
}

fn removal(kind: &'static str, index: usize) -> Change {
    let group = match kind {
        "Service" => "",
        "EndpointSlice" => "discovery.k8s.io",
        _ => "networking.istio.io",
    };
    Change::Remove(ResourceKey {
        group,
        kind,
        cluster: "Kubernetes".into(),
        namespace: namespace(index).into(),
        name: format!("svc-{index}").into(),
    })
}

pub fn client() -> Proxy {
    serde_json::from_value(serde_json::json!({
        "type": "sidecar", "namespace": "ns-0", "name": "client", "labels": {"app": "client"}, "ip": "10.200.0.1",
    }))
    .expect("a proxy")
}

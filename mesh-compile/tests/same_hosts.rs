//! Services that want one host or one address: who has it is told by age, kind and namespace, never by the order in which
//! they come, and nobody takes what is not exported to him.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use mesh_compile::analyze::{Input, Options, analyze};
use mesh_compile::compiler::compile;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::Network;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::diagnostic::Code;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};
use proptest::prelude::*;

mod common;

use common::*;

fn entry(namespace: &str, name: &str, minute: u32, spec: &str) -> String {
    istio("ServiceEntry", namespace, name, minute, spec)
}

/// Where the bytes that come to an address and port go; `nobody`: there is no listener.
fn bytes_to(config: &ProxyConfig, address: &str, port: u16) -> String {
    let mut found = config.listeners.iter().filter(|it| it.port == port && it.address.to_string() == address);
    let Some(listener) = found.next() else { return "nobody".into() };
    assert!(found.next().is_none(), "two listeners at {address}:{port}");
    let clusters: Vec<String> = listener
        .filter_chains
        .iter()
        .chain(&listener.default_chain)
        .filter_map(|chain| match &chain.network {
            Network::Tcp(proxy) => {
                Some(proxy.destinations.iter().map(|it| it.cluster.to_string()).collect::<Vec<_>>().join("+"))
            }
            Network::Http(_) => None,
        })
        .collect();
    clusters.join(" ")
}

#[test]
fn k05_of_two_services_at_one_address_the_older_has_it_and_the_other_is_told() {
    let tcp = |namespace: &str, name: &str, minute: u32, more: &str| {
        entry(
            namespace,
            name,
            minute,
            &format!(
                "hosts: [{name}.ext], addresses: [240.0.0.9], ports: [{{number: 90, name: tcp, protocol: TCP}}], \
                 resolution: STATIC, endpoints: [{{address: 10.9.0.{minute}}}]{more}"
            ),
        )
    };
    let http = |namespace: &str, name: &str, minute: u32| {
        tcp(namespace, name, minute, "")
            .replace("number: 90, name: tcp, protocol: TCP", "number: 80, name: http, protocol: HTTP")
    };
    // Bytes tell nothing but their address: the older one gets all of them, in whatever namespace the client is.
    let yaml = tcp("a", "young", 2, "") + &tcp("b", "old", 1, "");
    for namespace in ["a", "b", "c"] {
        let (config, report) = run(&yaml, &proxy("sidecar", namespace));
        assert_eq!(bytes_to(&config, "240.0.0.9", 90), "outbound|90||old.ext", "for {namespace}");
        assert!(has(&report, Code::ListenerConflict, "young"), "{report:?}");
        // The other's cluster is there for routes that name it.
        assert!(config.clusters.contains_key("outbound|90||young.ext"));
    }
    // One that is not exported takes it from nobody but its own namespace's clients.
    let yaml = tcp("a", "young", 2, "") + &tcp("b", "old", 1, ", exportTo: ['.']");
    for (namespace, expected) in [("a", "young"), ("b", "old"), ("c", "young")] {
        let (config, _) = run(&yaml, &proxy("sidecar", namespace));
        assert_eq!(
            bytes_to(&config, "240.0.0.9", 90),
            format!("outbound|90||{expected}.ext"),
            "for {namespace}"
        );
    }
    // HTTP is told apart by its host; who asks for the address itself is the older one's.
    let (config, _) = run(&(http("a", "young", 2) + &http("b", "old", 1)), &proxy("sidecar", "a"));
    for (host, expected) in [("young.ext", "young"), ("old.ext", "old"), ("240.0.0.9", "old")] {
        assert_eq!(answer(&config, "80", host, "/"), format!("outbound|80||{expected}.ext"), "{host}");
    }
}

#[test]
fn k05_a_wildcard_never_takes_what_an_exact_host_has() {
    let of = |namespace: &str, name: &str, minute: u32, host: &str, port: &str| {
        entry(
            namespace,
            name,
            minute,
            &format!("hosts: ['{host}'], ports: [{{{port}}}], resolution: NONE, location: MESH_EXTERNAL"),
        )
    };
    for (http, tls) in [("*.ext", "*.ext"), ("*.db.ext", "*.ext")] {
        // Older, and of the client's own namespace: it is the wider one all the same.
        let yaml = of("a", "wide", 1, http, "number: 80, name: http, protocol: HTTP")
            + &of("b", "exact", 2, "one.db.ext", "number: 80, name: http, protocol: HTTP")
            + &of("a", "wide-tls", 1, tls, "number: 443, name: tls, protocol: TLS")
            + &of("b", "exact-tls", 2, "one.db.ext", "number: 443, name: tls, protocol: TLS");
        let (config, _) = run(&yaml, &proxy("sidecar", "a"));
        assert_eq!(answer(&config, "80", "one.db.ext", "/"), "outbound|80||one.db.ext");
        assert_eq!(answer(&config, "80", "two.db.ext", "/"), format!("outbound|80||{http}"));
        let listener = config.listeners.iter().find(|it| it.port == 443).unwrap();
        let chain = |name: &str| {
            let has = |chain: &&mesh_compile::proxy::listener::FilterChain| {
                chain.matches.server_names.iter().any(|it| &**it == name)
            };
            let chain =
                listener.filter_chains.iter().find(has).unwrap_or_else(|| panic!("no chain for {name}"));
            let Network::Tcp(proxy) = &chain.network else { panic!("not TCP") };
            proxy.destinations.iter().next().unwrap().cluster.to_string()
        };
        assert_eq!(chain("one.db.ext"), "outbound|443||one.db.ext");
        assert_eq!(chain(tls), format!("outbound|443||{tls}"));
    }
    // Of the same wildcard the client's own namespace's counts, elsewhere the older one.
    let yaml = of("a", "w", 2, "*.ext", "number: 80, name: http, protocol: HTTP")
        + &of("b", "w", 1, "*.ext", "number: 81, name: http, protocol: HTTP");
    for (namespace, expected) in [("a", [true, false]), ("b", [false, true]), ("c", [false, true])] {
        let (config, _) = run(&yaml, &proxy("sidecar", namespace));
        let found = ["outbound|80||*.ext", "outbound|81||*.ext"].map(|it| config.clusters.contains_key(it));
        assert_eq!(found, expected, "for {namespace}");
    }
}

fn endpoints(config: &ProxyConfig, cluster: &str) -> Vec<String> {
    let cluster = config.clusters.get(cluster).unwrap_or_else(|| panic!("no cluster {cluster}"));
    let mut found: Vec<_> =
        cluster.endpoints.iter().map(|it| it.address.trim_end_matches(":80").to_owned()).collect();
    found.sort();
    found
}

/// A Service, young, with a Pod of its own behind it.
fn kubernetes_service() -> String {
    service("a", "web").replace("namespace: a}", "namespace: a, creationTimestamp: \"2024-01-01T00:09:00Z\"}")
        + "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web, namespace: a, labels: \
           {kubernetes.io/service-name: web}}\naddressType: IPv4\nendpoints: [{addresses: [10.1.0.1]}]\n\
           ports: [{name: http, port: 80}]\n"
}

const WEB: &str = "outbound|80||web.a.svc.cluster.local";

#[test]
fn k05_a_kubernetes_service_keeps_its_host_from_older_service_entries() {
    let squatter = |namespace: &str, more: &str| {
        entry(
            namespace,
            "squatter",
            1,
            &format!(
                "hosts: [web.a.svc.cluster.local], ports: [{{number: 80, name: http, protocol: HTTP}}], \
                 resolution: STATIC, endpoints: [{{address: 10.6.6.6}}]{more}"
            ),
        )
    };
    let endpoints_for = |squatter: &str, namespace: &str| {
        let (config, _) = run(&(kubernetes_service() + squatter), &proxy("sidecar", namespace));
        assert_eq!(answer(&config, "80", "web.a.svc.cluster.local", "/"), WEB);
        endpoints(&config, WEB)
    };
    // Of another namespace it is another service: the Service of Kubernetes goes before it but for the squatter's own
    // clients. Checked against Istio's pilot/pkg/model/sidecar.go (selectServices) and push_context.go
    // (initServiceRegistry).
    let foreign = squatter("evil", "");
    for (namespace, expected) in [("a", "10.1.0.1"), ("c", "10.1.0.1"), ("evil", "10.6.6.6")] {
        assert_eq!(endpoints_for(&foreign, namespace), [expected], "for {namespace}");
    }
    let hidden = squatter("evil", ", exportTo: ['.']");
    for (namespace, expected) in [("a", "10.1.0.1"), ("c", "10.1.0.1"), ("evil", "10.6.6.6")] {
        assert_eq!(endpoints_for(&hidden, namespace), [expected], "for {namespace}");
    }
    // Of the Service's own namespace it adds its endpoints to it (T-343, T-547).
    for namespace in ["a", "c"] {
        assert_eq!(endpoints_for(&squatter("a", ""), namespace), ["10.1.0.1", "10.6.6.6"], "for {namespace}");
    }
    // A gateway has no Sidecar scope, and the same precedence (T-344).
    let (config, _) = run(&(kubernetes_service() + &foreign), &proxy("gateway", "c"));
    assert_eq!(endpoints(&config, WEB), ["10.1.0.1"]);
}

#[test]
fn k05_of_entries_with_other_resolutions_and_ports_one_namespaces_counts_whole() {
    let of = |namespace: &str, minute: u32, resolution: &str, port: u32| {
        let endpoint = if resolution == "STATIC" {
            format!(", endpoints: [{{address: 10.9.0.{minute}}}]")
        } else {
            String::new()
        };
        entry(
            namespace,
            &format!("e{minute}"),
            minute,
            &format!(
                "hosts: [db.ext], ports: [{{number: {port}, name: http-{port}, protocol: HTTP}}], resolution: {resolution}{endpoint}"
            ),
        )
    };
    let clusters = |yaml: &str, namespace: &str| -> Vec<String> {
        let (config, _) = run(yaml, &proxy("sidecar", namespace));
        let names = config.clusters.values().filter(|it| it.name.contains("db.ext"));
        names.map(|it| format!("{} {:?}", it.name, it.discovery)).collect()
    };
    let (old, young) = (of("b", 1, "STATIC", 80), of("a", 2, "DNS", 81));
    let [of_old, of_young] = [&old, &young].map(|alone| clusters(alone, "c"));
    assert!(of_old.len() == 1 && of_young.len() == 1 && of_old != of_young, "{of_old:?} {of_young:?}");
    // Nothing of the other one is mixed in: neither its ports nor how its addresses are found.
    let both = young.clone() + &old;
    assert_eq!(clusters(&both, "a"), of_young);
    assert_eq!(clusters(&both, "b"), of_old);
    assert_eq!(clusters(&both, "c"), of_old);
    // In one namespace the older defines the service (T-343).
    let both = of("b", 2, "DNS", 81) + &old;
    for namespace in ["b", "c"] {
        assert_eq!(clusters(&both, namespace), of_old, "for {namespace}");
    }
}

#[test]
fn k05_the_hijack_of_a_host_of_another_namespace_is_told() {
    let told = |namespace: &str, export: &str| {
        let spec = format!("hosts: [web.a.svc.cluster.local]{export}, http: [{{{}}}]", respond(200));
        let mut config = ConfigSet::new();
        config.apply(documents(&(service("a", "web") + &istio("VirtualService", namespace, "v", 1, &spec))));
        let mesh = MeshConfig::with_defaults();
        let analysis = analyze(&Input::new(&config, &mesh), &Options::default());
        has(&analysis.report, Code::ForeignHost, "v")
    };
    assert!(told("evil", "") && told("evil", ", exportTo: ['*']") && told("evil", ", exportTo: [a]"));
    assert!(!told("a", "") && !told("evil", ", exportTo: ['.']"));
}

/// What wants the few hosts and addresses that there are.
fn claimant() -> impl Strategy<Value = (u8, u8, u8, u8, u8)> {
    (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>())
}

fn document(number: usize, (kind, place, host, shape, more): (u8, u8, u8, u8, u8)) -> String {
    let namespace = ["a", "b", "c"][usize::from(place) % 3];
    let minute = u32::from(place / 3 % 3);
    if kind % 5 == 0 {
        let name = ["web", "api"][usize::from(host) % 2];
        let address = ["10.0.0.1", "240.0.0.1", "None"][usize::from(shape) % 3];
        return format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}, creationTimestamp: \
             \"2024-01-01T00:0{minute}:00Z\"}}\nspec: {{clusterIP: {address}, ports: [{{name: http, port: 80}}]}}\n"
        );
    }
    if kind % 5 == 1 {
        let host = ["db.ext", "'*.ext'", "web.a.svc.cluster.local", "api"][usize::from(host) % 4];
        let export = ["", ", exportTo: ['.']", ", exportTo: [a]"][usize::from(more) % 3];
        let status = 200 + number % 50;
        let spec = format!("hosts: [{host}]{export}, http: [{{directResponse: {{status: {status}}}}}]");
        return istio("VirtualService", namespace, &format!("v{number}"), minute, &spec);
    }
    let host =
        ["db.ext", "*.ext", "web.a.svc.cluster.local", "api.b.svc.cluster.local"][usize::from(host) % 4];
    let port = [
        "number: 80, name: http, protocol: HTTP",
        "number: 90, name: tcp, protocol: TCP",
        "number: 443, name: tls, protocol: TLS",
    ][usize::from(shape) % 3];
    let resolution = match shape / 3 % 3 {
        1 if !host.starts_with('*') => "DNS".to_owned(),
        2 if !host.starts_with('*') => {
            format!("STATIC, endpoints: [{{address: 10.9.0.{}}}]", number % 200 + 1)
        }
        _ => "NONE".to_owned(),
    };
    let addresses =
        ["", ", addresses: [240.0.0.1]", ", addresses: [240.0.0.2, 240.0.0.1]"][usize::from(more) % 3];
    let export = ["", ", exportTo: ['.']", ", exportTo: ['*']", ", exportTo: [a]"][usize::from(more / 3) % 4];
    let spec = format!("hosts: ['{host}']{export}{addresses}, ports: [{{{port}}}], resolution: {resolution}");
    entry(namespace, &format!("e{number}"), minute, &spec)
}

/// Everything that proxies of four namespaces run, in words.
fn decided(documents: &[String]) -> String {
    let mut config = ConfigSet::new();
    for text in documents {
        let name = text.lines().nth(3).unwrap_or_default();
        let loaded = load(name, text, &LoadOptions::default());
        config.apply(loaded.documents.into_iter().map(Change::Upsert));
    }
    let (snapshot, _) = MeshSnapshot::resolve(&config, Arc::new(MeshConfig::with_defaults()));
    let mut text = String::new();
    for (kind, namespace) in [("sidecar", "a"), ("sidecar", "b"), ("sidecar", "d"), ("gateway", "c")] {
        let proxy = proxy(kind, namespace);
        let (config, _) = compile(&View::new(&snapshot, &proxy));
        text += &said(&config);
    }
    text
}

proptest! {
    #![proptest_config(match std::env::var("PROPTEST_CASES") {
        Ok(_) => ProptestConfig::default(),
        Err(_) => ProptestConfig::with_cases(96),
    })]

    #[test]
    fn k05_who_has_a_host_does_not_depend_on_the_order_in_which_they_come(
        (written, shuffled) in proptest::collection::vec(claimant(), 2..10).prop_flat_map(|claimants| {
            // One Service of a name and namespace: which version of one object counts is told by the order.
            let mut heads = std::collections::BTreeSet::new();
            let documents: Vec<String> = claimants
                .into_iter()
                .enumerate()
                .map(|(number, claimant)| document(number, claimant))
                .filter(|text| {
                    let name = text.split(", creationTimestamp").next().unwrap_or_default();
                    heads.insert(name.to_owned())
                })
                .collect();
            (Just(documents.clone()), Just(documents).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(decided(&written), decided(&shuffled));
    }
}

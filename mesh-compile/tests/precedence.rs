//! Who wins where several objects say something of one thing, and what stands where something is missing: rows K of
//! the fault matrix that are about precedence and isolation, and C01.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mesh_authz::peer::Mode;
use mesh_authz::peer::PeerModes;
use mesh_authz::request_authn::Authenticated;
use mesh_compile::analyze::{Input, Options, analyze};
use mesh_compile::compiler::Compiler;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::Network;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::Code;
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::StringMap;

mod common;

use common::*;

fn config_set(yaml: &str) -> ConfigSet {
    let mut config = ConfigSet::new();
    config.apply(documents(yaml));
    config
}

/// What analysis says is not used: object and field.
fn not_used(yaml: &str) -> Vec<String> {
    let config = config_set(yaml);
    let analysis = analyze(&Input::new(&config, &MeshConfig::with_defaults()), &Options::default());
    let ignored =
        analysis.report.iter().filter(|found| found.code == Code::PolicyIgnored && found.at.line > 0);
    let mut found: Vec<_> =
        ignored.map(|found| format!("{} {}", found.at.resource.name, found.at.field)).collect();
    found.sort();
    found
}

fn rule(namespace: &str, name: &str, minute: u32, rest: &str) -> String {
    istio("DestinationRule", namespace, name, minute, &format!("host: web.a.svc.cluster.local, {rest}"))
}

fn connections(config: &ProxyConfig) -> Option<u32> {
    config.clusters.get("outbound|80||web.a.svc.cluster.local").unwrap().limits.max_connections
}

fn limit(connections: u32) -> String {
    format!("trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {connections}}}}}}}")
}

#[test]
fn k02_destination_rules_of_the_client_go_before_the_services_and_these_before_the_root_namespaces() {
    let rules = [
        rule("b", "client", 9, &limit(1)),
        rule("a", "service", 5, &limit(2)),
        rule("istio-system", "root", 1, &limit(3)),
    ];
    for (gone, wanted) in [(0, 1), (1, 2), (2, 3)] {
        let yaml = service("a", "web") + &rules[gone..].concat();
        assert_eq!(connections(&run(&yaml, &proxy("sidecar", "b")).0), Some(wanted), "T-220");
    }
    // Rules of different places are never combined, and a client elsewhere does not see the one of `b`.
    let yaml = service("a", "web") + &rules.concat();
    assert_eq!(connections(&run(&yaml, &proxy("sidecar", "c")).0), Some(2));
}

#[test]
fn k02_rules_of_one_namespace_merge_the_older_first_and_what_is_dropped_is_told() {
    let subsets =
        |labels: &str, more: &str| format!("subsets: [{{name: one, labels: {{v: {labels}}}}}{more}]");
    let old = rule("a", "old", 1, &format!("{}, {}", limit(1), subsets("old", "")));
    let young = rule(
        "a",
        "young",
        2,
        &format!("{}, {}", limit(2), subsets("young", ", {name: two, labels: {v: two}}")),
    );
    let slice = "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, namespace: a, labels: {kubernetes.io/service-name: web}}\n\
        addressType: IPv4\nports: [{name: http, port: 80}]\n\
        endpoints: [{addresses: [10.2.0.1], targetRef: {kind: Pod, name: web-old, namespace: a}}, {addresses: [10.2.0.2], targetRef: {kind: Pod, name: web-young, namespace: a}}]\n";
    let pod = |version: &str, ip: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: web-{version}, namespace: a, labels: {{app: web, v: {version}}}}}\nstatus: {{podIP: {ip}}}\n"
        )
    };
    let world = service("a", "web") + slice + &pod("old", "10.2.0.1") + &pod("young", "10.2.0.2");
    for order in [[&old, &young], [&young, &old]] {
        let yaml = format!("{world}{}{}", order[0], order[1]);
        let (config, _) = run(&yaml, &proxy("sidecar", "b"));
        assert_eq!(connections(&config), Some(1));
        let one = &config.clusters.get("outbound|80|one|web.a.svc.cluster.local").unwrap().endpoints;
        let addresses: Vec<_> = one.iter().map(|endpoint| &*endpoint.address).collect();
        assert_eq!(addresses, ["10.2.0.1:80"], "the older definition of a subset counts");
        assert!(config.clusters.contains_key("outbound|80|two|web.a.svc.cluster.local"));
        assert_eq!(not_used(&yaml), ["young spec.subsets[0].name", "young spec.trafficPolicy"]);
    }
}

fn peer(namespace: &str, name: &str, minute: u32, spec: &str) -> String {
    istio("PeerAuthentication", namespace, name, minute, spec).replace("networking.", "security.")
}

fn modes(yaml: &str) -> PeerModes {
    let config = config_set(yaml);
    let labels = StringMap::from([("app", "web")]);
    let policies: Vec<_> = config.peer_authentications.iter().collect();
    PeerModes::resolve(policies.iter().map(|policy| &***policy), "istio-system", "a", &labels)
}

#[test]
fn k03_peer_authentication_goes_port_workload_namespace_mesh() {
    let mesh = peer("istio-system", "mesh", 1, "mtls: {mode: STRICT}");
    let namespace = peer("a", "all", 1, "mtls: {mode: DISABLE}");
    let workload = peer(
        "a",
        "web",
        1,
        "selector: {matchLabels: {app: web}}, mtls: {mode: PERMISSIVE}, portLevelMtls: {81: {mode: STRICT}, 82: {mode: UNSET}}",
    );
    let all = modes(&(mesh.clone() + &namespace + &workload));
    assert_eq!(
        (*all.for_port(80).value(), *all.for_port(81).value(), *all.for_port(82).value()),
        (Mode::Permissive, Mode::Strict, Mode::Permissive)
    );
    assert_eq!(*modes(&(mesh.clone() + &namespace)).for_port(81).value(), Mode::Disable);
    assert_eq!(*modes(&mesh).for_port(80).value(), Mode::Strict);
    assert_eq!(*modes("---\n{}").for_port(80).value(), Mode::Permissive);
    // UNSET inherits, at every level; a port's UNSET takes what the workload came to.
    let unset = peer(
        "a",
        "web",
        1,
        "selector: {matchLabels: {app: web}}, mtls: {mode: UNSET}, portLevelMtls: {82: {mode: UNSET}}",
    );
    let inherited = modes(&(mesh.clone() + &peer("a", "all", 1, "mtls: {mode: UNSET}") + &unset));
    assert_eq!(
        (*inherited.for_port(80).value(), *inherited.for_port(82).value()),
        (Mode::Strict, Mode::Strict)
    );
    // A selector in the root namespace selects nothing (S-004).
    let root =
        peer("istio-system", "selecting", 1, "selector: {matchLabels: {app: web}}, mtls: {mode: DISABLE}");
    assert_eq!(*modes(&(mesh + &root)).for_port(80).value(), Mode::Strict);
    assert_eq!(not_used(&root), ["selecting spec.selector"]);
}

#[test]
fn k03_of_two_of_one_level_the_older_counts_whole_and_the_other_is_told() {
    let selecting = |name: &str, minute: u32, rest: &str| {
        peer("a", name, minute, &format!("selector: {{matchLabels: {{app: web}}}}, {rest}"))
    };
    let young = selecting("young", 2, "mtls: {mode: DISABLE}, portLevelMtls: {81: {mode: DISABLE}}");
    let old = selecting("old", 1, "mtls: {mode: STRICT}");
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-0, namespace: a, labels: {app: web}}\nstatus: {podIP: 10.2.0.1}\n";
    for yaml in [young.clone() + &old + pod, old.clone() + &young + pod] {
        let found = modes(&yaml);
        // Not even the port of the younger one counts (S-007).
        assert_eq!((*found.for_port(80).value(), *found.for_port(81).value()), (Mode::Strict, Mode::Strict));
        assert_eq!(not_used(&yaml), ["young spec.selector"]);
    }
    let two = peer("a", "young", 2, "mtls: {mode: DISABLE}") + &peer("a", "old", 1, "mtls: {mode: STRICT}");
    assert_eq!(*modes(&two).for_port(80).value(), Mode::Strict);
    assert_eq!(not_used(&two), ["young "]);
}

#[test]
fn k10_clusters_without_usable_endpoints_are_there_and_empty_and_duplicates_are_one() {
    let slice = "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-NAME, namespace: a, labels: {kubernetes.io/service-name: web}}\n\
        addressType: IPv4\nports: [{name: http, port: PORT}]\nendpoints: [{addresses: [10.2.0.1]}, {addresses: [10.2.0.1]}]\n";
    let yaml = service("a", "web")
        + &slice.replace("NAME", "one").replace("PORT", "80")
        + &slice.replace("NAME", "two").replace("PORT", "80")
        + &rule(
            "a",
            "r",
            1,
            "trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}, loadBalancer: {localityLbSetting: {enabled: true}}}, subsets: [{name: none, labels: {v: none}}]",
        )
        + &istio(
            "ServiceEntry",
            "a",
            "e",
            1,
            "hosts: [e.ext], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], endpoints: [{address: 10.3.0.1, weight: 0}, {address: 10.3.0.2, weight: 0}]",
        )
        + &istio(
            "VirtualService",
            "a",
            "v",
            1,
            "hosts: [web], http: [{route: [{destination: {host: web, subset: none}}]}]",
        );
    let (config, _) = run(&yaml, &proxy("sidecar", "a"));
    let endpoints = |name: &str| {
        let cluster = config.clusters.get(name).unwrap_or_else(|| panic!("no {name}"));
        cluster.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(endpoints("outbound|80||web.a.svc.cluster.local"), ["10.2.0.1:80"]);
    assert_eq!(endpoints("outbound|80|none|web.a.svc.cluster.local"), [""; 0]);
    // The request goes to the empty cluster, never to another subset.
    assert_eq!(answer(&config, "80", "web", "/"), "outbound|80|none|web.a.svc.cluster.local");
    // A weight of zero is no weight: both are used alike.
    assert_eq!(endpoints("outbound|80||e.ext").len(), 2);
}

#[test]
fn k11_equal_addresses_and_labels_of_other_namespaces_and_networks_do_not_mix_identities() {
    let pod = |namespace: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: {namespace}, labels: {{app: web, security.istio.io/tlsMode: istio}}}}\n\
            spec: {{serviceAccountName: of-{namespace}}}\nstatus: {{podIP: 10.2.0.1, phase: Running}}\n"
        )
    };
    let slice = |namespace: &str| {
        format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: web-1, namespace: {namespace}, labels: {{kubernetes.io/service-name: web}}}}\n\
            addressType: IPv4\nports: [{{name: http, port: 80}}]\nendpoints: [{{addresses: [10.2.0.1], targetRef: {{kind: Pod, name: p, namespace: {namespace}}}}}]\n"
        )
    };
    // A WorkloadEntry with the labels of the Pods, in another namespace and network, is no endpoint of their services.
    let entry = istio(
        "WorkloadEntry",
        "c",
        "we",
        1,
        "address: 10.2.0.1, network: far, labels: {app: web}, serviceAccount: of-c",
    );
    let yaml = service("a", "web")
        + &service("b", "web")
        + &pod("a")
        + &pod("b")
        + &slice("a")
        + &slice("b")
        + &entry;
    let (config, _) = run(&yaml, &proxy("sidecar", "a"));
    for namespace in ["a", "b"] {
        let cluster =
            config.clusters.get(format!("outbound|80||web.{namespace}.svc.cluster.local").as_str()).unwrap();
        let mesh_compile::proxy::cluster::UpstreamTls::Tls(tls) = &cluster.tls else {
            panic!("no mutual TLS")
        };
        let sans: Vec<_> = tls.sans.iter().map(|san| &**san).collect();
        assert_eq!(
            sans,
            [format!("exact:spiffe://cluster.local/ns/{namespace}/sa/of-{namespace}")],
            "of web.{namespace}"
        );
        assert_eq!(cluster.endpoints.len(), 1);
    }
}

#[test]
fn k12_selectors_that_select_nothing_or_everything_of_many_workloads_are_bounded() {
    const WORKLOADS: u32 = 100_000;
    // A text of its own for every ten thousand: what one text may hold is bounded.
    const AT_ONCE: u32 = 10_000;
    let mut config = ConfigSet::new();
    for batch in 0..WORKLOADS / AT_ONCE {
        let mut yaml = String::new();
        for number in batch * AT_ONCE..(batch + 1) * AT_ONCE {
            let ip = Ipv4Addr::from(0x0a20_0000 + number);
            write!(yaml, "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}, namespace: a, labels: {{app: web, number: \"{number}\"}}}}\nstatus: {{podIP: {ip}}}\n").unwrap();
        }
        config.apply(documents(&yaml));
    }
    assert_eq!(config.pods.iter().count(), WORKLOADS as usize);
    let mut yaml = service("a", "web");
    yaml += &peer("a", "none", 1, "selector: {matchLabels: {app: nobody}}, mtls: {mode: STRICT}");
    yaml += &peer("a", "empty", 1, "selector: {}, mtls: {mode: DISABLE}");
    yaml += &istio(
        "Sidecar",
        "a",
        "none",
        1,
        "workloadSelector: {labels: {app: nobody}}, egress: [{hosts: ['~/*']}]",
    );
    config.apply(documents(&yaml));
    let started = Instant::now();
    let (snapshot, _) = MeshSnapshot::resolve(&config, Arc::new(MeshConfig::with_defaults()));
    let client = proxy("sidecar", "a");
    let compiled = mesh_compile::compiler::compile(&mesh_compile::view::View::new(&snapshot, &client)).0;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    // What selects nobody leaves everything as it was.
    assert!(compiled.clusters.contains_key("outbound|80||web.a.svc.cluster.local"));
    // Many selectors of one text are counted once.
    let all = (0..1_000)
        .map(|number| peer("a", &format!("all{number}"), 2, "selector: {matchLabels: {app: web}}"))
        .collect::<String>();
    config.apply(documents(&all));
    let mesh = MeshConfig::with_defaults();
    let only = Options { only: Some(Default::default()), ..Options::default() };
    let counts = analyze(&Input::new(&config, &mesh), &only).selectors;
    let (of_peers, of_sidecars) = (counts["PeerAuthentication"], counts["Sidecar"]);
    assert_eq!((of_peers.written, of_peers.empty, of_peers.of_nobody), (1_002, 1, 1));
    assert_eq!(of_peers.most, WORKLOADS as usize);
    assert_eq!((of_sidecars.written, of_sidecars.of_nobody, of_sidecars.most), (1, 1, 0));
}

#[test]
fn k13_one_change_of_many_objects_comes_to_what_a_fresh_start_comes_to() {
    const HOSTS: usize = 300;
    let virtual_service = |number: usize, status: u16| {
        istio(
            "VirtualService",
            "a",
            &format!("v{number}"),
            1,
            &format!("hosts: [s{number}], http: [{{{}}}]", respond(status)),
        )
    };
    let mut yaml = String::new();
    for number in 0..HOSTS {
        yaml += &service("a", &format!("s{number}"));
        yaml += &virtual_service(number, 200);
    }
    let client = proxy("sidecar", "a");
    let compiler = || Compiler::new(Arc::new(MeshConfig::with_defaults()));
    let mut changed = compiler();
    changed.apply(documents(&yaml));
    let before = changed.config_for(&client);
    let update = changed.apply(documents(&virtual_service(7, 201)));
    assert_eq!(update.proxies.len(), 1);
    let after = changed.config_for(&client);
    let mut fresh = compiler();
    fresh.apply(documents(&(yaml + &virtual_service(7, 201))));
    let wanted = fresh.config_for(&client);
    assert_eq!(answer(&after, "80", "s7", "/"), "201");
    assert_eq!(format!("{:?}", after.listeners), format!("{:?}", wanted.listeners));
    assert_eq!(after.clusters.keys().collect::<Vec<_>>(), wanted.clusters.keys().collect::<Vec<_>>());
    for number in 0..HOSTS {
        let host = format!("s{number}");
        assert_eq!(answer(&after, "80", &host, "/"), answer(&wanted, "80", &host, "/"));
    }
    // What has not changed is the same, not only equal.
    let other = |config: &ProxyConfig| {
        Arc::clone(config.clusters.get("outbound|80||s8.a.svc.cluster.local").unwrap())
    };
    assert!(Arc::ptr_eq(&other(&before), &other(&after)));
}

#[test]
fn row_51_templates_are_matched_in_linear_time() {
    let template =
        mesh_model::value::PathTemplate::parse(&format!("{}/{{**}}/end", "/{*}".repeat(500))).unwrap();
    let path = "/a".repeat(30_000);
    let started = Instant::now();
    assert!(!template.matches(&path));
    assert!(template.matches(&format!("{path}/end")));
    assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
}

#[test]
fn c01_what_came_too_early_waits_for_the_rest_and_serves_nothing_meanwhile() {
    let client = proxy("sidecar", "a");
    let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
    // A route before its cluster: its requests have nowhere to go, and nobody else's route is theirs.
    compiler.apply(documents(
        &(service("a", "web")
            + &istio(
                "VirtualService",
                "a",
                "v",
                1,
                "hosts: [web], http: [{route: [{destination: {host: late}}]}]",
            )),
    ));
    let late = "outbound|80||late.a.svc.cluster.local";
    let early = answer(&compiler.config_for(&client), "80", "web", "/");
    assert!(early.ends_with("(no cluster)"), "{early}");
    compiler.apply(documents(&service("a", "late")));
    assert_eq!(answer(&compiler.config_for(&client), "80", "web", "/"), late);

    // Token rules before their keys: tokens are refused, they do not pass unread.
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a, labels: {app: p}}\nstatus: {podIP: 10.1.2.3}\n";
    let jwt = istio(
        "RequestAuthentication",
        "a",
        "r",
        1,
        "jwtRules: [{issuer: i, jwksUri: 'https://i.example/keys'}]",
    );
    compiler.apply(documents(&(pod.to_owned() + &jwt.replace("networking.", "security."))));
    let config = compiler.config_for(&client);
    assert!(config.remote_keys().all(|keys| &*keys.issuer == "i") && config.remote_keys().next().is_some());
    let chains = config
        .listeners
        .iter()
        .flat_map(|listener| listener.filter_chains.iter().chain(&listener.default_chain));
    let mut seen = 0;
    for chain in chains {
        let Network::Http(manager) = &chain.network else { continue };
        let Some(authn) = &manager.authn else { continue };
        let mut headers = Headers::default();
        headers.push("authorization", b"Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpIn0.AAAA".to_vec());
        let request = RequestFacts {
            version: HttpVersion::Http11,
            method: "GET".into(),
            scheme: "http".into(),
            authority: "web".into(),
            path: "/".into(),
            headers,
        };
        assert!(!matches!(authn.authenticate(&request, 0, &mut ()), Authenticated::Passed { .. }));
        seen += 1;
    }
    assert!(seen > 0, "no chain asks for tokens");
}

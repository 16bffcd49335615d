//! Objects that contradict each other, name what is not there, or ask for too much: the outcome is Istio's, and nothing
//! else is lost.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

use std::fmt::Write;
use std::sync::Arc;

use mesh_compile::compiler::Compiler;
use mesh_compile::proxy::ProxyConfig;
use mesh_model::config_set::Change;
use mesh_model::diagnostic::Code;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::object::ResourceKey;

mod common;

use common::*;

#[test]
fn k01_of_two_virtual_services_for_a_host_the_older_has_it_on_sidecars_and_gateways_merge() {
    let yaml = service("a", "web")
        + &istio(
            "VirtualService",
            "a",
            "young",
            2,
            &format!("hosts: [web], http: [{{match: [{{uri: {{prefix: /y}}}}], {}}}]", respond(202)),
        )
        + &istio(
            "VirtualService",
            "a",
            "old",
            1,
            &format!("hosts: [web], http: [{{match: [{{uri: {{prefix: /o}}}}], {}}}]", respond(201)),
        );
    let (config, _) = run(&yaml, &proxy("sidecar", "a"));
    assert_eq!(answer(&config, "80", "web", "/o"), "201");
    // The host is the older one's: no fall-back (T-036, T-103).
    assert_eq!(answer(&config, "80", "web", "/y"), "404");

    let gateway = istio(
        "Gateway",
        "a",
        "gw",
        0,
        "selector: {app: p}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]",
    );
    let bound = |name: &str, minute: u32, path: &str, status: u16| {
        istio(
            "VirtualService",
            "a",
            name,
            minute,
            &format!(
                "hosts: [web.io], gateways: [gw], http: [{{match: [{{uri: {{prefix: {path}}}}}], {}}}]",
                respond(status)
            ),
        )
    };
    let yaml = gateway + &bound("young", 2, "/a/b", 202) + &bound("old", 1, "/a", 201);
    let (config, _) = run(&yaml, &proxy("gateway", "a"));
    assert_eq!(answer(&config, "http.80", "web.io", "/a/b"), "201");
}

#[test]
fn k05_a_host_in_two_namespaces_belongs_to_the_clients_own_and_is_not_captured_from_elsewhere() {
    let entry = |namespace: &str, minute: u32, port: u32| {
        istio(
            "ServiceEntry",
            namespace,
            "e",
            minute,
            &format!(
                "hosts: [db.ext], ports: [{{number: {port}, name: http, protocol: HTTP}}], resolution: DNS"
            ),
        )
    };
    let yaml = entry("a", 1, 80) + &entry("b", 2, 81);
    let clusters = |namespace: &str| {
        let (config, _) = run(&yaml, &proxy("sidecar", namespace));
        ["outbound|80||db.ext", "outbound|81||db.ext"].map(|name| config.clusters.contains_key(name))
    };
    assert_eq!(clusters("a"), [true, false]);
    assert_eq!(clusters("b"), [false, true]);
    // Elsewhere the older one counts.
    assert_eq!(clusters("c"), [true, false]);
}

#[test]
fn row_35_a_virtual_service_of_another_namespace_takes_a_host_only_where_it_is_exported() {
    let hijack = |export: &str| {
        service("a", "web")
            + &istio(
                "VirtualService",
                "evil",
                "v",
                1,
                &format!(
                    "hosts: [web.a.svc.cluster.local], exportTo: [{export}], http: [{{{}}}]",
                    respond(200)
                ),
            )
    };
    let of = |export: &str, namespace: &str| {
        let (config, _) = run(&hijack(export), &proxy("sidecar", namespace));
        answer(&config, "80", "web.a.svc.cluster.local", "/")
    };
    let own = "outbound|80||web.a.svc.cluster.local";
    assert_eq!((of("'.'", "a").as_str(), of("'.'", "evil").as_str()), (own, "200"));
    // Exported to all, or to the host's namespace, it is taken: the defence is a Sidecar or a policy on exportTo. Checked
    // against Istio's pilot/pkg/model/push_context.go (initVirtualServices: exportTo alone says who sees it) and
    // pilot/pkg/model/virtualservice.go (SelectVirtualServices: hosts alone say what it is for); neither compares the
    // namespace of the VirtualService with that of the service.
    assert_eq!(of("'*'", "a"), "200");
    assert_eq!((of("a", "a").as_str(), of("a", "b").as_str()), ("200", own));
}

#[test]
fn row_33_a_gateway_takes_no_credential_of_another_namespace() {
    let server = |credential: &str| {
        format!(
            "selector: {{app: p}}, servers: [{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [web.io], tls: {{mode: SIMPLE, credentialName: '{credential}'}}}}]"
        )
    };
    // Checked against Istio's pilot/pkg/xds/sds.go (filterAuthorizedResources) and pilot/pkg/model/gateway.go.
    for (credential, expected) in [
        // Under these names the control plane, and here the proxy, serves Secrets of the proxy's namespace alone.
        ("cert", "kubernetes://cert"),
        ("kubernetes://other/cert", "kubernetes://other/cert"),
        ("kubernetes-gateway://a/cert", "kubernetes-gateway://a/cert"),
        // Under this one it serves what was granted, which a name written by hand never is.
        ("kubernetes-gateway://other/cert", "invalid://kubernetes-gateway://other/cert"),
    ] {
        let yaml = istio("Gateway", "a", "gw", 0, &server(credential));
        let (config, _) = run(&yaml, &proxy("gateway", "a"));
        let tls: Vec<_> = config
            .listeners
            .iter()
            .flat_map(|listener| &listener.filter_chains)
            .filter_map(|chain| chain.tls.as_ref())
            .flat_map(|tls| tls.certificates.clone())
            .collect();
        assert_eq!(tls, [Arc::from(expected)]);
    }
    // A Gateway of another namespace that selects the proxy may not name the Secrets of the proxy's namespace so.
    let yaml = istio("Gateway", "evil", "gw", 0, &server("kubernetes-gateway://a/cert"));
    let (config, _) = run(&yaml, &proxy("gateway", "a"));
    let mut chains = config.listeners.iter().flat_map(|listener| &listener.filter_chains);
    let tls = chains.find_map(|chain| chain.tls.as_ref()).unwrap();
    assert_eq!(tls.certificates, [Arc::from("invalid://kubernetes-gateway://a/cert")]);
}

#[test]
fn row_20_auto_passthrough_reaches_declared_hosts_alone() {
    let yaml = service("a", "web")
        + &service("b", "db")
        + &istio(
            "Gateway",
            "a",
            "gw",
            0,
            "selector: {app: p}, servers: [{port: {number: 15443, name: tls, protocol: TLS}, hosts: ['*.a.svc.cluster.local'], tls: {mode: AUTO_PASSTHROUGH}}]",
        );
    let (config, _) = run(&yaml, &proxy("gateway", "a"));
    let names: Vec<_> = config
        .listeners
        .iter()
        .flat_map(|listener| &listener.filter_chains)
        .flat_map(|chain| chain.matches.server_names.clone())
        .collect();
    assert_eq!(names, [Arc::from("outbound_.80_._.web.a.svc.cluster.local")]);
}

#[test]
fn k06_on_a_port_of_an_older_http_gateway_tls_is_refused_and_the_other_way_round_both_are_served() {
    let gateway = |name: &str, minute: u32, server: &str| {
        istio("Gateway", "a", name, minute, &format!("selector: {{app: p}}, servers: [{server}]"))
    };
    let http = "{port: {number: 8443, name: http, protocol: HTTP}, hosts: ['*']}";
    let tls = "{port: {number: 8443, name: tls, protocol: TLS}, hosts: [web.io], tls: {mode: PASSTHROUGH}}";
    let bytes = istio(
        "VirtualService",
        "a",
        "v",
        1,
        "hosts: [web.io], gateways: [young, old], tls: [{match: [{sniHosts: [web.io]}], route: [{destination: {host: web}}]}]",
    );
    // T-411: the order is the age of the Gateways.
    for (first, second, serves_tls) in [(http, tls, false), (tls, http, true)] {
        let yaml = service("a", "web") + &bytes + &gateway("young", 2, second) + &gateway("old", 1, first);
        let (config, report) = run(&yaml, &proxy("gateway", "a"));
        assert_eq!(config.listeners.len(), 1);
        assert!(config.route_tables.contains_key("http.8443"));
        let chains = config.listeners.iter().flat_map(|listener| &listener.filter_chains);
        let names: Vec<_> = chains.flat_map(|chain| chain.matches.server_names.clone()).collect();
        assert_eq!(names.contains(&Arc::from("web.io")), serves_tls, "{names:?}");
        let told = report.iter().any(|it| it.at.resource.name == "young" && it.at.line > 0);
        assert_eq!(told, !serves_tls, "{report:?}");
    }
}

#[test]
fn k07_what_is_not_there_is_a_503_for_its_own_requests_alone() {
    let yaml = service("a", "web")
        + &istio(
            "VirtualService",
            "a",
            "v",
            1,
            "hosts: [web], http: [\
             {match: [{uri: {prefix: /subset}}], route: [{destination: {host: web, subset: nobody}}]}, \
             {match: [{uri: {prefix: /host}}], route: [{destination: {host: nobody.ext}}]}, \
             {match: [{uri: {prefix: /port}}], route: [{destination: {host: web, port: {number: 99}}}]}, \
             {match: [{uri: {prefix: /delegate}}], delegate: {name: nobody}}, \
             {route: [{destination: {host: web}}]}]",
        );
    let (config, report) = run(&yaml, &proxy("sidecar", "a"));
    let web = "outbound|80||web.a.svc.cluster.local";
    for (path, expected) in [
        ("/subset", "outbound|80|nobody|web.a.svc.cluster.local (no cluster)"),
        ("/host", "outbound|80||nobody.ext (no cluster)"),
        ("/port", "outbound|99||web.a.svc.cluster.local (no cluster)"),
        ("/delegate", web),
        ("/", web),
    ] {
        assert_eq!(answer(&config, "80", "web", path), expected, "{path}");
    }
    assert!(has(&report, Code::DelegateUnknown, "v"), "{report:?}");
}

#[test]
fn k08_delegates_that_name_each_other_come_to_an_end() {
    // A delegate's own delegation is not followed: what is left has neither route nor answer (T-125).
    let yaml = service("a", "web")
        + &istio(
            "VirtualService",
            "a",
            "root",
            1,
            "hosts: [web], http: [{delegate: {name: one}}, {route: [{destination: {host: web}}]}]",
        )
        + &istio(
            "VirtualService",
            "a",
            "one",
            1,
            &format!(
                "http: [{{match: [{{uri: {{prefix: /x}}}}], delegate: {{name: two}}}}, {{match: [{{uri: {{prefix: /y}}}}], {}}}]",
                respond(200)
            ),
        )
        + &istio(
            "VirtualService",
            "a",
            "two",
            1,
            "http: [{match: [{uri: {prefix: /x}}], delegate: {name: one}}]",
        )
        + &istio("VirtualService", "a", "self", 1, "http: [{delegate: {name: self}}]");
    let (config, _) = run(&yaml, &proxy("sidecar", "a"));
    assert_eq!(answer(&config, "80", "web", "/y"), "200");
    assert_eq!(answer(&config, "80", "web", "/z"), "outbound|80||web.a.svc.cluster.local");
}

#[test]
fn k09_weights_that_come_to_nothing_leave_the_route_out() {
    let yaml = service("a", "web")
        + &istio(
            "VirtualService",
            "a",
            "v",
            1,
            "hosts: [web], http: [{match: [{uri: {prefix: /zero}}], route: [{destination: {host: web}, weight: 0}, {destination: {host: web, subset: s}, weight: 0}]}, {directResponse: {status: 204}}]",
        );
    let (config, report) = run(&yaml, &proxy("sidecar", "a"));
    assert_eq!(answer(&config, "80", "web", "/zero"), "204");
    assert!(has(&report, Code::InvalidValue, "v"), "{report:?}");
}

#[test]
fn ten_thousand_hosts_on_one_virtual_service_share_its_routes() {
    let mut hosts = String::new();
    for number in 0..10_000 {
        write!(hosts, "h{number}.ext, ").unwrap();
    }
    let yaml = service("a", "web")
        + &istio(
            "VirtualService",
            "a",
            "v",
            1,
            &format!("hosts: [{hosts}web], http: [{{{}}}]", respond(201)),
        );
    let (config, _) = run(&yaml, &proxy("sidecar", "a"));
    let table = config.route_tables.get("80").unwrap();
    let [first, last] = ["h0.ext", "h9999.ext"].map(|host| table.virtual_host(host).unwrap());
    assert!(first.routes.is_shared_with(&last.routes));
    assert_eq!(answer(&config, "80", "h5000.ext", "/"), "201");
    assert_eq!(answer(&config, "80", "web", "/"), "201");
}

#[test]
fn fifty_thousand_endpoints_are_all_there() {
    let mut yaml = service("a", "web");
    for slice in 0..500 {
        let mut addresses = String::new();
        for number in 0..100 {
            write!(addresses, "{{addresses: [10.{}.{}.{number}]}}, ", 2 + slice / 250, slice % 250).unwrap();
        }
        write!(
            yaml,
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: web-{slice}, namespace: a, \
             labels: {{kubernetes.io/service-name: web}}}}\naddressType: IPv4\nendpoints: [{addresses}]\n\
             ports: [{{name: http, port: 80}}]\n"
        )
        .unwrap();
    }
    let (config, report) = run(&yaml, &proxy("sidecar", "a"));
    assert!(report.is_empty(), "{:?}", report.iter().next());
    assert_eq!(config.clusters.get("outbound|80||web.a.svc.cluster.local").unwrap().endpoints.len(), 50_000);
}

#[test]
fn row_50_a_regex_over_the_limit_costs_its_own_route_alone() {
    let long = "a".repeat(100_000);
    let yaml = service("a", "web")
        + &istio(
            "VirtualService",
            "a",
            "v",
            1,
            &format!(
                "hosts: [web], http: [{{match: [{{uri: {{regex: {long}}}}}, {{uri: {{regex: '(\\\\pL{{900}}){{900}}'}}}}], {}}}, {{{}}}]",
                respond(200),
                respond(204)
            ),
        );
    let (config, report) = run(&yaml, &proxy("sidecar", "a"));
    assert_eq!(answer(&config, "80", "web", "/"), "204");
    assert!(report.iter().any(|it| it.at.resource.name == "v" && it.at.line > 0), "{report:?}");
}

fn compiler() -> Compiler {
    Compiler::new(Arc::new(MeshConfig::with_defaults()))
}

fn key(group: &'static str, kind: &'static str, name: &str) -> ResourceKey {
    ResourceKey { group, kind, cluster: "Kubernetes".into(), namespace: "a".into(), name: name.into() }
}

#[test]
fn c02_a_key_that_flaps_ends_where_it_ends_and_leaves_nothing_behind() {
    let version = |status: u16| {
        istio("VirtualService", "a", "v", 1, &format!("hosts: [web], http: [{{{}}}]", respond(status)))
    };
    let client = proxy("sidecar", "a");
    let mut flapping = compiler();
    flapping.apply(documents(&service("a", "web")));
    flapping.config_for(&client);
    for round in 0..200 {
        flapping.apply(documents(&version(200 + round % 2)));
        if round % 7 == 0 {
            flapping.config_for(&client);
        }
    }
    let config = flapping.config_for(&client);
    assert_eq!(answer(&config, "80", "web", "/"), "201");
    assert_eq!(config.route_tables.get("80").unwrap().virtual_hosts.len(), 2);
}

#[test]
fn c03_taking_everything_away_leaves_what_nothing_leaves() {
    let client = proxy("sidecar", "a");
    let mut fresh = compiler();
    let empty = fresh.config_for(&client);
    let mut compiler = compiler();
    compiler.apply(documents(
        &(service("a", "web")
            + &istio("VirtualService", "a", "v", 1, &format!("hosts: [web], http: [{{{}}}]", respond(200)))),
    ));
    assert_eq!(answer(&compiler.config_for(&client), "80", "web", "/"), "200");
    compiler.apply([
        Change::Remove(key("networking.istio.io", "VirtualService", "v")),
        Change::Remove(key("", "Service", "web")),
    ]);
    let config = compiler.config_for(&client);
    let names = |config: &ProxyConfig| {
        let listeners: Vec<_> = config.listeners.iter().map(|it| it.name.clone()).collect();
        (
            listeners,
            config.route_tables.keys().cloned().collect::<Vec<_>>(),
            config.clusters.keys().cloned().collect::<Vec<_>>(),
        )
    };
    assert_eq!(names(&config), names(&empty));
}

#[test]
fn c04_a_bad_object_keeps_its_last_good_version_and_the_others_go_on() {
    let client = proxy("sidecar", "a");
    let mut compiler = compiler();
    let version = |name: &str, status: &str| {
        istio(
            "VirtualService",
            "a",
            name,
            1,
            &format!("hosts: [{name}], http: [{{directResponse: {{status: {status}}}}}]"),
        )
    };
    compiler.apply(documents(
        &(service("a", "web") + &service("a", "api") + &version("web", "200") + &version("api", "200")),
    ));
    compiler.config_for(&client);
    let update = compiler.apply(documents(&(version("web", "[]") + &version("api", "202"))));
    assert!(update.report.iter().any(|it| it.code == Code::KeptLastGood));
    let config = compiler.config_for(&client);
    assert_eq!(
        (answer(&config, "80", "web", "/").as_str(), answer(&config, "80", "api", "/").as_str()),
        ("200", "202")
    );
}

#[test]
fn c07_the_order_in_which_objects_come_means_nothing() {
    let parts = [
        service("a", "web"),
        service("b", "web"),
        istio(
            "VirtualService",
            "a",
            "one",
            2,
            &format!(
                "hosts: [web], http: [{{match: [{{uri: {{prefix: /d}}}}], delegate: {{name: two}}}}, {{{}}}]",
                respond(200)
            ),
        ),
        istio("VirtualService", "a", "two", 1, &format!("http: [{{{}}}]", respond(201))),
        istio("DestinationRule", "a", "rule", 1, "host: web, subsets: [{name: s, labels: {v: s}}]"),
    ];
    let client = proxy("sidecar", "a");
    let mut seen = Vec::new();
    for start in 0..parts.len() {
        let mut compiler = compiler();
        for part in parts.iter().cycle().skip(start).take(parts.len()) {
            compiler.apply(documents(part));
            compiler.config_for(&client);
            // Coming again changes nothing.
            compiler.apply(documents(part));
        }
        let config = compiler.config_for(&client);
        seen.push((
            answer(&config, "80", "web", "/d"),
            answer(&config, "80", "web", "/"),
            config.clusters.keys().cloned().collect::<Vec<_>>(),
        ));
    }
    assert!(seen.windows(2).all(|pair| matches!(pair, [one, other] if one == other)), "{seen:?}");
}

#[test]
fn c10_a_version_that_nobody_serves_is_refused_and_what_was_there_stays() {
    let client = proxy("sidecar", "a");
    let mut compiler = compiler();
    let good = istio("VirtualService", "a", "v", 1, &format!("hosts: [web], http: [{{{}}}]", respond(200)));
    compiler.apply(documents(&(service("a", "web") + &good)));
    let before = compiler.config_for(&client);
    let newer = good.replace("networking.istio.io/v1", "networking.istio.io/v9").replace("200", "500");
    let update = compiler.apply(documents(&newer));
    assert!(update.report.has_errors() && update.proxies.is_empty());
    assert!(Arc::ptr_eq(&before, &compiler.config_for(&client)));
}

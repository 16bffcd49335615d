mod workload;

use proptest::prelude::*;

use super::*;
use crate::testing::{aged, gateway, istio, resolve, resolve_clusters, resolve_with, service, sidecar};

fn hosts(services: &[Arc<Service>]) -> Vec<String> {
    let short = |service: &Arc<Service>| {
        let ports: Vec<_> = service.ports.iter().map(|port| port.number.to_string()).collect();
        let host = service.hostname.trim_end_matches(".svc.cluster.local");
        format!("{host}@{}:{}", service.namespace, ports.join(","))
    };
    services.iter().map(short).collect()
}

fn scope_hosts(yaml: &str, namespace: &str, app: &str) -> Vec<String> {
    let snapshot = resolve(yaml);
    let proxy = sidecar(namespace, app);
    hosts(&View::new(&snapshot, &proxy).scope().services)
}

fn names(found: &[Arc<MergedVirtualService>]) -> Vec<String> {
    found.iter().map(|found| format!("{}/{}", found.namespace, found.name)).collect()
}

fn entry(namespace: &str, name: &str, minute: u32, host: &str, more: &str) -> String {
    let spec = format!(
        "{{hosts: [{host}], ports: [{{number: 80, name: http, protocol: HTTP}}], resolution: DNS{more}}}"
    );
    aged("ServiceEntry", namespace, name, minute, &spec)
}

fn virtual_service(namespace: &str, name: &str, minute: u32, host: &str, to: &str, more: &str) -> String {
    let spec = format!("{{hosts: [{host}], http: [{{route: [{{destination: {{host: {to}}}}}]}}]{more}}}");
    aged("VirtualService", namespace, name, minute, &spec)
}

#[test]
fn without_a_sidecar_all_that_is_exported_is_in_scope() {
    let yaml = service("a", "one") + &service("b", "two") + &entry("b", "e", 1, "x.org", ", exportTo: [.]");
    assert_eq!(scope_hosts(&yaml, "a", "w"), ["one.a@a:80", "two.b@b:80"]);
    // T-303: what is exported by name comes before what is public.
    assert_eq!(scope_hosts(&yaml, "b", "w"), ["x.org@b:80", "one.a@a:80", "two.b@b:80"]);
}

#[test]
fn t_370_the_most_particular_sidecar_applies() {
    let egress = |host: &str| format!("egress: [{{hosts: [\"*/{host}\"]}}]");
    let yaml = service("a", "one")
        + &service("a", "two")
        + &service("a", "three")
        + &aged("Sidecar", "a", "general", 1, &format!("{{{}}}", egress("one.a.svc.cluster.local")))
        + &aged(
            "Sidecar",
            "a",
            "special",
            2,
            &format!("{{workloadSelector: {{labels: {{app: w}}}}, {}}}", egress("two.a.svc.cluster.local")),
        )
        + &aged(
            "Sidecar",
            "istio-system",
            "root",
            1,
            &format!("{{{}}}", egress("three.a.svc.cluster.local")),
        );
    assert_eq!(scope_hosts(&yaml, "a", "w"), ["two.a@a:80"]);
    assert_eq!(scope_hosts(&yaml, "a", "v"), ["one.a@a:80"]);
    assert_eq!(scope_hosts(&yaml, "b", "w"), ["three.a@a:80"]);
}

#[test]
fn proxies_of_one_sidecar_share_a_scope() {
    let yaml = service("a", "one")
        + &istio("Sidecar", "a", "s", "{workloadSelector: {labels: {app: w}}, egress: [{hosts: [./*]}]}");
    let snapshot = resolve(&yaml);
    let key = |proxy: &Proxy| ScopeKey::of(&snapshot, proxy);
    assert_eq!(key(&sidecar("a", "v")), key(&sidecar("a", "u")));
    assert_ne!(key(&sidecar("a", "v")), key(&sidecar("a", "w")));
    assert_ne!(key(&sidecar("a", "v")), key(&sidecar("b", "v")));
    assert_ne!(key(&sidecar("a", "v")), key(&gateway("a", "v")));
    let (one, two) = (sidecar("a", "v"), sidecar("a", "u"));
    let first = View::new(&snapshot, &one);
    let second = View::with_scope(&snapshot, &two, first.shared_scope());
    assert_eq!(hosts(&second.scope().services), hosts(&View::new(&snapshot, &two).scope().services));
}

#[test]
fn t_372_to_t_374_hosts_name_namespace_and_host() {
    let yaml = service("a", "one")
        + &service("b", "two")
        + &service("b", "three")
        + &entry("b", "e", 1, "'*.x.org'", "");
    let with = |hosts: &str| {
        scope_hosts(
            &(yaml.clone() + &istio("Sidecar", "a", "s", &format!("{{egress: [{{hosts: {hosts}}}]}}"))),
            "a",
            "w",
        )
    };
    assert_eq!(with("[./*]"), ["one.a@a:80"]);
    assert_eq!(with("[b/two.b.svc.cluster.local]"), ["two.b@b:80"]);
    assert_eq!(with("[b/two.b.svc.cluster.local, ./*]"), ["one.a@a:80", "two.b@b:80"]);
    // T-373: exclusions win wherever they stand.
    assert_eq!(with("['*/*', ~b/two.b.svc.cluster.local, '~/*.x.org']"), ["one.a@a:80", "three.b@b:80"]);
    assert_eq!(with("['~/*']"), Vec::<String>::new());
    // A wildcard service needs a wildcard entry that covers it.
    assert_eq!(with("[b/a.x.org]"), Vec::<String>::new());
    assert_eq!(with("['b/*.org']"), ["*.x.org@b:80"]);
}

#[test]
fn t_375_a_listeners_port_trims_its_services() {
    let two_ports = aged(
        "ServiceEntry",
        "a",
        "e",
        1,
        "{hosts: [x.org], ports: [{number: 80, name: a, protocol: HTTP}, {number: 443, name: b, protocol: TLS}], resolution: DNS}",
    );
    let yaml = two_ports + &service("a", "one");
    let with = |egress: &str| {
        let snapshot =
            resolve(&(yaml.clone() + &istio("Sidecar", "a", "s", &format!("{{egress: {egress}}}"))));
        let proxy = sidecar("a", "w");
        let view = View::new(&snapshot, &proxy);
        let listeners: Vec<_> = view.scope().egress.iter().map(|scope| hosts(&scope.services)).collect();
        (listeners, hosts(&view.scope().services))
    };
    let (listeners, all) = with("[{port: {number: 443, protocol: TLS, name: t}, hosts: ['*/*']}]");
    assert_eq!(listeners, [["x.org@a:443"]]);
    assert_eq!(all, ["x.org@a:443"]);
    // An explicit HTTP proxy is not one of the services' ports.
    let (listeners, _) = with("[{port: {number: 3128, protocol: HTTP_PROXY, name: t}, hosts: ['*/x.org']}]");
    assert_eq!(listeners, [["x.org@a:80,443"]]);
    // T-380: ports of parts are united over the listeners.
    let (_, all) = with(
        "[{port: {number: 443, protocol: TLS, name: t}, hosts: ['*/x.org']}, {port: {number: 80, protocol: HTTP, name: h}, hosts: ['*/x.org']}]",
    );
    assert_eq!(all, ["x.org@a:443,80"]);
}

#[test]
fn t_375_routes_are_those_of_the_first_listener_that_fits() {
    let yaml = istio(
        "Sidecar",
        "a",
        "s",
        "{egress: [{port: {number: 80, protocol: HTTP, name: h}, hosts: ['./*']}, \
        {port: {number: 0, protocol: HTTP, name: u}, bind: 'unix:///tmp/s', hosts: ['./*']}, {hosts: ['*/*']}]}",
    );
    let snapshot = resolve(&yaml);
    let proxy = sidecar("a", "w");
    let view = View::new(&snapshot, &proxy);
    let index = |port, bind| {
        view.egress_for(port, bind).and_then(|scope| scope.listener.as_ref()).map(|(index, _)| *index)
    };
    assert_eq!(index(80, ""), Some(0));
    assert_eq!(index(0, "unix:///tmp/s"), Some(1));
    assert_eq!(index(81, ""), Some(2));
}

#[test]
fn t_380_own_namespace_then_kubernetes_then_first_seen() {
    let yaml =
        entry("b", "e", 1, "x.org", "") + &entry("c", "e", 2, "x.org", "") + &entry("d", "e", 3, "x.org", "");
    assert_eq!(scope_hosts(&yaml, "a", "w"), ["x.org@b:80"]);
    assert_eq!(scope_hosts(&yaml, "d", "w"), ["x.org@d:80"]);
    let squat = entry("b", "e", 1, "one.c.svc.cluster.local", "") + &service("c", "one");
    assert_eq!(scope_hosts(&squat, "a", "w"), ["one.c@c:80"]);
}

#[test]
fn t_381_destinations_of_routes_are_imported_without_hosts() {
    let sidecar = istio("Sidecar", "a", "s", "{egress: [{hosts: [./*]}]}");
    let yaml = service("a", "one")
        + &service("b", "two")
        + &service("b", "three")
        + &sidecar
        + &virtual_service("a", "v", 1, "one", "two.b.svc.cluster.local", "");
    assert_eq!(scope_hosts(&yaml, "a", "w"), ["one.a@a:80", "two.b@b:80"]);
    // Only ports that are named, and only entries for clients of this namespace.
    let elsewhere = istio(
        "VirtualService",
        "a",
        "v",
        "{hosts: [one], http: [{match: [{sourceNamespace: z}], \
        route: [{destination: {host: two.b.svc.cluster.local}}]}, {route: [{destination: {host: three.b.svc.cluster.local, port: {number: 81}}}]}]}",
    );
    assert_eq!(
        scope_hosts(
            &(service("a", "one") + &service("b", "two") + &service("b", "three") + &sidecar + &elsewhere),
            "a",
            "w"
        ),
        ["one.a@a:80"]
    );
}

#[test]
fn e_040_an_own_destination_is_imported_whatever_its_export_to() {
    let hidden = entry("a", "e", 1, "x.org", ", exportTo: ['~']");
    let route = |namespace: &str| virtual_service(namespace, "v", 1, "one.a.svc.cluster.local", "x.org", "");
    assert_eq!(
        scope_hosts(&(hidden.clone() + &service("a", "one") + &route("a")), "a", "w"),
        ["one.a@a:80", "x.org@a:80"]
    );
    assert_eq!(scope_hosts(&(hidden + &service("a", "one") + &route("a")), "b", "w"), ["one.a@a:80"]);
}

#[test]
fn t_101_private_then_exported_then_public() {
    let yaml = service("a", "one")
        + &virtual_service("a", "public", 1, "one", "one", "")
        + &virtual_service("b", "exported", 2, "one.a.svc.cluster.local", "x.org", ", exportTo: [a]")
        + &virtual_service("a", "private", 3, "one", "one", ", exportTo: [.]")
        + &virtual_service("a", "elsewhere", 1, "one", "one", ", exportTo: [c]")
        + &virtual_service("a", "edge", 1, "one", "one", ", gateways: [a/g]");
    let snapshot = resolve(&yaml);
    let proxy = sidecar("a", "w");
    let view = View::new(&snapshot, &proxy);
    assert_eq!(names(&view.scope().egress[0].virtual_services), ["a/private", "b/exported", "a/public"]);
    let proxy = gateway("b", "g");
    let view = View::new(&snapshot, &proxy);
    assert_eq!(names(&view.gateway_virtual_services("a/g")), ["a/edge"]);
}

#[test]
fn t_384_a_virtual_service_is_taken_when_either_host_covers_the_other() {
    let yaml = virtual_service("a", "wide", 1, "'*.x.org'", "b.c", "")
        + &virtual_service("a", "other", 1, "y.org", "b.c", "")
        + &istio("Sidecar", "a", "s", "{egress: [{hosts: ['*/a.x.org']}]}");
    let snapshot = resolve(&yaml);
    let proxy = sidecar("a", "w");
    assert_eq!(names(&View::new(&snapshot, &proxy).scope().egress[0].virtual_services), ["a/wide"]);
}

#[test]
fn t_106_a_service_belongs_to_the_most_specific_host() {
    let yaml = entry("a", "e1", 1, "a.x.org", "")
        + &entry("a", "e2", 1, "b.x.org", "")
        + &virtual_service("a", "all", 1, "'*'", "b.c", "")
        + &virtual_service("a", "wide", 2, "'*.x.org'", "b.c", "")
        + &virtual_service("a", "late", 3, "'*.x.org'", "b.c", "")
        + &virtual_service("a", "exact", 4, "a.x.org", "b.c", "");
    let snapshot = resolve(&yaml);
    let proxy = sidecar("a", "w");
    let view = View::new(&snapshot, &proxy);
    let owner = |host: &str| {
        view.scope().egress[0].most_specific_virtual_service(host).map(|found| found.name.to_string())
    };
    assert_eq!(owner("a.x.org").as_deref(), Some("exact"));
    assert_eq!(owner("b.x.org").as_deref(), Some("wide"));
    assert_eq!(owner("c.x.org"), None);
}

#[test]
fn t_371_t_400_gateways_see_all_and_serve_what_selects_them() {
    let yaml = service("a", "one")
        + &service("b", "two")
        + &istio("Sidecar", "a", "s", "{egress: [{hosts: [./*]}]}")
        + &aged("Gateway", "c", "mine", 2, "{selector: {app: g}, servers: []}")
        + &aged("Gateway", "c", "all", 1, "{servers: []}")
        + &aged("Gateway", "c", "other", 1, "{selector: {app: h}, servers: []}");
    let snapshot = resolve(&yaml);
    let proxy = gateway("a", "g");
    let view = View::new(&snapshot, &proxy);
    assert_eq!(hosts(&view.scope().services), ["one.a@a:80", "two.b@b:80"]);
    let selected: Vec<_> = view.gateways().iter().map(|found| found.meta.name.to_string()).collect();
    assert_eq!(selected, ["all", "mine"]);
    let proxy = sidecar("a", "g");
    assert!(View::new(&snapshot, &proxy).gateways().is_empty());
}

#[test]
fn t_385_a_sidecars_outbound_policy_replaces_the_meshs() {
    let policy = |mesh: &str, spec: &str| {
        let (snapshot, _) = resolve_with(mesh, &istio("Sidecar", "a", "s", spec));
        let proxy = sidecar("a", "w");
        let policy = View::new(&snapshot, &proxy).outbound_policy();
        (policy.mode, policy.egress_proxy.map(|name| name.to_string()))
    };
    use mesh_model::mesh_config::OutboundMode;
    let hosts = "egress: [{hosts: ['*/*']}]";
    let registry_only = r#"{"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}"#;
    assert_eq!(policy("{}", &format!("{{{hosts}}}")), (OutboundMode::AllowAny, None));
    assert_eq!(policy(registry_only, &format!("{{{hosts}}}")), (OutboundMode::RegistryOnly, None));
    // Written empty it is REGISTRY_ONLY.
    assert_eq!(
        policy("{}", &format!("{{{hosts}, outboundTrafficPolicy: {{}}}}")),
        (OutboundMode::RegistryOnly, None)
    );
    let proxy = "outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: e.a.svc.cluster.local, port: {number: 15443}, subset: s}}";
    assert_eq!(
        policy(registry_only, &format!("{{{hosts}, {proxy}}}")),
        (OutboundMode::AllowAny, Some("outbound|15443|s|e.a.svc.cluster.local".to_owned()))
    );
}

#[test]
fn t_490_targets_are_ports_of_the_services_that_select_the_proxy() {
    let named = "---\napiVersion: v1\nkind: Service\nmetadata: {name: old, namespace: a, creationTimestamp: \"2020-01-01T00:00:00Z\"}\n\
        spec: {clusterIP: 10.0.0.2, selector: {app: w}, ports: [{name: http, port: 81, targetPort: web}, {name: again, port: 82, targetPort: web, appProtocol: http}]}\n";
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: w-1, namespace: a, labels: {app: w}}\n\
        spec: {containers: [{name: c, ports: [{name: web, containerPort: 9090}]}]}\nstatus: {podIP: 10.1.2.3}\n";
    let yaml = service("a", "w").replace("name: w,", "name: w, creationTimestamp: \"2021-01-01T00:00:00Z\",")
        + &service("b", "w")
        + named;
    let targets = |yaml: &str| {
        let snapshot = resolve(yaml);
        let proxy = sidecar("a", "w");
        let view = View::new(&snapshot, &proxy);
        let show = |target: &ServiceTarget| {
            format!("{}:{}>{}", target.service.name, target.port.number, target.target_port)
        };
        view.service_targets().iter().map(show).collect::<Vec<_>>()
    };
    // A name needs a container port; a proxy that is no Pod has none.
    assert_eq!(targets(&yaml), ["w:80>8080"]);
    assert_eq!(targets(&(yaml + pod)), ["old:81>9090", "w:80>8080"]);
}

#[test]
fn t_345_a_setting_of_false_takes_a_whole_default_away() {
    let local = |mesh: &str, host: &str| resolve_with(mesh, "").0.cluster_local.contains(host);
    assert!(local("{}", "dns.kube-system.svc.cluster.local"));
    assert!(local("{}", "istiod.istio-system.svc.cluster.local"));
    assert!(!local("{}", "one.a.svc.cluster.local"));
    let one = r#"{"serviceSettings": [{"settings": {"clusterLocal": false}, "hosts": ["dns.kube-system.svc.cluster.local"]}]}"#;
    assert!(!local(one, "other.kube-system.svc.cluster.local"));
    let own =
        r#"{"serviceSettings": [{"settings": {"clusterLocal": true}, "hosts": ["*.a.svc.cluster.local"]}]}"#;
    assert!(local(own, "one.a.svc.cluster.local"));
}

/// Everything that the view of one proxy answers, as text.
fn answers(yaml: &str) -> String {
    let snapshot = resolve(yaml);
    let mut out = String::new();
    for proxy in [sidecar("a", "one"), sidecar("b", "w"), gateway("c", "g")] {
        let view = View::new(&snapshot, &proxy);
        out += &format!("{:?}\n", hosts(&view.scope().services));
        for scope in &view.scope().egress {
            out += &format!("{:?} {:?}\n", hosts(&scope.services), names(&scope.virtual_services));
        }
        for service in &view.scope().services {
            let rule = view.destination_rule(&service.hostname, &service.namespace);
            let rule = rule.map(|rule| {
                (
                    rule.name.clone(),
                    rule.spec.clone(),
                    rule.subset_origins.iter().map(|at| at.field().to_owned()).collect::<Vec<_>>(),
                )
            });
            out += &format!("{rule:?} {:?}\n", view.addresses(service));
        }
        out += &format!("{:?}\n", names(&view.gateway_virtual_services("c/g")));
        let targets: Vec<_> =
            view.service_targets().iter().map(|t| (t.service.name.clone(), t.target_port)).collect();
        out += &format!("{targets:?} {:?}\n", view.outbound_policy().mode);
    }
    out
}

fn documents() -> Vec<String> {
    vec![
        service("a", "one"),
        service("b", "two"),
        entry("a", "e", 1, "x.org", ""),
        entry("b", "e", 1, "x.org", ", exportTo: [c, .]"),
        entry("c", "e", 0, "'*.x.org'", ""),
        virtual_service("a", "v1", 1, "one", "two.b.svc.cluster.local", ", exportTo: [., b]"),
        virtual_service("b", "v1", 1, "one.a.svc.cluster.local", "x.org", ""),
        virtual_service("c", "v2", 1, "'*.x.org'", "x.org", ", gateways: [g, mesh]"),
        istio(
            "VirtualService",
            "a",
            "root",
            "{hosts: [r.org], gateways: [c/g], http: [{delegate: {name: part, namespace: b}}]}",
        ),
        istio("VirtualService", "b", "part", "{http: [{route: [{destination: {host: two}}]}]}"),
        aged("DestinationRule", "a", "d1", 1, "{host: one, subsets: [{name: v1}]}"),
        aged("DestinationRule", "a", "d2", 1, "{host: one, subsets: [{name: v2}, {name: v1}]}"),
        aged("DestinationRule", "b", "d1", 1, "{host: '*.local', exportTo: ['*']}"),
        istio(
            "Sidecar",
            "b",
            "s",
            "{egress: [{port: {number: 80, protocol: HTTP, name: h}, hosts: ['a/*', ./x.org]}, {hosts: ['*/*']}]}",
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_order_of_documents_changes_nothing(shuffled in Just(documents()).prop_shuffle()) {
        prop_assert_eq!(answers(&shuffled.concat()), answers(&documents().concat()));
    }
}

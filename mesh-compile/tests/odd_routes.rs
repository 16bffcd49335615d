//! Routes that name what is not there, themselves, nothing or too much (K07 to K09): each case with its outcome.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::route_table::action::{Forward, RedirectPath, RouteAction};
use mesh_model::diagnostic::Code;

mod common;

use common::*;

const WEB: &str = "outbound|80||web.a.svc.cluster.local";

/// What the routes of `web` do, in their order.
fn actions(config: &ProxyConfig) -> Vec<&RouteAction> {
    let host = config.route_tables.get("80").unwrap().virtual_host("web").unwrap();
    host.routes.iter().map(|route| &route.action).collect()
}

fn forwards(config: &ProxyConfig) -> Vec<&Forward> {
    let mut found = Vec::new();
    for action in actions(config) {
        if let RouteAction::Forward(forward) = action {
            found.push(&**forward);
        }
    }
    found
}

fn routes(list: &str) -> String {
    service("a", "web") + &istio("VirtualService", "a", "v", 1, &format!("hosts: [web], http: [{list}]"))
}

#[test]
fn k07_every_reference_to_nothing_is_told_at_its_field() {
    let yaml = routes(
        "{match: [{uri: {prefix: /subset}}], route: [{destination: {host: web, subset: nobody}}]}, \
         {match: [{uri: {prefix: /host}}], route: [{destination: {host: nobody.ext}}]}, \
         {match: [{uri: {prefix: /port}}], route: [{destination: {host: web, port: {number: 99}}}]}, \
         {match: [{uri: {prefix: /delegate}}], delegate: {name: nobody}}, {route: [{destination: {host: web}}]}",
    ) + &istio(
        "VirtualService",
        "a",
        "lost",
        1,
        "hosts: [lost.io], gateways: [nobody], http: [{directResponse: {status: 200}}]",
    ) + &istio(
        "AuthorizationPolicy",
        "a",
        "asks",
        1,
        "action: CUSTOM, provider: {name: nobody}, rules: [{}]",
    )
    .replace("networking.", "security.");
    let mut report = analyzed(&yaml);
    let (config, compiled) = run(&yaml, &proxy("sidecar", "a"));
    report.merge(compiled);
    assert_eq!(
        told(&report, "v"),
        [
            "delegate-unknown spec.http[3].delegate",
            "host-unknown spec.http[1].route[0].destination.host",
            "port-unknown spec.http[2].route[0].destination.port.number",
            "subset-unknown spec.http[0].route[0].destination.subset",
        ]
    );
    assert!(has(&report, Code::GatewayUnknown, "lost"), "{:?}", told(&report, "lost"));
    assert!(has(&report, Code::AuthorizerUnknown, "asks"), "{report:?}");
    // Routes whose cluster is not there answer 503 by themselves; the gateway's routes are nobody's.
    assert!(forwards(&config).iter().all(|forward| forward.no_cluster_status == 503));
    let lost = config.route_tables.values().any(|table| {
        table.virtual_hosts.iter().any(|host| host.domains.iter().any(|domain| domain.contains("lost.io")))
    });
    assert!(!lost, "routes of a gateway that is not there are served by the sidecar");
}

#[test]
fn k08_a_delegate_of_a_delegate_is_not_followed() {
    let yaml = routes("{delegate: {name: one}}, {route: [{destination: {host: web}}]}")
        + &istio(
            "VirtualService",
            "a",
            "one",
            1,
            "http: [{match: [{uri: {prefix: /x}}], delegate: {name: two}}]",
        )
        + &istio("VirtualService", "a", "two", 1, &format!("http: [{{{}}}]", respond(200)));
    let (config, report) = run(&yaml, &proxy("sidecar", "a"));
    assert_eq!(answer(&config, "80", "web", "/x"), WEB);
    assert!(told(&report, "one").contains(&"conflict spec.http[0].delegate".to_owned()), "{report:?}");
}

#[test]
fn k08_exports_that_contradict_each_other_are_told_and_come_to_what_istio_makes_of_them() {
    let exported = |export: &str, namespace: &str| {
        let spec = format!("hosts: [web], exportTo: [{export}], http: [{{{}}}]", respond(200));
        let yaml = service("a", "web") + &istio("VirtualService", "a", "v", 1, &spec);
        let (config, report) = run(&yaml, &proxy("sidecar", namespace));
        let is_told = told(&report, "v").iter().any(|it| it.contains("spec.exportTo"));
        (answer(&config, "80", "web.a.svc.cluster.local", "/") == "200", is_told)
    };
    for (export, seen_from_b, is_told) in [
        ("'*', '.'", true, true),
        ("'*', b", true, true),
        ("'.', a", false, true),
        ("'~'", false, true),
        ("b, b", true, true),
        ("b", true, false),
        ("'.'", false, false),
    ] {
        assert_eq!(exported(export, "b"), (seen_from_b, is_told), "{export}");
    }
    // Of the annotation of a Service `*` goes before `~`, and `~` before names (T-302).
    for (export, expected) in [("*,.", true), ("~,*", true), ("~,b", false), (".", false), ("b", true)] {
        let yaml = service("a", "web").replace(
            "namespace: a}",
            &format!("namespace: a, annotations: {{networking.istio.io/exportTo: '{export}'}}}}"),
        );
        let (config, _) = run(&yaml, &proxy("sidecar", "b"));
        assert_eq!(config.clusters.contains_key(WEB), expected, "{export}");
    }
}

#[test]
fn k08_sidecars_without_egress_two_of_them_and_hosts_that_nobody_knows() {
    let sidecar = |name: &str, minute: u32, spec: &str| istio("Sidecar", "a", name, minute, spec);
    let seen = |sidecars: &str| {
        let yaml = service("a", "web") + &service("b", "db") + PROXY_POD + sidecars;
        let (config, _) = run(&yaml, &proxy("sidecar", "a"));
        let hosts = [WEB, "outbound|80||db.b.svc.cluster.local"];
        (hosts.map(|name| config.clusters.contains_key(name)), analyzed(&yaml))
    };
    // No egress is `*/*`. Checked against Istio's pilot/pkg/model/sidecar.go (convertToSidecarScope).
    assert_eq!(seen(&sidecar("s", 1, "ingress: []")).0, [true, true]);
    assert_eq!(seen(&sidecar("s", 1, "egress: []")).0, [true, true]);
    // A host that nobody has is nothing: neither the others nor everything comes in its place.
    assert_eq!(seen(&sidecar("s", 1, "egress: [{hosts: [./nobody.ext]}]")).0, [false, false]);
    assert_eq!(seen(&sidecar("s", 1, "egress: [{hosts: [nowhere/*, b/*]}]")).0, [false, true]);

    // Of two the older counts whole, in whatever order they come, and both are told.
    let selecting = "workloadSelector: {labels: {app: p}}, ";
    for (selector, code) in [("", Code::SidecarDefaultConflict), (selecting, Code::SidecarConflict)] {
        let old = sidecar("old", 1, &format!("{selector}egress: [{{hosts: [./*]}}]"));
        let young = sidecar("young", 2, &format!("{selector}egress: [{{hosts: [b/*]}}]"));
        for yaml in [old.clone() + &young, young.clone() + &old] {
            let (hosts, report) = seen(&yaml);
            assert_eq!(hosts, [true, false], "{code:?}");
            assert!(has(&report, code, "old") && has(&report, code, "young"), "{report:?}");
        }
    }
}

#[test]
fn k09_weights_need_no_hundred_and_what_is_too_much_is_told() {
    let weighted = |first: &str, second: &str, third: &str| {
        routes(&format!(
            "{{route: [{{destination: {{host: web}}, weight: {first}}}, {{destination: {{host: web, subset: s}}, weight: {second}}}, \
             {{destination: {{host: web, subset: t}}, weight: {third}}}]}}"
        ))
    };
    const MOST: &str = "2147483647";
    let most = i32::MAX.unsigned_abs();
    for (weights, expected, is_told) in [
        (["30", "30", "0"], vec![30, 30], false),
        (["100", "100", "100"], vec![100, 100, 100], false),
        ([MOST, MOST, "1"], vec![most, most, 1], false),
        // Their sum is over 2^32: refused by validation, and counted without overflow where it came past.
        ([MOST, MOST, MOST], vec![most, most, most], true),
        (["-1", "5", "0"], vec![5], true),
    ] {
        let [first, second, third] = weights;
        let (config, report) = run(&weighted(first, second, third), &proxy("sidecar", "a"));
        let forwards = forwards(&config);
        let found: Vec<_> = forwards[0].destinations.iter().map(|it| it.weight).collect();
        assert_eq!(found, expected, "{weights:?}");
        assert_eq!(report.has_errors(), is_told, "{weights:?}: {report:?}");
    }
    // A weight that is no 32-bit number is no value: the object cannot be read, its host keeps its own routes.
    let (config, report) = run(&weighted("4294967296", "1", "1"), &proxy("sidecar", "a"));
    assert_eq!(answer(&config, "80", "web", "/"), WEB);
    assert_eq!(told(&report, "v"), ["bad-value spec.http[0].route[0].weight"]);
}

#[test]
fn k09_a_mirror_to_oneself_a_redirect_to_itself_and_a_rewrite_to_nothing_are_no_loops() {
    let yaml = routes(
        "{match: [{uri: {prefix: /mirror}}], route: [{destination: {host: web}}], mirror: {host: web}}, \
         {match: [{uri: {prefix: /loop}}], redirect: {uri: /loop, authority: web}}, \
         {match: [{uri: {prefix: /empty}}], rewrite: {uri: ''}, route: [{destination: {host: web}}]}, \
         {route: [{destination: {host: web}}]}",
    );
    let (config, report) = run(&yaml, &proxy("sidecar", "a"));
    let forwards = forwards(&config);
    // The copy goes to the cluster itself, as a request of its own that no route sees again at this proxy.
    assert_eq!(answer(&config, "80", "web", "/mirror"), WEB);
    let mirrors: Vec<_> =
        forwards[0].mirrors.iter().map(|mirror| (&*mirror.cluster, mirror.percent)).collect();
    assert_eq!(mirrors, [(WEB, 100.0)]);
    // A redirect is an answer: the client is told once, and is not followed.
    assert_eq!(answer(&config, "80", "web", "/loop"), "301");
    let redirect = actions(&config).into_iter().find_map(|action| match action {
        RouteAction::Redirect(redirect) => Some(redirect),
        _ => None,
    });
    let redirect = redirect.unwrap();
    assert_eq!(
        (redirect.host.as_deref(), &redirect.path),
        (Some("web"), &RedirectPath::Whole("/loop".into()))
    );
    // A rewrite to nothing is told, and rewrites nothing.
    assert_eq!(answer(&config, "80", "web", "/empty"), WEB);
    assert!(forwards[1].path_rewrite.is_none());
    assert!(told(&report, "v").iter().all(|it| it.contains("spec.http[2].rewrite")), "{report:?}");
    assert!(report.has_errors());
}

#[test]
fn k09_timeouts_of_zero_are_none_and_no_attempts_are_no_retries() {
    let yaml = routes(
        "{match: [{uri: {prefix: /try}}], retries: {attempts: 2, perTryTimeout: 0s}, route: [{destination: {host: web}}]}, \
         {match: [{uri: {prefix: /whole}}], timeout: 0s, route: [{destination: {host: web}}]}, \
         {match: [{uri: {prefix: /none}}], retries: {attempts: 0}, route: [{destination: {host: web}}]}",
    );
    let (config, report) = run(&yaml, &proxy("sidecar", "a"));
    let forwards = forwards(&config);
    let retries: Vec<_> = forwards
        .iter()
        .map(|it| it.retries.as_ref().map(|retries| (retries.attempts, retries.per_try_timeout_ms)))
        .collect();
    // Zero is the data plane's word for a try that has the whole time of the route.
    assert_eq!(retries, [Some((2, Some(0))), Some((2, None)), None]);
    assert_eq!(forwards.iter().map(|it| it.timeout_ms).collect::<Vec<_>>(), [0, 0, 0]);
    assert_eq!(
        told(&report, "v"),
        ["invalid-value spec.http[0].retries.perTryTimeout", "invalid-value spec.http[1].timeout"]
    );
}

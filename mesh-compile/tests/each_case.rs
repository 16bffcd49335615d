//! The single cases of rows K and C of the fault matrix that `conflicts.rs` and `precedence.rs` leave out, each with its
//! outcome.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use mesh_authz::verdict::Facts;
use mesh_compile::compiler::Compiler;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::cluster::{Cluster, UpstreamTls};
use mesh_compile::proxy::listener::{Direction, FilterChain, Network};
use mesh_model::config_set::{ApplyOptions, Strictness};
use mesh_model::diagnostic::Code;
use mesh_model::mesh_config::MeshConfig;

mod common;

use common::*;

const WEB: &str = "outbound|80||web.a.svc.cluster.local";

fn chains(config: &ProxyConfig) -> impl Iterator<Item = &FilterChain> {
    config.listeners.iter().flat_map(|it| it.filter_chains.iter().chain(&it.default_chain))
}

fn cluster<'c>(config: &'c ProxyConfig, name: &str) -> &'c Cluster {
    config.clusters.get(name).unwrap_or_else(|| panic!("no cluster {name}"))
}

fn addresses(cluster: &Cluster) -> Vec<&str> {
    cluster.endpoints.iter().map(|endpoint| &*endpoint.address).collect()
}

#[test]
fn k02_of_two_subsets_of_one_name_in_one_rule_the_first_counts() {
    let yaml = service("a", "web")
        + &istio(
            "DestinationRule",
            "a",
            "r",
            1,
            "host: web, subsets: [{name: one, labels: {v: a}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}}, \
             {name: one, labels: {v: b}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 2}}}}]",
        );
    let (config, _) = run(&yaml, &proxy("sidecar", "a"));
    let one = cluster(&config, "outbound|80|one|web.a.svc.cluster.local");
    assert_eq!(one.limits.max_connections, Some(1));
}

#[test]
fn k03_a_port_that_no_service_has_gets_its_own_mode_and_the_others_keep_theirs() {
    let modes = istio(
        "PeerAuthentication",
        "a",
        "p",
        1,
        "selector: {matchLabels: {app: p}}, mtls: {mode: STRICT}, portLevelMtls: {9999: {mode: DISABLE}}",
    )
    .replace("networking.", "security.");
    let (config, _) = run(&(service("a", "p") + PROXY_POD + &modes), &proxy("sidecar", "a"));
    // Checked against Istio's pilot/pkg/networking/core/listener_inbound.go (buildInboundPassthroughChains).
    let found = [Some(9999), Some(80), None].map(|port| inbound_tls(&config, port));
    assert_eq!(found, [Some(false), Some(true), Some(true)]);
}

/// Whether the chains of an inbound port (`None`: of the ports that no Service has) take TLS; `None`: they differ, or
/// there are none.
fn inbound_tls(config: &ProxyConfig, port: Option<u16>) -> Option<bool> {
    let mut found: Vec<_> = inbound(config)
        .filter(|chain| chain.matches.destination_port == port)
        .map(|chain| chain.tls.is_some())
        .collect();
    found.dedup();
    <[bool; 1]>::try_from(found).ok().map(|[only]| only)
}

fn inbound(config: &ProxyConfig) -> impl Iterator<Item = &FilterChain> {
    let inbound = config.listeners.iter().filter(|it| it.direction == Direction::Inbound);
    inbound.flat_map(|it| it.filter_chains.iter().chain(&it.default_chain))
}

fn gateway(name: &str, minute: u32, servers: &str) -> String {
    istio("Gateway", "a", name, minute, &format!("selector: {{app: p}}, servers: [{servers}]"))
}

#[test]
fn k06_one_host_of_two_gateways_is_served_by_both_over_http_and_by_the_older_over_tls() {
    let bound = |name: &str, minute: u32, gateway: &str, path: &str, status: u16| {
        let spec = format!(
            "hosts: [web.io], gateways: [{gateway}], http: [{{match: [{{uri: {{prefix: {path}}}}}], {}}}]",
            respond(status)
        );
        istio("VirtualService", "a", name, minute, &spec)
    };
    let http = "{port: {number: 80, name: http, protocol: HTTP}, hosts: [web.io]}";
    let yaml = gateway("young", 2, http)
        + &gateway("old", 1, http)
        + &bound("of-young", 1, "young", "/y", 201)
        + &bound("of-old", 2, "old", "/o", 202);
    let (config, _) = run(&yaml, &proxy("gateway", "a"));
    let answers = ["/y", "/o", "/"].map(|path| answer(&config, "http.80", "web.io", path));
    assert_eq!(answers, ["201", "202", "404"]);
    let report = analyzed(&yaml);
    for name in ["young", "old"] {
        assert!(has(&report, Code::GatewayConflict, name), "{report:?}");
    }

    let https = |credential: &str| {
        format!(
            "{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [web.io], tls: {{mode: SIMPLE, credentialName: {credential}}}}}"
        )
    };
    let yaml = gateway("young", 2, &https("of-young")) + &gateway("old", 1, &https("of-old"));
    let (config, report) = run(&yaml, &proxy("gateway", "a"));
    assert_eq!(certificates(&config), ["kubernetes://of-old"]);
    assert!(has(&report, Code::ServerRejected, "young"), "{report:?}");
}

fn certificates(config: &ProxyConfig) -> Vec<&str> {
    let tls = chains(config).filter_map(|chain| chain.tls.as_ref());
    tls.flat_map(|tls| tls.certificates.iter().map(|name| &**name)).collect()
}

#[test]
fn k06_a_credential_that_is_missing_or_elsewhere_is_told_and_nothing_is_served_in_the_clear() {
    let secret = |namespace: &str, name: &str| {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\ntype: kubernetes.io/tls\ndata: {{}}\n"
        )
    };
    let server = "{port: {number: 443, name: https, protocol: HTTPS}, hosts: [web.io], tls: {mode: SIMPLE, credentialName: cert}}";
    let yaml = PROXY_POD.to_owned() + &gateway("gw", 1, server);
    for (secrets, expected) in [
        (secret("a", "other"), true),
        (secret("other", "cert"), true),
        (secret("other", "cert") + &secret("a", "cert"), false),
    ] {
        let yaml = yaml.clone() + &secrets;
        assert_eq!(has(&analyzed(&yaml), Code::CredentialUnknown, "gw"), expected, "{secrets}");
        // The chain waits for its certificate by the name of the gateway's own namespace; a handshake without one is
        // refused by the proxy.
        let (config, _) = run(&yaml, &proxy("gateway", "a"));
        assert_eq!(certificates(&config), ["kubernetes://cert"]);
        let on_443 = config.listeners.iter().filter(|it| it.port == 443);
        assert!(on_443.flat_map(|it| &it.filter_chains).all(|chain| chain.tls.is_some()));
    }
}

#[test]
fn k10_shares_for_places_where_nobody_is_and_endpoints_without_a_port() {
    let slice = |port: u16| {
        format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: web-1, namespace: a, labels: {{kubernetes.io/service-name: web}}}}\n\
             addressType: IPv4\nports: [{{name: http, port: {port}}}]\nendpoints: [{{addresses: [10.2.0.1], zone: z}}]\n"
        )
    };
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: n, labels: {topology.kubernetes.io/region: r, topology.kubernetes.io/zone: z}}\n";
    let rule = istio(
        "DestinationRule",
        "a",
        "r",
        1,
        "host: web, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}, loadBalancer: {localityLbSetting: {enabled: true, \
         distribute: [{from: '*', to: {'nowhere/*': 100}}]}}}",
    );
    let (config, _) = run(&(service("a", "web") + &slice(80) + node + &rule), &proxy("sidecar", "a"));
    let web = cluster(&config, WEB);
    // All of the share is for where nobody is: the cluster is there and empty, which is a 503 with its reason.
    assert_eq!((addresses(web).len(), web.localities.len()), (0, 0));

    let (config, _) = run(&(service("a", "web") + &slice(0)), &proxy("sidecar", "a"));
    // Without a port an address is the path of a socket of this machine, which is not there: Istio's
    // pilot/pkg/networking/util/util.go (BuildAddress). Port 0 is never dialled.
    assert_eq!(addresses(cluster(&config, WEB)), ["10.2.0.1"]);

    let entry = |port: &str| {
        istio(
            "ServiceEntry",
            "a",
            "e",
            1,
            &format!(
                "hosts: [e.ext], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: [{{address: 10.3.0.1, ports: {{http: {port}}}}}, {{address: 10.3.0.2}}, {{address: 10.3.0.2}}]"
            ),
        )
    };
    let (config, report) = run(&entry("0"), &proxy("sidecar", "a"));
    // A port of 0 in an entry is told, and is as if it were not written. Each endpoint that is written is one, also
    // where two are alike.
    let found = addresses(cluster(&config, "outbound|80||e.ext"));
    assert_eq!(found, ["10.3.0.1:80", "10.3.0.2:80", "10.3.0.2:80"]);
    assert_eq!(told(&report, "e"), ["invalid-value spec.endpoints[0].ports.http"]);
}

#[test]
fn k11_workload_entries_beside_pods_keep_their_own_identities_and_groups_are_no_endpoints() {
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-0, namespace: a, labels: {app: web, security.istio.io/tlsMode: istio}}\n\
        spec: {serviceAccountName: of-pod}\nstatus: {podIP: 10.2.0.1, phase: Running}\n\
        ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, namespace: a, labels: {kubernetes.io/service-name: web}}\n\
        addressType: IPv4\nports: [{name: http, port: 80}]\nendpoints: [{addresses: [10.2.0.1], targetRef: {kind: Pod, name: web-0, namespace: a}}]\n";
    let entry = |name: &str, address: &str, network: &str, app: &str| {
        let spec = format!(
            "address: {address}, network: '{network}', labels: {{app: {app}, security.istio.io/tlsMode: istio}}, serviceAccount: of-{name}"
        );
        istio("WorkloadEntry", "a", name, 1, &spec)
    };
    let group = istio(
        "WorkloadGroup",
        "a",
        "group",
        1,
        "metadata: {labels: {app: web}}, template: {serviceAccount: of-group, labels: {app: web}, address: 10.2.0.9}",
    );
    let sans = |config: &ProxyConfig, name: &str| {
        let UpstreamTls::Tls(tls) = &cluster(config, name).tls else { panic!("no mutual TLS: {name}") };
        let mut sans: Vec<_> = tls
            .sans
            .iter()
            .map(|san| san.trim_start_matches("exact:spiffe://cluster.local/ns/a/sa/").to_owned())
            .collect();
        sans.sort();
        sans
    };
    // The labels of a Service's selector are enough for a WorkloadEntry of its namespace: it is one more endpoint.
    let yaml = service("a", "web") + pod + &entry("vm", "10.2.0.2", "", "web") + &group;
    let (config, report) = run(&yaml, &proxy("sidecar", "a"));
    assert_eq!(addresses(cluster(&config, WEB)), ["10.2.0.1:80", "10.2.0.2:80"]);
    assert_eq!(sans(&config, WEB), ["of-pod", "of-vm"]);
    assert!(told(&report, "group").is_empty(), "{report:?}");
    // One address for a Pod and a WorkloadEntry.
    let yaml = service("a", "web") + pod + &entry("vm", "10.2.0.1", "", "web");
    let (config, _) = run(&yaml, &proxy("sidecar", "a"));
    assert_eq!(addresses(cluster(&config, WEB)), ["10.2.0.1:80", "10.2.0.1:80"]);
    assert_eq!(sans(&config, WEB), ["of-pod", "of-vm"]);
    // One address in two networks: two machines.
    let services = ["one", "two"].map(|name| {
        istio(
            "ServiceEntry",
            "a",
            name,
            1,
            &format!("hosts: [{name}.ext], resolution: STATIC, location: MESH_INTERNAL, ports: [{{number: 80, name: http, protocol: HTTP}}], workloadSelector: {{labels: {{app: {name}}}}}"),
        )
    });
    let yaml =
        services.concat() + &entry("one", "10.9.0.1", "n1", "one") + &entry("two", "10.9.0.1", "n2", "two");
    for order in [
        yaml.clone(),
        services.concat() + &entry("two", "10.9.0.1", "n2", "two") + &entry("one", "10.9.0.1", "n1", "one"),
    ] {
        let (config, _) = run(&order, &proxy("sidecar", "a"));
        for name in ["one", "two"] {
            let name_of_cluster = format!("outbound|80||{name}.ext");
            assert_eq!(addresses(cluster(&config, &name_of_cluster)), ["10.9.0.1:80"]);
            assert_eq!(sans(&config, &name_of_cluster), [format!("of-{name}")]);
        }
    }
}

#[test]
fn c01_a_gateway_before_its_certificate_serves_nothing_in_the_clear() {
    let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
    let server = "{port: {number: 443, name: https, protocol: HTTPS}, hosts: [web.io], tls: {mode: SIMPLE, credentialName: cert}}";
    compiler.apply(documents(&gateway("gw", 1, server)));
    let early = compiler.config_for(&proxy("gateway", "a"));
    assert_eq!(certificates(&early), ["kubernetes://cert"]);
    assert!(chains(&early).all(|chain| chain.tls.is_some()));
}

#[test]
fn c04_an_object_that_was_never_good_is_out_and_the_others_are_in() {
    let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
    let yaml = service("a", "web")
        + &service("a", "api")
        + &istio("VirtualService", "a", "bad", 1, "hosts: [web], http: [{directResponse: {status: []}}]")
        + &istio("VirtualService", "a", "good", 1, &format!("hosts: [api], http: [{{{}}}]", respond(202)));
    let update = compiler.apply(documents(&yaml));
    assert!(update.report.has_errors() && !told(&update.report, "bad").is_empty());
    let config = compiler.config_for(&proxy("sidecar", "a"));
    assert_eq!(answer(&config, "80", "web", "/"), WEB);
    assert_eq!(answer(&config, "80", "api", "/"), "202");
}

fn policy(name: &str, spec: &str) -> String {
    istio("AuthorizationPolicy", "a", name, 1, spec).replace("networking.", "security.")
}

#[test]
fn c10_a_field_of_a_newer_version_closes_and_is_told() {
    let with = |rule: &str| policy("x", &format!("selector: {{matchLabels: {{app: p}}}}, rules: [{rule}]"));
    let compiler = |strictness| {
        let options = ApplyOptions { strictness, ..ApplyOptions::default() };
        Compiler::with_options(Arc::new(MeshConfig::with_defaults()), options)
    };
    let outcome = |mut compiler: Compiler, before: &str, rule: &str| {
        compiler.apply(documents(&(service("a", "p") + PROXY_POD + before)));
        let update = compiler.apply(documents(&with(rule)));
        let allowed = allowed(&compiler.config_for(&proxy("sidecar", "a")));
        assert!(!allowed.is_empty());
        (allowed.contains(&true), update.report)
    };
    // The last one is S-393's: without its unknown part it would be a list of whom to let in (G-69).
    for rule in ["{onlyOnSundays: true}", "{to: [{operation: {newer: [x]}}]}", "{action: DENY}"] {
        for strictness in [Strictness::Strict, Strictness::Lenient] {
            let (is_open, report) = outcome(compiler(strictness), "", rule);
            assert!(!is_open, "{rule}");
            assert!(
                has(&report, Code::UnknownField, "x") && has(&report, Code::FailsClosed, "x"),
                "{report:?}"
            );
            let before = with("{from: [{source: {principals: [nobody]}}]}");
            let (is_open, report) = outcome(compiler(strictness), &before, rule);
            assert!(!is_open && has(&report, Code::KeptLastGood, "x"), "{rule} {report:?}");
        }
    }
    // The other spelling of a field is no unknown one where reading is lenient (T-002).
    let (is_open, report) =
        outcome(compiler(Strictness::Lenient), "", "{to: [{operation: {not_ports: ['9']}}]}");
    assert!(is_open && !has(&report, Code::UnknownField, "x"), "{report:?}");
}

#[test]
fn c10_a_field_of_a_newer_version_is_left_out_of_what_only_routes() {
    let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
    let route = format!("hosts: [web], newer: 1, http: [{{{}}}]", respond(202));
    let update =
        compiler.apply(documents(&(service("a", "web") + &istio("VirtualService", "a", "v", 1, &route))));
    assert!(has(&update.report, Code::UnknownField, "v") && !update.report.has_errors());
    assert_eq!(answer(&compiler.config_for(&proxy("sidecar", "a")), "80", "web", "/"), "202");
}

#[test]
fn k12_an_empty_selector_selects_everybody_and_one_that_fits_nobody_nobody() {
    let modes = |selector: &str| {
        let peer = |namespace: &str, spec: &str| {
            istio("PeerAuthentication", namespace, "p", 1, spec).replace("networking.", "security.")
        };
        let yaml = service("a", "p")
            + PROXY_POD
            + &peer("istio-system", "mtls: {mode: STRICT}")
            + &peer("a", &format!("selector: {selector}, mtls: {{mode: DISABLE}}"));
        inbound_tls(&run(&yaml, &proxy("sidecar", "a")).0, Some(80))
    };
    let denies = |selector: &str| {
        let yaml = service("a", "p")
            + PROXY_POD
            + &policy("x", &format!("selector: {selector}, action: DENY, rules: [{{}}]"));
        allowed(&run(&yaml, &proxy("sidecar", "a")).0).contains(&false)
    };
    let nobody = "{matchLabels: {app: nobody}}";
    for (selector, selects) in [("{}", true), ("{matchLabels: {}}", true), (nobody, false)] {
        assert_eq!(modes(selector), Some(!selects), "{selector}");
        assert_eq!(denies(selector), selects, "{selector}");
    }
}

/// Whether a stranger may connect, or ask for `/`, on each inbound chain with policies.
fn allowed(config: &ProxyConfig) -> Vec<bool> {
    let ip = "10.9.9.9".parse().unwrap();
    let facts = Facts {
        direct_ip: ip,
        remote_ip: ip,
        dst_ip: ip,
        dst_port: 80,
        sni: None,
        peer: None,
        request: None,
        claims: None,
    };
    let authz = inbound(config).filter_map(|chain| match &chain.network {
        Network::Http(manager) => manager.authz.as_ref(),
        Network::Tcp(proxy) => proxy.authz.as_ref(),
    });
    authz.map(|authz| authz.decide(&facts, &mut ()).allowed).collect()
}

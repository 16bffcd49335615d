use proptest::prelude::*;

use super::owners::{Source, services_of};
use super::*;
use crate::proxy::listener::{FilterChain, Listener, Network, Transport};
use crate::proxy::test_mesh::with_view;
use crate::route_table::RouteTable;
use crate::route_table::action::RouteAction;

fn compiled(yaml: &str, mesh: &str) -> Fragment {
    with_view(yaml, mesh, |view| compile(view).0)
}

fn listener<'f>(fragment: &'f Fragment, name: &str) -> &'f Listener {
    fragment.listeners.iter().find(|listener| &*listener.name == name).unwrap_or_else(|| panic!("{name}"))
}

fn table<'f>(fragment: &'f Fragment, name: &str) -> &'f RouteTable {
    fragment.route_tables.iter().find(|table| &*table.name == name).unwrap_or_else(|| panic!("{name}"))
}

fn cluster(chain: &FilterChain) -> String {
    match &chain.network {
        Network::Tcp(proxy) => proxy.destinations.iter().next().expect("never empty").cluster.to_string(),
        Network::Http(manager) => format!("table {}", manager.route_table),
    }
}

/// The cluster of the first route of the virtual host that answers for an authority.
fn answer(table: &RouteTable, authority: &str) -> Option<String> {
    let host = table.virtual_host(authority)?;
    Some(match &host.routes.first()?.action {
        RouteAction::Forward(forward) => forward.destinations.iter().next()?.cluster.to_string(),
        RouteAction::Respond(response) => response.status.to_string(),
        RouteAction::Redirect(_) => "redirect".to_owned(),
    })
}

const REVIEWS: &str = "outbound|9080||reviews.default.svc.cluster.local";

#[test]
fn http_ports_share_a_wildcard_listener_with_a_fall_through() {
    let fragment = compiled("", "{}");
    let shared = listener(&fragment, "0.0.0.0_9080");
    let [http] = shared.filter_chains.as_slice() else { panic!("one chain") };
    assert_eq!(cluster(http), "table 9080");
    assert_eq!(http.matches.transport, Some(Transport::RawBuffer));
    assert_eq!(cluster(shared.default_chain.as_ref().expect("a fall-through")), "PassthroughCluster");
    assert_eq!(http.origin.field(), "spec.ports[0]");
}

#[test]
fn a_tcp_port_listens_at_the_service_address() {
    let fragment = compiled("", "{}");
    let tcp = listener(&fragment, "10.0.0.1_7000");
    assert!(tcp.filter_chains.is_empty() && !tcp.http_inspector);
    let chain = tcp.default_chain.as_ref().expect("the only chain");
    assert_eq!(cluster(chain), "outbound|7000||reviews.default.svc.cluster.local");
}

#[test]
fn an_undeclared_port_is_sniffed_and_answers_every_host() {
    let fragment = compiled("", "{}");
    let sniffed = listener(&fragment, "10.0.0.1_5000");
    assert!(sniffed.http_inspector);
    let name = "reviews.default.svc.cluster.local:5000";
    assert_eq!(cluster(&sniffed.filter_chains[0]), format!("table {name}"));
    let found = answer(table(&fragment, name), "anything.example");
    assert_eq!(found.as_deref(), Some("outbound|5000||reviews.default.svc.cluster.local"));
}

#[test]
fn short_names_depend_on_the_clients_namespace() {
    let fragment = compiled("", "{}");
    let table = table(&fragment, "9080");
    for name in [
        "reviews",
        "reviews.default",
        "reviews.default.svc",
        "REVIEWS.default.svc.cluster.local.",
        "10.0.0.1",
    ] {
        assert_eq!(answer(table, name).as_deref(), Some(REVIEWS), "{name}");
    }
    let ratings = "outbound|9080||ratings.other.svc.cluster.local";
    assert_eq!(answer(table, "ratings.other:9080").as_deref(), Some(ratings));
    assert_eq!(answer(table, "ratings").as_deref(), Some("PassthroughCluster"));
}

#[test]
fn registry_only_answers_502_and_drops_bytes() {
    let fragment = compiled("", r#"{"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}"#);
    assert_eq!(answer(table(&fragment, "9080"), "nobody").as_deref(), Some("502"));
    let virtual_outbound = listener(&fragment, "virtualOutbound");
    assert!(virtual_outbound.catch_all);
    assert_eq!(cluster(virtual_outbound.default_chain.as_ref().expect("always")), "BlackHoleCluster");
    assert_eq!(virtual_outbound.filter_chains[0].matches.destination_port, Some(15001));
}

#[test]
fn the_first_virtual_service_with_routes_owns_the_host() {
    let fragment = compiled(
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: default, creationTimestamp: '2020-01-01T00:00:00Z'}
spec:
  hosts: [reviews]
  http: [{match: [{port: 80}], route: [{destination: {host: nobody}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b, namespace: default, creationTimestamp: '2021-01-01T00:00:00Z'}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: b}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: c, namespace: default, creationTimestamp: '2022-01-01T00:00:00Z'}
spec:
  hosts: [reviews, '*.other.svc.cluster.local']
  http: [{route: [{destination: {host: c}}]}]
",
        "{}",
    );
    let table = table(&fragment, "9080");
    assert_eq!(answer(table, "reviews").as_deref(), Some("outbound|9080||b.default.svc.cluster.local"));
    assert_eq!(answer(table, "ratings.other").as_deref(), Some("outbound|9080||c.default.svc.cluster.local"));
    let host = table.virtual_host("ratings.other").expect("it is there");
    assert_eq!(host.origin.field(), "spec.hosts[1]");
}

#[test]
fn hosts_without_a_service_are_in_table_80_only() {
    let fragment = compiled(
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: default}
spec:
  hosts: [example.com]
  http: [{route: [{destination: {host: reviews}}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.0.0.9, ports: [{name: http, port: 80}]}
",
        "{}",
    );
    assert_eq!(answer(table(&fragment, "9080"), "example.com").as_deref(), Some("PassthroughCluster"));
    let found = answer(table(&fragment, "80"), "example.com");
    assert_eq!(found.as_deref(), Some("outbound|80||reviews.default.svc.cluster.local"));
}

#[test]
fn tcp_routes_replace_the_default_chain() {
    let fragment = compiled(
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: default}
spec:
  hosts: [reviews]
  tcp:
  - {match: [{destinationSubnets: [10.9.0.0/16]}], route: [{destination: {host: subnet, port: {number: 1}}}]}
  - {match: [{sourceLabels: {app: nobody}}], route: [{destination: {host: nobody}}]}
  - {match: [{port: 7000}], route: [{destination: {host: terminal, port: {number: 2}}}]}
",
        "{}",
    );
    let tcp = listener(&fragment, "10.0.0.1_7000");
    assert_eq!(cluster(&tcp.filter_chains[0]), "outbound|1||subnet.default.svc.cluster.local");
    let rest = tcp.default_chain.as_ref().expect("a terminal rule");
    assert_eq!(cluster(rest), "outbound|2||terminal.default.svc.cluster.local");
    assert_eq!(rest.origin.field(), "spec.tcp[2].match[0]");
}

#[test]
fn a_sidecar_listener_locks_its_port() {
    let fragment = compiled(
        "apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s, namespace: default}
spec:
  outboundTrafficPolicy: {}
  egress:
  - {port: {number: 9080, protocol: HTTP, name: http}, hosts: ['other/*']}
  - {hosts: ['./*']}
",
        "{}",
    );
    let table = table(&fragment, "9080");
    assert_eq!(answer(table, "reviews").as_deref(), Some("502"));
    assert!(answer(table, "ratings.other").is_some_and(|cluster| cluster.starts_with("outbound|9080")));
    assert_eq!(listener(&fragment, "0.0.0.0_9080").origin.field(), "spec.egress[0]");
}

#[test]
fn unknown_http_is_looked_up_by_name_where_the_mesh_says_so() {
    let fragment = compiled("", r#"{"outboundTrafficPolicy": {"mode": "ALLOW_ANY_DYNAMIC_DNS"}}"#);
    let virtual_outbound = listener(&fragment, "virtualOutbound");
    assert!(virtual_outbound.http_inspector);
    assert_eq!(cluster(&virtual_outbound.filter_chains[1]), "table allow_any_dynamic_dns");
    assert_eq!(cluster(virtual_outbound.default_chain.as_ref().expect("always")), "PassthroughCluster");
    for name in ["allow_any_dynamic_dns", "9080"] {
        assert_eq!(answer(table(&fragment, name), "nobody").as_deref(), Some("AllowAnyDynamicDNSCluster"));
    }
}

#[test]
fn the_explicit_proxy_knows_hosts_of_port_80_without_their_port() {
    let fragment = compiled(
        "apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.0.0.9, ports: [{name: http, port: 80}]}
",
        r#"{"proxyHttpPort": 15007}"#,
    );
    assert_eq!(&*listener(&fragment, "127.0.0.1_15007").address.to_string(), "127.0.0.1");
    let table = table(&fragment, "http_proxy");
    let web = "outbound|80||web.default.svc.cluster.local";
    assert_eq!(answer(table, "web").as_deref(), Some(web));
    assert_eq!(answer(table, "reviews").as_deref(), Some("PassthroughCluster"));
}

#[test]
fn the_capture_ports_are_never_passed_on() {
    let fragment = compiled("", "{}");
    let inbound = listener(&fragment, "virtualInbound");
    assert_eq!((inbound.port, cluster(&inbound.filter_chains[0])), (15006, "BlackHoleCluster".to_owned()));
    assert!(inbound.default_chain.is_none() && !inbound.catch_all);
}

#[test]
fn http_and_bytes_on_one_wildcard_port_are_told_apart_by_their_bytes() {
    let fragment = compiled(
        "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db, namespace: default}
spec: {hosts: [db.ext], ports: [{number: 9080, name: tcp, protocol: TCP}], resolution: DNS}
",
        "{}",
    );
    let shared = listener(&fragment, "0.0.0.0_9080");
    assert_eq!(cluster(&shared.filter_chains[0]), "table 9080");
    assert_eq!(cluster(shared.default_chain.as_ref().expect("bytes")), "outbound|9080||db.ext");
}

#[test]
fn server_names_tell_tls_services_without_address_apart() {
    let fragment = compiled(
        "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a, namespace: default}
spec: {hosts: [A.ext, b.ext], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: default}
spec:
  hosts: [b.ext]
  tls:
  - {match: [{sniHosts: [b.ext], sourceLabels: {app: nobody}}], route: [{destination: {host: nobody.ext}}]}
  - {match: [{sniHosts: [b.ext]}], route: [{destination: {host: to.ext}, weight: 0}, {destination: {host: other.ext}, weight: 3}]}
",
        "{}",
    );
    let shared = listener(&fragment, "0.0.0.0_443");
    let by_name = |name: &str| {
        let chain = shared
            .filter_chains
            .iter()
            .find(|chain| chain.matches.server_names.iter().any(|own| **own == *name));
        chain.map(cluster)
    };
    assert_eq!(by_name("a.ext").as_deref(), Some("outbound|443||A.ext"));
    assert_eq!(by_name("b.ext").as_deref(), Some("outbound|443||other.ext"));
}

#[test]
fn a_sidecar_listener_can_be_a_socket_of_its_own() {
    let fragment = compiled(
        "apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s, namespace: default}
spec:
  egress:
  - {port: {number: 3128, protocol: HTTP_PROXY, name: proxy}, captureMode: NONE, hosts: ['other/*']}
  - {port: {number: 7000, protocol: TCP, name: tcp}, bind: 127.0.0.9, hosts: ['./*']}
  - {port: {number: 0, protocol: HTTP, name: unix}, bind: 'unix:///var/run/egress.sock', hosts: ['other/*']}
",
        "{}",
    );
    let proxy = listener(&fragment, "127.0.0.1_3128");
    assert_eq!(cluster(proxy.default_chain.as_ref().expect("whatever comes")), "table 3128");
    let tcp = listener(&fragment, "127.0.0.9_7000");
    let reviews = "outbound|7000||reviews.default.svc.cluster.local";
    assert_eq!(cluster(tcp.default_chain.as_ref().expect("the service")), reviews);
    let socket = listener(&fragment, "unix:///var/run/egress.sock");
    assert_eq!((socket.port, socket.filter_chains.len()), (0, 0));
    assert!(fragment.route_tables.iter().any(|table| &*table.name == "unix:///var/run/egress.sock"));
}

#[test]
fn a_headless_service_listens_at_each_endpoint() {
    let fragment = compiled(
        "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: h, namespace: default}
spec:
  hosts: [none.ext]
  ports: [{number: 6000, name: tcp, protocol: TCP}]
  resolution: NONE
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: default}
spec: {clusterIP: None, ports: [{name: tcp, port: 6001}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: default, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints: [{addresses: [10.1.2.3]}, {addresses: [10.1.2.4]}]
ports: [{name: tcp, port: 6001}]
",
        "{}",
    );
    let names: Vec<_> = fragment.listeners.iter().map(|listener| &*listener.name).collect();
    // The proxy's own address is left out; NONE without addresses takes every address.
    assert!(names.contains(&"10.1.2.4_6001") && !names.contains(&"10.1.2.3_6001"), "{names:?}");
    assert!(names.contains(&"0.0.0.0_6000"), "{names:?}");
}

/// Hosts of VirtualServices: of services, nobody's, and wildcards over either.
const WRITTEN: [&str; 8] = [
    "reviews.default.svc.cluster.local",
    "REVIEWS.default.svc.cluster.local",
    "ratings.other.svc.cluster.local",
    "*.svc.cluster.local",
    "*.other.svc.cluster.local",
    "nobody.ext",
    "a.wild.ext",
    "*.ext",
];

proptest! {
    #![proptest_config(match std::env::var("PROPTEST_CASES") {
        Ok(_) => ProptestConfig::default(),
        Err(_) => ProptestConfig::with_cases(64),
    })]

    #[test]
    fn few_services_find_the_virtual_services_that_looking_at_all_finds(
        written in prop::collection::vec((0..WRITTEN.len(), 0..WRITTEN.len()), 4..12),
        has_wildcard in any::<bool>(),
    ) {
        let mut yaml = String::new();
        for (number, (one, other)) in written.iter().enumerate() {
            let more = if one == other { String::new() } else { format!(", '{}'", WRITTEN[*other]) };
            yaml.push_str(&format!(
                "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: v{number}, namespace: default}}\n\
                 spec: {{hosts: ['{}'{more}], http: [{{directResponse: {{status: 200}}}}]}}\n",
                WRITTEN[*one]
            ));
        }
        if has_wildcard {
            yaml.push_str(
                "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: wild, namespace: default}\n\
                 spec: {hosts: ['*.wild.ext'], ports: [{number: 5000, name: http, protocol: HTTP}]}\n",
            );
        }
        with_view(&yaml, "{}", |view| {
            for port in [9080, 7000, 5000, 4000] {
                let egress = view.egress_for(u32::from(port), "").expect("a listener for all ports");
                let services = services_of(egress, Some(port));
                let bind = Arc::from("");
                let source = Source { view, egress, services: &services, port: Some(port), bind: &bind };
                let names = |all: &mut dyn Iterator<Item = &Arc<MergedVirtualService>>| -> Vec<_> {
                    all.filter(|it| source.considers(it)).map(|it| Arc::clone(&it.name)).collect()
                };
                let found = names(&mut source.candidates(&source.wildcards()).into_iter());
                prop_assert_eq!(found, names(&mut egress.virtual_services.iter()), "{}", port);
            }
            Ok(())
        })?;
    }
}

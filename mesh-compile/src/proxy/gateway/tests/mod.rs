//! Claims about gateways, named after the rules.

mod http;
mod l4;
mod ports;
mod properties;

use std::sync::Arc;

use mesh_model::diagnostic::{Code, Report};

use super::compile;
use crate::proxy::Fragment;
use crate::proxy::listener::{ClientCertificate, DownstreamTls, FilterChain, Network};
use crate::proxy_identity::Proxy;
use crate::testing::{aged, gateway, resolve_with, service};
use crate::view::View;

/// The gateway that all of these tests ask.
fn edge() -> Proxy {
    gateway("edge", "gw")
}

/// A Gateway of `edge` with `servers` in YAML's flow form.
fn servers(name: &str, minute: u32, servers: &[&str]) -> String {
    aged(
        "Gateway",
        "edge",
        name,
        minute,
        &format!("{{selector: {{app: gw}}, servers: [{}]}}", servers.join(", ")),
    )
}

/// A server, `more` starting with a comma where there is more.
fn server(number: u16, name: &str, protocol: &str, hosts: &str, more: &str) -> String {
    format!("{{port: {{number: {number}, name: {name}, protocol: {protocol}}}, hosts: [{hosts}]{more}}}")
}

/// A VirtualService of `shop` bound to `edge/web`.
fn bound(name: &str, minute: u32, hosts: &str, rest: &str) -> String {
    aged(
        "VirtualService",
        "shop",
        name,
        minute,
        &format!("{{hosts: [{hosts}], gateways: [edge/web], {rest}}}"),
    )
}

/// An `http` list with one catch-all route to a service of `shop`.
fn http_to(service: &str) -> String {
    format!(
        "http: [{{name: {service}, route: [{{destination: {{host: {service}.shop.svc.cluster.local}}}}]}}]"
    )
}

/// A `tcp` list with one route.
fn tcp_to(service: &str) -> String {
    format!(
        "tcp: [{{route: [{{destination: {{host: {service}.shop.svc.cluster.local, port: {{number: 80}}}}}}]}}]"
    )
}

fn compiled_for(proxy: &Proxy, mesh: &str, yaml: &str) -> (Fragment, Report) {
    let (snapshot, _) = resolve_with(mesh, yaml);
    compile(&View::new(&snapshot, proxy))
}

fn compiled(yaml: &str) -> (Fragment, Report) {
    compiled_for(&edge(), "{}", yaml)
}

/// `LISTENER SERVER_NAMES>TARGET` per chain, in order.
fn chains(fragment: &Fragment) -> Vec<String> {
    let told = |chain: &FilterChain| {
        let target = match &chain.network {
            Network::Http(manager) => manager.route_table.to_string(),
            Network::Tcp(proxy) => {
                let clusters = proxy.destinations.iter();
                clusters.map(|to| format!("{}*{}", to.cluster, to.weight)).collect::<Vec<_>>().join("+")
            }
        };
        let tls = if chain.tls.is_some() { "tls " } else { "" };
        format!("{tls}{}>{target}", chain.matches.server_names.join(","))
    };
    let of_listener = |listener: &crate::proxy::listener::Listener| {
        listener
            .filter_chains
            .iter()
            .map(|chain| format!("{} {}", listener.name, told(chain)))
            .collect::<Vec<_>>()
    };
    fragment.listeners.iter().flat_map(of_listener).collect()
}

/// `TABLE DOMAINS>ROUTES` per virtual host, redirecting ones with `!`, in order of names.
fn tables(fragment: &Fragment) -> Vec<String> {
    let mut found: Vec<String> = fragment
        .route_tables
        .iter()
        .flat_map(|table| {
            table.virtual_hosts.iter().map(|host| {
                let routes: Vec<&str> = host.routes.iter().map(|route| &*route.name).collect();
                let redirects = if host.require_tls { "!" } else { "" };
                format!("{} {}{redirects}>{}", table.name, host.domains.join(","), routes.join("+"))
            })
        })
        .collect();
    found.sort();
    found
}

/// Where servers were rejected.
fn rejected(report: &Report) -> Vec<String> {
    let of = |found: &&mesh_model::diagnostic::Diagnostic| found.code == Code::ServerRejected;
    report.iter().filter(of).map(|found| found.at.field.to_string()).collect()
}

fn tls_of(fragment: &Fragment) -> Arc<DownstreamTls> {
    let chain = fragment.listeners.first().and_then(|listener| listener.filter_chains.first());
    chain.and_then(|chain| chain.tls.clone()).expect("a chain with TLS")
}

#[test]
fn t_400_only_gateways_that_select_the_proxy_count() {
    let servers = server(80, "http", "HTTP", "\"*\"", "");
    let other =
        aged("Gateway", "edge", "web", 1, &format!("{{selector: {{app: other}}, servers: [{servers}]}}"));
    assert!(compiled(&other).0.listeners.is_empty());
    let any = aged("Gateway", "far", "web", 1, &format!("{{servers: [{servers}]}}"));
    assert_eq!(chains(&compiled(&any).0), ["0.0.0.0_80 >http.80"]);
}

#[test]
fn s_043_mesh_tls_at_gateways_trusts_any_domain_of_its_authority() {
    let yaml = servers("web", 1, &[&server(443, "mesh", "HTTPS", "a.com", ", tls: {mode: ISTIO_MUTUAL}")]);
    let tls = tls_of(&compiled(&yaml).0);
    assert_eq!(tls.client_certificate, ClientCertificate::Required);
    assert!(tls.trust_domains.is_empty());
    assert_eq!((&*tls.certificates[0], tls.root.as_deref()), ("default", Some("ROOTCA")));
}

#[test]
fn t_440_gateways_are_edges_with_the_trusted_proxies_of_the_mesh() {
    let yaml = servers("web", 1, &[&server(80, "http", "HTTP", "\"*\"", "")]);
    let mesh = "{\"defaultConfig\": {\"gatewayTopology\": {\"numTrustedProxies\": 2}}}";
    let (fragment, _) = compiled_for(&edge(), mesh, &yaml);
    let Network::Http(manager) = &fragment.listeners[0].filter_chains[0].network else { panic!("no HTTP") };
    assert!(manager.use_remote_address);
    assert_eq!(manager.trusted_hops, 2);
}

#[test]
fn origins_name_the_server() {
    let yaml = service("shop", "cart")
        + &servers("web", 1, &[&server(80, "http", "HTTP", "\"*\"", "")])
        + &bound("a", 1, "a.com", &http_to("cart"));
    let (fragment, _) = compiled(&yaml);
    let (listener, table) = (&fragment.listeners[0], &fragment.route_tables[0]);
    let origins = [&listener.origin, &listener.filter_chains[0].origin, &table.virtual_hosts[0].origin];
    assert!(origins.iter().all(|origin| origin.to_string().starts_with("Gateway edge/web spec.servers[0]")));
}

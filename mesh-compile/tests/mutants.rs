//! Meshes as a compiler with one known bug would see them, and the question that tells it from ours.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use mesh_compile::compiler::Compiler;
use mesh_compile::proxy::ProxyConfig;
use mesh_model::mesh_config::MeshConfig;

mod common;

use common::*;

/// Row of the list of attacks, the bug, the mesh, what the one with the bug takes it for; then the proxy that is asked,
/// the question and what is right.
struct Mutant {
    row: &'static str,
    bug: &'static str,
    mesh: String,
    /// What is read as what.
    misread: (&'static str, &'static str),
    proxy: (&'static str, &'static str),
    question: fn(&ProxyConfig) -> String,
    right: &'static str,
}

/// A Service of `a`, and somebody's routes for its host.
fn hijack(export: &str) -> String {
    let spec =
        format!("hosts: [web.a.svc.cluster.local], exportTo: [{export}], http: [{{{}}}]", respond(200));
    service("a", "web") + &istio("VirtualService", "evil", "v", 1, &spec)
}

fn answer_of_web(config: &ProxyConfig) -> String {
    answer(config, "80", "web.a.svc.cluster.local", "/")
}

/// A Gateway of `a` for some hosts, and a VirtualService of `evil` for `web.io` there.
fn bound(hosts: &str, gateway: &str) -> String {
    let server = format!("{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ['{hosts}']}}");
    let routes = format!("hosts: [web.io], gateways: [{gateway}], http: [{{{}}}]", respond(200));
    istio("Gateway", "a", "gw", 0, &format!("selector: {{app: p}}, servers: [{server}]"))
        + &istio("VirtualService", "evil", "v", 1, &routes)
}

fn answer_at_the_gateway(config: &ProxyConfig) -> String {
    answer(config, "http.80", "web.io", "/")
}

fn passthrough() -> String {
    service("a", "web")
        + &service("ba", "db")
        + &istio(
            "Gateway",
            "a",
            "gw",
            0,
            "selector: {app: p}, servers: [{port: {number: 15443, name: tls, protocol: TLS}, \
             hosts: ['*.a.svc.cluster.local'], tls: {mode: AUTO_PASSTHROUGH}}]",
        )
}

fn server_names(config: &ProxyConfig) -> String {
    let chains = config.listeners.iter().flat_map(|listener| &listener.filter_chains);
    let names: Vec<_> = chains.flat_map(|chain| chain.matches.server_names.clone()).collect();
    names.join(" ")
}

fn credential(namespace: &str, name: &str) -> String {
    let server = format!(
        "selector: {{app: p}}, servers: [{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [web.io], \
         tls: {{mode: SIMPLE, credentialName: '{name}'}}}}]"
    );
    istio("Gateway", namespace, "gw", 0, &server)
}

fn certificates(config: &ProxyConfig) -> String {
    let chains = config.listeners.iter().flat_map(|listener| &listener.filter_chains);
    let tls = chains.filter_map(|chain| chain.tls.as_ref());
    tls.flat_map(|tls| tls.certificates.clone()).collect::<Vec<_>>().join(" ")
}

fn of_a_newer_version() -> String {
    let routes = |status| {
        istio("VirtualService", "a", "v", 1, &format!("hosts: [web], http: [{{{}}}]", respond(status)))
    };
    service("a", "web")
        + &routes(200)
        + &routes(500).replace("networking.istio.io/v1", "networking.istio.io/v9")
}

fn mutants() -> Vec<Mutant> {
    let own = "outbound|80||web.a.svc.cluster.local";
    let declared = "outbound_.80_._.web.a.svc.cluster.local";
    let mutant = |row, bug, mesh, misread, proxy, question, right| Mutant {
        row,
        bug,
        mesh,
        misread,
        proxy,
        question,
        right,
    };
    let (sidecar, gateway) = (("sidecar", "a"), ("gateway", "a"));
    vec![
        mutant(
            "35",
            "whom routes are exported to is not read",
            hijack("'.'"),
            ("exportTo: ['.']", "exportTo: ['*']"),
            sidecar,
            answer_of_web,
            own,
        ),
        mutant(
            "35",
            "everybody is at home in every namespace",
            hijack("'.'"),
            ("namespace: evil", "namespace: a"),
            sidecar,
            answer_of_web,
            own,
        ),
        mutant(
            "35",
            "of several namespaces that are named any will do",
            hijack("b, c"),
            ("exportTo: [b, c]", "exportTo: [a, b, c]"),
            sidecar,
            answer_of_web,
            own,
        ),
        mutant(
            "38",
            "the namespace before a host is not read",
            bound("a/web.io", "a/gw"),
            ("'a/web.io'", "'web.io'"),
            gateway,
            answer_at_the_gateway,
            "404",
        ),
        mutant(
            "38",
            "`.` before a host is every namespace",
            bound("./web.io", "a/gw"),
            ("'./web.io'", "'*/web.io'"),
            gateway,
            answer_at_the_gateway,
            "404",
        ),
        mutant(
            "38",
            "a gateway's name is looked for in every namespace",
            bound("*", "gw"),
            ("gateways: [gw]", "gateways: [a/gw]"),
            gateway,
            answer_at_the_gateway,
            "404",
        ),
        mutant(
            "20",
            "every service is passed through, declared or not",
            passthrough(),
            ("'*.a.svc.cluster.local'", "'*'"),
            gateway,
            server_names,
            declared,
        ),
        mutant(
            "20",
            "a wildcard takes what ends so, whatever stands before it",
            passthrough(),
            ("['*.a.svc.cluster.local']", "['*.a.svc.cluster.local', '*.ba.svc.cluster.local']"),
            gateway,
            server_names,
            declared,
        ),
        mutant(
            "33",
            "the namespace in a credential's name is not read",
            credential("a", "kubernetes-gateway://other/cert"),
            ("other/cert", "a/cert"),
            gateway,
            certificates,
            "invalid://kubernetes-gateway://other/cert",
        ),
        mutant(
            "33",
            "whoever selects a gateway may name its credentials",
            credential("evil", "kubernetes-gateway://a/cert"),
            ("namespace: evil", "namespace: a"),
            gateway,
            certificates,
            "invalid://kubernetes-gateway://a/cert",
        ),
        mutant(
            "28",
            "a version that nobody serves is read as one that is",
            of_a_newer_version(),
            ("networking.istio.io/v9", "networking.istio.io/v1"),
            sidecar,
            answer_of_web,
            "200",
        ),
    ]
}

#[test]
fn every_planted_bug_is_told_from_ours() {
    for Mutant { row, bug, mesh, misread: (written, read), proxy: (kind, namespace), question, right } in
        mutants()
    {
        let ask = |text: &str| {
            let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
            compiler.apply(documents(text));
            question(&compiler.config_for(&proxy(kind, namespace)))
        };
        assert!(mesh.contains(written), "row {row}: nothing to misread: {bug}");
        assert_eq!(ask(&mesh), right, "row {row}: ours has the bug: {bug}");
        assert_ne!(ask(&mesh.replace(written, read)), right, "row {row}: nobody would see: {bug}");
    }
}

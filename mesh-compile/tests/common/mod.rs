//! Meshes in YAML, compiled for one proxy, and what becomes of a request.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test program uses a part; a test fails by panicking"
)]

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use mesh_compile::analyze::{Input, Options, analyze};
use mesh_compile::compiler::compile;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy_identity::Proxy;
use mesh_compile::route_table::action::RouteAction;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::diagnostic::{Code, Report};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};

pub fn documents(yaml: &str) -> Vec<Change> {
    let loaded = load("mesh.yaml", yaml, &LoadOptions::default());
    assert!(!loaded.report.has_errors(), "{:?}", loaded.report.iter().next());
    loaded.documents.into_iter().map(Change::Upsert).collect()
}

/// A mesh as a control plane has it that never saw a webhook: what cannot be read is out, the rest is in.
pub fn mesh(yaml: &str) -> (MeshSnapshot, Report) {
    let mut config = ConfigSet::new();
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    let mut report = config.apply_with(documents(yaml), options).report;
    let (snapshot, problems) = MeshSnapshot::resolve(&config, Arc::new(MeshConfig::with_defaults()));
    report.merge(problems);
    (snapshot, report)
}

pub fn proxy(kind: &str, namespace: &str) -> Proxy {
    serde_json::from_value(serde_json::json!({
        "type": kind, "namespace": namespace, "name": "p", "labels": {"app": "p"}, "ip": "10.1.2.3",
    }))
    .unwrap()
}

pub fn run(yaml: &str, proxy: &Proxy) -> (ProxyConfig, Report) {
    let (snapshot, mut report) = mesh(yaml);
    let (config, problems) = compile(&View::new(&snapshot, proxy));
    report.merge(problems);
    (config, report)
}

/// Everything a configuration says, places included.
pub fn said(config: &ProxyConfig) -> String {
    let mut text = String::new();
    for listener in &config.listeners {
        writeln!(text, "{listener:?}").unwrap();
    }
    for table in config.route_tables.values() {
        writeln!(text, "{} {:?}", table.name, table.virtual_hosts).unwrap();
    }
    config.clusters.values().for_each(|cluster| writeln!(text, "{cluster:?}").unwrap());
    text
}

/// Where a request goes: a cluster, a status, `404` (no route) or `no host`.
pub fn answer(config: &ProxyConfig, table: &str, host: &str, path: &str) -> String {
    let Some(table) = config.route_tables.get(table) else { return "no table".into() };
    let Some(found) = table.virtual_host(host) else { return "no host".into() };
    let request = RequestFacts {
        version: HttpVersion::Http2,
        method: Cow::Borrowed("GET"),
        scheme: Cow::Borrowed("http"),
        authority: Cow::Borrowed(host),
        path: Cow::Borrowed(path),
        headers: Headers::default(),
    };
    match found.find(&request, None, &mut ()).map(|route| &route.action) {
        None => "404".into(),
        Some(RouteAction::Respond(response)) => response.status.to_string(),
        Some(RouteAction::Redirect(redirect)) => redirect.status.to_string(),
        Some(RouteAction::Forward(forward)) => {
            let cluster = &forward.destinations.iter().next().unwrap().cluster;
            let exists = config.clusters.contains_key(cluster);
            format!("{cluster}{}", if exists { "" } else { " (no cluster)" })
        }
    }
}

pub fn has(report: &Report, code: Code, name: &str) -> bool {
    report.iter().any(|it| it.code == code && it.at.resource.name == name && it.at.line > 0)
}

pub fn service(namespace: &str, name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{clusterIP: 10.0.0.1, selector: {{app: {name}}}, ports: [{{name: http, port: 80}}]}}\n"
    )
}

pub fn istio(kind: &str, namespace: &str, name: &str, minute: u32, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}, \
         creationTimestamp: \"2024-01-01T00:{minute:02}:00Z\"}}\nspec: {{{spec}}}\n"
    )
}

pub fn respond(status: u16) -> String {
    format!("directResponse: {{status: {status}}}")
}

/// What analysis finds.
pub fn analyzed(yaml: &str) -> Report {
    let mut config = ConfigSet::new();
    config.apply(documents(yaml));
    analyze(&Input::new(&config, &MeshConfig::with_defaults()), &Options::default()).report
}

/// The findings of some object: code and field.
pub fn told(report: &Report, name: &str) -> Vec<String> {
    let of = report.iter().filter(|it| it.at.resource.name == name && it.at.line > 0);
    let mut found: Vec<_> = of.map(|it| format!("{} {}", it.code.as_str(), it.at.field)).collect();
    found.sort();
    found.dedup();
    found
}

/// The proxy itself as a Pod with an endpoint behind the Service `p`.
pub const PROXY_POD: &str = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a, labels: {app: p}}\nstatus: {podIP: 10.1.2.3, phase: Running}\n\
    ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: p-1, namespace: a, labels: {kubernetes.io/service-name: p}}\n\
    addressType: IPv4\nports: [{name: http, port: 80}]\nendpoints: [{addresses: [10.1.2.3], targetRef: {kind: Pod, name: p, namespace: a}}]\n";

//! Matching, merging and naming, row by row as Istio's own tables have them. Rows about policies are in mesh-authz.
//!
//! Skipped, with a line that says so, where the conformance folder is not beside the repository.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mesh::compile::proxy::cluster::UpstreamTls;
use mesh::compile::proxy::clusters::names::{host_of, outbound};
use mesh::model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh::model::document::{Document, Source, Span};
use mesh::model::mesh_config::{MeshConfig, ProxyConfig as MeshProxyConfig};
use mesh::model::name::{
    Protocol, Transport, compare_specificity, host_matches, host_subset_of, is_wildcard, most_specific_match,
};
use mesh::model::value::PathTemplate;
use mesh::{Mesh, Proxy, ProxyConfig};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Targets whose rows `mesh-authz/src/policy_set/tests/strings.rs` runs.
const IN_MESH_AUTHZ: [&str; 10] = [
    "source.serviceAccounts value Input matches peer identity Identity (whole string)",
    "source.namespaces value v matches identity `match`, not `noMatch`",
    "requestPrincipals value -> Envoy RBAC principal (YAML text)",
    "value v with identity prefix matches `match`, not `noMatch`",
    "extractNameInBrackets",
    "extractNameInNestedBrackets",
    "replaceTrustDomainInPrincipal(trustDomainIn, principal)",
    "getTrustDomainFromSpiffeIdentity; empty = error",
    "isTrustDomainBeingEnforced",
    "stringMatch(element, list)",
];

fn rows() -> Option<Vec<Value>> {
    let near = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("MESH_SHARED").map_or(near, Into::into);
    let file = shared.join("conformance/strings/tables.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no {}", file.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn every_row_of_the_tables_holds() {
    let Some(rows) = rows() else { return };
    let mut elsewhere = 0;
    let mut wrong = Vec::new();
    for row in &rows {
        let target = row["target"].as_str().unwrap();
        if IN_MESH_AUTHZ.contains(&target) {
            elsewhere += 1;
            continue;
        }
        let (got, wanted) = check(target, &row["input"], &row["expect"]);
        if got != wanted {
            wrong.push(format!("{}: {} gives {got}, not {wanted}", row["id"], row["input"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} rows here, {elsewhere} in mesh-authz", rows.len() - elsewhere);
}

/// What a row gives, and what it should.
fn check(target: &str, input: &Value, expect: &Value) -> (Value, Value) {
    let text = |name: &str| input[name].as_str().unwrap();
    let port = || u16::try_from(input["port"].as_u64().unwrap()).unwrap();
    match target {
        "host.Name.Matches(a, b)" => (host_matches(text("a"), text("b")).into(), expect["out"].clone()),
        "host.Name.SubsetOf(a, b)" => (host_subset_of(text("a"), text("b")).into(), expect["out"].clone()),
        "host.MoreSpecific(host1, host2)" => {
            // Of equals either may come first; there the row says so.
            let order = compare_specificity(text("host1"), text("host2"));
            (order.is_le().into(), expect["expected"].clone())
        }
        "MostSpecificHostMatch(needle, hosts); empty = no match" => {
            let hosts =
                input["in"].as_array().unwrap().iter().map(|host| (host.as_str().unwrap().to_owned(), ()));
            let (wildcards, exact): (BTreeMap<_, _>, BTreeMap<_, _>) =
                hosts.partition(|(host, ())| is_wildcard(host));
            let found = most_specific_match(text("needle"), &exact, &wildcards);
            (found.map_or("", |(host, ())| host).into(), expect["want"].clone())
        }
        "BuildSubsetKey(outbound, subset, hostname, port)" => {
            (outbound(port(), text("subset"), text("hostname")).to_string().into(), expect["want"].clone())
        }
        "ParseSubsetKeyHostname" => (host_of(text("in")).into(), expect["out"].clone()),
        "ConvertProtocol(port, portName, proto, appProto)" => {
            let transport = if input["proto"] == "UDP" { Transport::Udp } else { Transport::Tcp };
            let app = input["appProto"].as_str();
            let protocol = Protocol::from_name_and_app_protocol(text("portName"), app, transport, port());
            (spelled(protocol).into(), expect["expectedProto"].clone())
        }
        "protocol.Parse" => (spelled(Protocol::parse(text("name"))).into(), expect["out"].clone()),
        "ContainsPathTemplate" => {
            (PathTemplate::is_template(text("path")).into(), expect["isPathTemplate"].clone())
        }
        "mesh ProxyConfig YAML base, then overlay applied -> result" => {
            let merged = read::<MeshProxyConfig>(text("base")).overlay(read(text("overlay")));
            let wanted: MeshProxyConfig = read(expect["result"].as_str().unwrap());
            (serde_json::to_value(merged).unwrap(), serde_json::to_value(wanted).unwrap())
        }
        _ if target.starts_with("MeshConfig YAML `in` applied over") => {
            let base: MeshConfig = read(
                "defaultProviders: {metrics: [stackdriver]}\ntrustDomainAliases: [default, both]\n\
                 extensionProviders: [{name: stackdriver, stackdriver: {maxNumberOfAttributes: 3}}]",
            );
            let merged = serde_json::to_value(base.overlay(read(text("in")))).unwrap();
            let wanted: MeshConfig = read(expect["out"].as_str().unwrap());
            (merged, serde_json::to_value(wanted).unwrap())
        }
        "ToKubernetesGatewayResource(namespace, name)" => {
            (listener_credential(text("namespace"), text("name")).into(), expect["want"].clone())
        }
        "ToResourceName" => (client_credential(text("name")).into(), expect["want"].clone()),
        "DomainName(host, port)" => (virtual_host(text("host"), port()).0.into(), expect["match"].clone()),
        "IPv6Compliant(host)" => (virtual_host(text("host"), 80).1.into(), expect["match"].clone()),
        other => panic!("no rule for `{other}`"),
    }
}

/// As Istio writes it.
fn spelled(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Grpc => "GRPC",
        Protocol::GrpcWeb => "GRPC-Web",
        Protocol::Http => "HTTP",
        Protocol::HttpProxy => "HTTP_PROXY",
        Protocol::Http2 => "HTTP2",
        Protocol::Https => "HTTPS",
        Protocol::Tcp => "TCP",
        Protocol::Tls => "TLS",
        Protocol::Udp => "UDP",
        Protocol::Mongo => "Mongo",
        Protocol::Redis => "Redis",
        Protocol::MySql => "MySQL",
        Protocol::Unsupported => "UnsupportedProtocol",
    }
}

fn read<T: DeserializeOwned>(yaml: &str) -> T {
    let loaded = mesh::model::yaml::load("f", yaml, &mesh::model::yaml::LoadOptions::default());
    assert!(loaded.report.is_empty(), "{yaml}: {:?}", loaded.report);
    serde_json::from_value(loaded.documents[0].root().to_json()).unwrap()
}

/// A mesh of objects that no webhook has seen.
fn resolved(objects: &[Value]) -> Mesh {
    let source = Source { file: "f".into(), cluster: "Kubernetes".into() };
    let documents = objects.iter().enumerate().map(|(index, json)| {
        Change::Upsert(Arc::new(Document::from_json(source.clone(), index, json, Span::default())))
    });
    let mut config = ConfigSet::new();
    config.apply_with(documents, ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() });
    Mesh::resolve(config, Arc::new(MeshConfig::with_defaults())).0
}

fn sidecar(objects: &[Value]) -> ProxyConfig {
    let proxy: Proxy = serde_json::from_value(
        json!({"type": "sidecar", "namespace": "anything", "name": "p", "labels": {"app": "p"}, "ip": "10.1.2.3"}),
    )
    .unwrap();
    resolved(objects).proxy_config(&proxy).0
}

fn object(api_version: &str, kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "n", "namespace": "anything"}, "spec": spec})
}

/// Name and first domain of the virtual host of a service called `host`.
fn virtual_host(host: &str, port: u16) -> (String, String) {
    let entry = json!({"hosts": [host], "resolution": "NONE",
        "ports": [{"number": port, "name": "http", "protocol": "HTTP"}]});
    let config = sidecar(&[object("networking.istio.io/v1", "ServiceEntry", &entry)]);
    let table = config.route_tables.get(port.to_string().as_str()).unwrap();
    // Behind it stands the one for what nobody knows.
    let found = table.virtual_hosts.iter().find(|found| *found.name != *"allow_any").unwrap();
    (found.name.to_string(), found.domains[0].to_string())
}

/// The client certificate of a cluster whose rule names a credential.
fn client_credential(name: &str) -> String {
    let service = json!({"hosts": ["a.example"], "resolution": "DNS",
        "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}]});
    let rule = json!({"host": "a.example", "workloadSelector": {"matchLabels": {"app": "p"}},
        "trafficPolicy": {"tls": {"mode": "MUTUAL", "credentialName": name}}});
    let config = sidecar(&[
        object("networking.istio.io/v1", "ServiceEntry", &service),
        object("networking.istio.io/v1", "DestinationRule", &rule),
    ]);
    let UpstreamTls::Tls(tls) = &config.clusters.get("outbound|443||a.example").unwrap().tls else {
        panic!("`{name}`: no TLS")
    };
    tls.certificate.as_deref().unwrap_or_default().to_owned()
}

/// The credential of a Kubernetes Gateway's listener whose certificate is a Secret of that name.
fn listener_credential(namespace: &str, name: &str) -> String {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
        "data": {"tls.crt": "LS0tLS1CRUdJTiBDRVJU", "tls.key": "LS0tLS1CRUdJTiBQUklW"}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "n-istio", "namespace": namespace},
        "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "https", "port": 443}]}});
    let listener = json!({"name": "l", "port": 443, "protocol": "HTTPS", "hostname": "a.example",
        "tls": {"certificateRefs": [{"name": name}]}});
    let mut gateway = object(
        "gateway.networking.k8s.io/v1",
        "Gateway",
        &json!({"gatewayClassName": "istio", "listeners": [listener]}),
    );
    gateway["metadata"]["namespace"] = namespace.into();
    let mesh = resolved(&[secret, service, gateway]);
    let [gateway] = mesh.snapshot().gateways.as_slice() else { panic!("no gateway") };
    gateway.spec.servers[0].tls.as_ref().unwrap().credential_name.clone()
}

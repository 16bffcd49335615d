//! The registry against the clusters of the conformance cases, where the corpus is there (`MESH_SHARED`).
//!
//! A cluster of a case lists the endpoints that the control plane sent for a service port. Which services a proxy
//! sees is not asked here: the endpoints must be those of the host in one of its namespaces.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::decode::{DecodeOptions, Unknown, decode};
use mesh_model::diagnostic::{Place, Report};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};
use serde_json::Value;

use super::Registry;
use super::endpoint::{Endpoint, Health};
use super::service::{Resolution, Service, ServicePort};

fn corpus() -> Option<PathBuf> {
    let near = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = std::env::var_os("MESH_SHARED").map_or(near, PathBuf::from).join("conformance/decide");
    folder.is_dir().then_some(folder)
}

fn mesh_config(text: &str) -> MeshConfig {
    let loaded = load("mesh.yaml", text, &LoadOptions::default());
    let options = DecodeOptions { protobuf: true, unknown: Unknown::Ignore };
    let mut report = Report::new();
    let place = |_: &str, span| Place::in_file("mesh.yaml", span);
    let written = loaded
        .documents
        .first()
        .and_then(|document| decode::<MeshConfig>(document.root(), "", options, &place, &mut report));
    MeshConfig::with_defaults().overlay(written.unwrap_or_default())
}

fn registry(case: &Path) -> Registry {
    let text = std::fs::read_to_string(case.join("config.yaml")).unwrap();
    let mut config = ConfigSet::new();
    let documents = load("config.yaml", text, &LoadOptions::default()).documents;
    config.apply(documents.into_iter().map(Change::Upsert));
    let mesh = std::fs::read_to_string(case.join("mesh.yaml")).unwrap_or_default();
    Registry::build(&config, &mesh_config(&mesh)).0
}

fn described(endpoint: &Endpoint) -> String {
    let address = match endpoint.port {
        0 if endpoint.address.starts_with('/') => format!("unix:{}", endpoint.address),
        port => format!("{}:{port}", endpoint.address),
    };
    let health = if endpoint.health == Health::Unhealthy { "UNHEALTHY" } else { "HEALTHY" };
    format!("{address} weight {} {health} locality `{}`", endpoint.weight, endpoint.locality)
}

fn listed(endpoint: &Value) -> String {
    let text = |key: &str| endpoint[key].as_str().unwrap_or_default();
    format!(
        "{} weight {} {} locality `{}`",
        text("address"),
        endpoint["weight"],
        text("health"),
        text("locality")
    )
}

fn sent(registry: &Registry, service: &Service, port: &ServicePort, unhealthy: bool) -> Vec<String> {
    let mut out: Vec<_> = registry
        .port_endpoints(service, port)
        .filter(|endpoint| match endpoint.health {
            Health::Healthy => true,
            Health::Unhealthy => unhealthy,
            Health::Draining => service.labels.contains_key("istio.io/persistent-session"),
            Health::Terminating => false,
        })
        .map(|endpoint| described(endpoint))
        .collect();
    out.sort();
    out
}

/// Whether a service can be behind a cluster of this type; gateways list the endpoints of headless services, and
/// pass-through load balancing makes an original-destination cluster of any service.
fn has_type(service: &Service, cluster: &Value) -> bool {
    match cluster["type"].as_str() {
        Some("EDS") => matches!(service.resolution, Resolution::ClientSide | Resolution::Passthrough),
        Some("ORIGINAL_DST") => service.resolution != Resolution::Alias,
        Some("STRICT_DNS") => service.resolution == Resolution::Dns && !service.logical_dns,
        Some("LOGICAL_DNS") => service.logical_dns,
        _ => service.resolution == Resolution::DynamicDns,
    }
}

#[test]
fn endpoints_and_identities_are_those_of_the_cases() {
    let Some(corpus) = corpus() else {
        println!("skipped: no conformance cases");
        return;
    };
    let mut compared = 0;
    let mut identities = 0;
    let mut problems = Vec::new();
    let areas = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> =
        areas.flat_map(|area| std::fs::read_dir(area).unwrap().map(|entry| entry.unwrap().path())).collect();
    cases.sort();
    for case in cases {
        let Ok(text) = std::fs::read_to_string(case.join("clusters.json")) else { continue };
        let clusters: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
        let registry = registry(&case);
        for (name, cluster) in &clusters {
            let parts: Vec<_> = name.split('|').collect();
            let ["outbound", number, "", host] = parts[..] else { continue };
            let number: u16 = number.parse().unwrap();
            let is_known = registry
                .by_host(host)
                .iter()
                .any(|service| service.port(number).is_some() && has_type(service, cluster));
            if !is_known {
                problems.push(format!(
                    "{} {name}: no such service of type {}",
                    case.display(),
                    cluster["type"]
                ));
            }
            if !matches!(cluster["type"].as_str(), Some("EDS" | "STRICT_DNS" | "LOGICAL_DNS")) {
                continue;
            }
            let mut wanted: Vec<_> = cluster["endpoints"].as_array().unwrap().iter().map(listed).collect();
            wanted.sort();
            let candidates: Vec<(&Arc<Service>, &ServicePort)> = registry
                .by_host(host)
                .iter()
                .filter_map(|service| Some((service, service.port(number)?)))
                .collect();
            compared += 1;
            let fits = |unhealthy| {
                let found =
                    candidates.iter().map(|(service, port)| sent(&registry, service, port, unhealthy));
                // `distribute` leaves out localities that get nothing.
                let may_miss = cluster.get("locality_weighted").is_some();
                found.into_iter().any(|found| {
                    found == wanted || may_miss && wanted.iter().all(|endpoint| found.contains(endpoint))
                })
            };
            if !fits(true) && !fits(false) {
                let found: Vec<_> =
                    candidates.iter().map(|(service, port)| sent(&registry, service, port, true)).collect();
                problems.push(format!("{} {name}\n  wanted {wanted:?}\n  found  {found:?}", case.display()));
            }
            let speaks_mesh_tls = |listed: &&Value| listed["tls"] == "istio";
            for one in cluster["endpoints"].as_array().unwrap().iter().filter(speaks_mesh_tls) {
                let address = one["address"].as_str().unwrap();
                let known = candidates.iter().flat_map(|(service, _)| registry.endpoints(service));
                let is_known = known.into_iter().any(|endpoint| {
                    endpoint.mtls && format!("{}:{}", endpoint.address, endpoint.port) == address
                });
                if !is_known {
                    problems.push(format!("{} {name}: {address} is not marked", case.display()));
                }
            }
            if cluster["tls"]["auto"] == Value::Bool(true) {
                identities += 1;
                let wanted: Vec<_> = cluster["tls"]["sans"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|san| san.as_str().unwrap().trim_start_matches("exact:").to_owned())
                    .collect();
                let found: Vec<_> =
                    candidates.iter().map(|(service, _)| registry.identities(service).to_vec()).collect();
                if !found.contains(&wanted) {
                    problems
                        .push(format!("{} {name}\n  wanted {wanted:?}\n  found  {found:?}", case.display()));
                }
            }
        }
    }
    println!("{compared} clusters, {identities} lists of identities");
    assert!(problems.is_empty(), "{} differ:\n{}", problems.len(), problems.join("\n"));
}

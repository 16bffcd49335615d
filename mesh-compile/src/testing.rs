//! What tests share: text in, snapshots and proxies out.

use std::sync::Arc;

use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::diagnostic::{Report, Severity, Stage};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};

use crate::proxy_identity::Proxy;
use crate::snapshot::MeshSnapshot;

/// A mesh from YAML documents, with `mesh` (JSON) over the default settings. Broken documents fail the test.
pub(crate) fn resolve_with(mesh: &str, yaml: &str) -> (MeshSnapshot, Report) {
    resolve_clusters(mesh, &[("Kubernetes", yaml)])
}

/// The same from the documents of several clusters.
pub(crate) fn resolve_clusters(mesh: &str, clusters: &[(&str, &str)]) -> (MeshSnapshot, Report) {
    let written: MeshConfig = serde_json::from_str(mesh).unwrap();
    let mut config = ConfigSet::new();
    for (cluster, yaml) in clusters {
        let loaded = load("test.yaml", *yaml, &LoadOptions::default().with_cluster(*cluster));
        assert!(!loaded.report.has_errors(), "{:?}", loaded.report);
        let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
        let applied = config.apply_with(loaded.documents.into_iter().map(Change::Upsert), options);
        // Fixtures are as small as they can be: what Istio's webhook would add does not matter here.
        let unread = applied
            .report
            .iter()
            .find(|finding| finding.severity == Severity::Error && finding.code.stage() == Stage::Read);
        assert!(unread.is_none(), "{unread:?}");
    }
    MeshSnapshot::resolve(&config, Arc::new(MeshConfig::with_defaults().overlay(written)))
}

/// A mesh from YAML documents with the default settings.
pub(crate) fn resolve(yaml: &str) -> MeshSnapshot {
    resolve_with("{}", yaml).0
}

/// A sidecar of a namespace with one label `app`.
pub(crate) fn sidecar(namespace: &str, app: &str) -> Proxy {
    proxy("sidecar", namespace, app)
}

/// A gateway of a namespace with one label `app`.
pub(crate) fn gateway(namespace: &str, app: &str) -> Proxy {
    proxy("gateway", namespace, app)
}

fn proxy(kind: &str, namespace: &str, app: &str) -> Proxy {
    serde_json::from_value(serde_json::json!({
        "type": kind, "namespace": namespace, "name": format!("{app}-1"), "labels": {"app": app}, "ip": "10.1.2.3",
    }))
    .unwrap()
}

/// A Kubernetes Service with one HTTP port 80 that selects `app: NAME`.
pub(crate) fn service(namespace: &str, name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{clusterIP: 10.0.0.1, selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}\n"
    )
}

/// An Istio object of the networking group.
pub(crate) fn istio(kind: &str, namespace: &str, name: &str, spec: &str) -> String {
    aged(kind, namespace, name, 0, spec)
}

/// The same with an age: `minute` of one fixed hour.
pub(crate) fn aged(kind: &str, namespace: &str, name: &str, minute: u32, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}, \
         creationTimestamp: \"2024-01-01T00:{minute:02}:00Z\"}}\nspec: {spec}\n"
    )
}

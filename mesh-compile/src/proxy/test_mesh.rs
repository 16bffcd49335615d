//! A mesh from YAML for tests of this module.

use std::sync::Arc;

use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::diagnostic::{Severity, Stage};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};

use crate::proxy_identity::{Proxy, ProxyKind};
use crate::snapshot::MeshSnapshot;
use crate::view::View;

/// A service with an HTTP, a TCP and an undeclared port, and an HTTP-only one.
pub(crate) const SERVICES: &str = "
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec:
  clusterIP: 10.0.0.1
  selector: {app: reviews}
  ports:
  - {name: http, port: 9080}
  - {name: tcp, port: 7000}
  - {name: any, port: 5000}
---
apiVersion: v1
kind: Service
metadata: {name: ratings, namespace: other}
spec:
  clusterIP: 10.0.0.2
  ports:
  - {name: http, port: 9080}
";

/// The snapshot of documents.
pub(crate) fn snapshot(yaml: &str, mesh: &str) -> MeshSnapshot {
    let loaded = load("test.yaml", yaml.as_bytes(), &LoadOptions::default());
    assert!(loaded.report.is_empty(), "{:?}", loaded.report);
    let mut config = ConfigSet::new();
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    let applied = config.apply_with(loaded.documents.into_iter().map(Change::Upsert), options);
    // Fixtures are as small as they can be: what Istio's webhook would add does not matter here.
    let unread = applied
        .report
        .iter()
        .find(|finding| finding.severity == Severity::Error && finding.code.stage() == Stage::Read);
    assert!(unread.is_none(), "{unread:?}");
    let written: MeshConfig = serde_json::from_str(mesh).expect("mesh configuration");
    MeshSnapshot::resolve(&config, Arc::new(MeshConfig::with_defaults().overlay(written))).0
}

/// A sidecar in `default` with the label `app: web`.
pub(crate) fn sidecar() -> Proxy {
    Proxy {
        kind: ProxyKind::Sidecar,
        namespace: "default".into(),
        name: "web-1".into(),
        labels: [("app".to_owned(), "web".to_owned())].into(),
        ip: Some([10, 1, 2, 3].into()),
        service_account: "web".into(),
        locality: "".into(),
        cluster_id: "Kubernetes".into(),
        metadata: Default::default(),
    }
}

/// Runs `check` on the view of [`sidecar`] over [`SERVICES`] and more documents.
pub(crate) fn with_view<T>(yaml: &str, mesh: &str, check: impl FnOnce(&View<'_>) -> T) -> T {
    let snapshot = snapshot(&format!("{SERVICES}\n---\n{yaml}"), mesh);
    let proxy = sidecar();
    check(&View::new(&snapshot, &proxy))
}

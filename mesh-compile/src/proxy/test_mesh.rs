//! A mesh from YAML for tests of this module.

use crate::proxy_identity::{Proxy, ProxyKind};
use crate::snapshot::MeshSnapshot;
use crate::testing::resolve_with;
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
    resolve_with(mesh, yaml).0
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

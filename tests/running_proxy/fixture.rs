//! A proxy that runs for one test.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mesh::compile::compiler::compile;
use mesh::compile::proxy::ProxyConfig;
use mesh::compile::proxy_identity::Proxy as Identity;
use mesh::compile::snapshot::MeshSnapshot;
use mesh::compile::view::View;
use mesh::model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh::model::mesh_config::MeshConfig;
use mesh::model::yaml::{LoadOptions, load};
use mesh::proxy_core::runtime::options::{Listen, PortMap};
use mesh::proxy_core::runtime::proxy::Builder;
use mesh::proxy_core::runtime::{Options, Proxy};
use mesh::proxy_core::seam::dial::SystemDial;
use mesh::proxy_core::seam::key_fetch;
use mesh::proxy_core::seam::resolve::InMemory;
use mesh::proxy_core::seam::sink::Kept;

pub const SIDECAR: &str = r#"{"type":"sidecar","namespace":"shop","name":"web-0","ip":"10.0.0.9",
    "labels":{"app":"web"},"service_account":"web"}"#;
pub const GATEWAY: &str = r#"{"type":"gateway","namespace":"edge","name":"door-0","ip":"10.0.0.8",
    "labels":{"app":"door"},"service_account":"door"}"#;

/// Compiles configuration for a proxy.
pub fn config(text: &str, proxy: &str) -> ProxyConfig {
    config_with(text, proxy, MeshConfig::with_defaults())
}

pub fn config_with(text: &str, proxy: &str, mesh: MeshConfig) -> ProxyConfig {
    let mut config = ConfigSet::new();
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    let loaded = load("test.yaml", text, &LoadOptions::default());
    assert!(!loaded.report.has_errors(), "{:?}", loaded.report);
    config.apply_with(loaded.documents.into_iter().map(Change::Upsert), options);
    let (snapshot, _) = MeshSnapshot::resolve(&config, Arc::new(mesh));
    let proxy: Identity = serde_json::from_str(proxy).unwrap();
    compile(&View::new(&snapshot, &proxy)).0
}

/// A running proxy with its addresses, in the order of the port maps.
pub struct Running {
    pub proxy: Proxy,
    pub addresses: Vec<SocketAddr>,
    pub records: Arc<Kept>,
}

impl Running {
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }
}

/// Starts a proxy. `ports`: port maps without the local address; `endpoints`: where addresses of the mesh are.
pub async fn start(text: &str, proxy: &str, ports: &[&str], endpoints: &[(&str, SocketAddr)]) -> Running {
    start_with(config(text, proxy), ports, endpoints, Options::default(), |builder| builder).await
}

pub async fn start_with(
    config: ProxyConfig,
    ports: &[&str],
    endpoints: &[(&str, SocketAddr)],
    mut options: Options,
    more: impl FnOnce(Builder) -> Builder,
) -> Running {
    let map = |port: &&str| PortMap::parse(&format!("{port}=127.0.0.1:0")).unwrap();
    options.listen = Listen::Mapped(ports.iter().map(map).collect());
    // Whoever bounds a drain tells one that waits from one that is cut short.
    options.patience.drain.get_or_insert(std::time::Duration::from_secs(45));
    let records = Arc::new(Kept::default());
    let instead = endpoints.iter().map(|(mesh, local)| ((*mesh).to_owned(), local.to_string())).collect();
    // No test asks the network for names or keys.
    let builder = Proxy::builder(options)
        .dial(SystemDial { instead })
        .resolver(InMemory::default())
        .keys(key_fetch::InMemory::default())
        .sink(Arc::clone(&records));
    let proxy = more(builder).build(config);
    let addresses = proxy.listen().await.unwrap();
    Running { proxy, addresses, records }
}

/// A service `reviews` of two endpoints, 10.0.1.1 and 10.0.1.2, versions v1 and v2, and a namespace beside it.
pub const REVIEWS: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec:
  clusterIP: 10.96.0.20
  selector: {app: reviews}
  ports: [{name: http, port: 9080}]
---
apiVersion: v1
kind: Pod
metadata: {name: reviews-v1, namespace: shop, labels: {app: reviews, version: v1}}
spec: {serviceAccountName: reviews}
status: {podIP: 10.0.1.1, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: reviews-v2, namespace: shop, labels: {app: reviews, version: v2}}
spec: {serviceAccountName: reviews}
status: {podIP: 10.0.1.2, phase: Running}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-1, namespace: shop, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
endpoints:
- addresses: [10.0.1.1]
  conditions: {ready: true}
  targetRef: {kind: Pod, name: reviews-v1, namespace: shop}
- addresses: [10.0.1.2]
  conditions: {ready: true}
  targetRef: {kind: Pod, name: reviews-v2, namespace: shop}
ports: [{name: http, port: 9080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"#;

/// `REVIEWS` and the `http` of a VirtualService for it.
pub fn reviews(http: &str) -> String {
    format!(
        "{REVIEWS}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {{name: reviews, namespace: shop}}\nspec:\n  hosts: [reviews]\n  http:\n{http}"
    )
}

/// A gateway `door` for all hosts on port 80 that sends everything to `reviews`, by the `http` of a VirtualService.
pub fn door(http: &str) -> String {
    format!(
        "{REVIEWS}\n---\napiVersion: networking.istio.io/v1\nkind: Gateway\n\
         metadata: {{name: door, namespace: edge}}\nspec:\n  selector: {{app: door}}\n  servers:\n  \
         - port: {{number: 80, name: http, protocol: HTTP}}\n    hosts: ['*']\n\
         ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {{name: door, namespace: edge}}\nspec:\n  hosts: ['*']\n  gateways: [door]\n  http:\n{http}"
    )
}

/// What is written is kept for the test.
#[derive(Clone, Default)]
pub struct Shared(pub Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

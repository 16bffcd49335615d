//! The workload on the other side of a request or connection, as it says of itself.
//! Spec: istio/proxy, `extensions/common/metadata_object` (since in Envoy's contrib): what sidecars tell each other.

mod wire;

use std::sync::Arc;

use mesh_compile::proxy_identity::Proxy as Identity;
use mesh_compile::workload_names::{WorkloadNames, canonical_revision, canonical_service};

#[cfg(feature = "runtime")]
pub(crate) use self::wire::BYTES_MAX;

/// Kinds of workloads that are told; all others are unknown.
const KINDS: [&str; 4] = ["pod", "deployment", "job", "cronjob"];
const OWNERS: &str = "kubernetes://apis/apps/v1/namespaces/";

/// What a workload says of itself. Empty: unknown. Nobody vouches for it: namespaces and identities are believed to
/// certificates before (S-361).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Its Pod.
    pub instance: Box<str>,
    /// The Deployment or whatever else made it.
    pub workload: Box<str>,
    /// The kind of that: `pod`, `deployment`, `job` or `cronjob`.
    pub kind: Box<str>,
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its cluster.
    pub cluster: Box<str>,
    /// Its canonical service.
    pub service: Box<str>,
    /// Its canonical revision.
    pub revision: Box<str>,
    /// Its application, as its labels have it.
    pub app: Box<str>,
    /// The version of that.
    pub version: Box<str>,
    /// `spiffe://td/ns/x/sa/y`.
    pub identity: Box<str>,
    /// The region that it is in.
    pub region: Box<str>,
    /// The zone that it is in.
    pub zone: Box<str>,
}

impl Peer {
    /// What a proxy says of its own workload.
    pub fn of(proxy: &Identity) -> Self {
        let label = |key: &str, other: &str| proxy.labels.get(key).or_else(|| proxy.labels.get(other));
        let text = |found: Option<&str>| Box::from(found.unwrap_or_default());
        let mut locality = proxy.locality.split('/').map(Box::from);
        let mut part = || locality.next().unwrap_or_default();
        Self {
            instance: Box::from(&*proxy.name),
            workload: Box::from(proxy.workload()),
            kind: text(proxy.workload_kind().filter(|kind| KINDS.contains(kind))),
            namespace: Box::from(&*proxy.namespace),
            cluster: Box::from(&*proxy.cluster_id),
            service: Box::from(canonical_service(&proxy.labels).unwrap_or(proxy.workload())),
            revision: Box::from(canonical_revision(&proxy.labels).unwrap_or("latest")),
            app: text(label("app.kubernetes.io/name", "app")),
            version: text(label("app.kubernetes.io/version", "version")),
            identity: Box::default(),
            region: part(),
            zone: part(),
        }
    }

    /// What the configuration knows of an endpoint: less than the endpoint would say.
    pub fn known(names: &WorkloadNames) -> Self {
        let text = |text: &Arc<str>| Box::from(&**text);
        Self {
            workload: text(&names.workload),
            namespace: text(&names.namespace),
            cluster: text(&names.cluster),
            service: text(&names.service),
            revision: text(&names.revision),
            ..Self::default()
        }
    }

    /// What made it, as Kubernetes writes it; `None`: its kind is unknown.
    fn owner(&self) -> Option<String> {
        let Self { namespace, kind, workload, .. } = self;
        (!kind.is_empty()).then(|| format!("{OWNERS}{namespace}/{kind}s/{workload}"))
    }

    /// A field by the name that expressions and formats have for it; `None`: there is no such, or it is unknown.
    pub fn field(&self, name: &str) -> Option<&str> {
        let value = match name {
            "name" => &self.instance,
            "workload" => &self.workload,
            "type" => &self.kind,
            "namespace" => &self.namespace,
            "cluster" => &self.cluster,
            "service" => &self.service,
            "revision" => &self.revision,
            "app" => &self.app,
            "version" => &self.version,
            "identity" => &self.identity,
            "region" => &self.region,
            "availability_zone" => &self.zone,
            _ => return None,
        };
        Some(&**value).filter(|value| !value.is_empty())
    }
}

/// The kind of a workload by what made it; empty: unknown. Facts: `parseOwner` of the file above.
fn kind_of(owner: &str, workload: &str) -> Box<str> {
    let kind = owner
        .len()
        .checked_sub(workload.len() + "s/".len())
        .and_then(|end| owner.get(..end))
        .and_then(|path| path.rsplit_once('/'))
        .map_or("", |(_, kind)| kind);
    if KINDS.contains(&kind) { kind.into() } else { Box::default() }
}

/// The name of a proxy in Istio's mesh: kind, address, Pod and domain.
pub(crate) fn node_id(proxy: &Identity) -> String {
    let kind = match proxy.kind {
        mesh_compile::proxy_identity::ProxyKind::Gateway => "router",
        _ => "sidecar",
    };
    let ip = proxy.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let (name, namespace) = (&proxy.name, &proxy.namespace);
    format!("{kind}~{ip}~{name}.{namespace}~{namespace}.svc.cluster.local")
}

//! The two sides of a record as labels tell them: the proxy's own workload, and the one on the other side (S-361).

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use mesh_compile::proxy::listener::Direction;
use mesh_compile::proxy_identity::Proxy as Identity;
use mesh_compile::workload_names::{canonical_revision, canonical_service};

use crate::telemetry::peer::Peer;
use crate::telemetry::record::Record;

/// What Istio writes where it does not know.
pub(super) const UNKNOWN: &str = "unknown";
/// What Istio writes for the revision of a workload that it does not know.
const LATEST: &str = "latest";
/// The longest value of a label, in bytes; the rest is cut off.
const VALUE_BYTES_MAX: usize = 256;

/// Who stands at the ends of the connection that a record tells of: at a server's, its client's; at a client's, its
/// upstream's. As long as a label may be: what is beyond makes no other series.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) peer: Option<Arc<str>>,
    pub(super) own: Option<Arc<str>>,
}

impl Ends {
    pub(super) fn of(record: &Record) -> Self {
        let short = |text: &Arc<str>| match bounded(text) {
            cut if cut.len() == text.len() => Arc::clone(text),
            cut => Arc::from(cut),
        };
        match (record.direction, &record.upstream_principals) {
            (Direction::Inbound, _) => Self {
                peer: record.peer_principal.as_deref().map(|peer| Arc::from(bounded(peer))),
                own: record.own_principal.as_ref().map(short),
            },
            (_, Some(ends)) => {
                Self { peer: ends.peer.as_ref().map(short), own: ends.own.as_ref().map(short) }
            }
            (_, None) => Self { peer: None, own: None },
        }
    }
}

/// A workload that is the same as another where labels tell the same of it: Pods of one Deployment come and go, and make no
/// other series.
#[derive(Debug, Clone)]
pub(super) struct Labelled(pub(super) Arc<Peer>);

impl Labelled {
    /// All that [`Side::other`] asks for.
    fn told(&self) -> [&str; 8] {
        let Peer { workload, namespace, cluster, service, revision, app, version, identity, .. } = &*self.0;
        [workload, namespace, cluster, service, revision, app, version, identity]
    }
}

impl PartialEq for Labelled {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.told() == other.told()
    }
}

impl Eq for Labelled {}

impl Hash for Labelled {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.told().hash(state);
    }
}

/// What labels tell of one side.
pub(super) struct Side<'a> {
    pub(super) workload: &'a str,
    pub(super) namespace: &'a str,
    pub(super) app: &'a str,
    pub(super) version: &'a str,
    pub(super) service: &'a str,
    pub(super) revision: &'a str,
    pub(super) cluster: &'a str,
    pub(super) principal: &'a str,
}

impl<'a> Side<'a> {
    /// The proxy's own.
    pub(super) fn own(own: &'a Own, ends: &'a Ends) -> Self {
        Self {
            workload: &own.workload,
            namespace: &own.namespace,
            app: &own.app,
            version: &own.version,
            service: &own.service,
            revision: &own.revision,
            cluster: &own.cluster,
            principal: ends.own.as_deref().unwrap_or(UNKNOWN),
        }
    }

    /// The other one. Certificates are believed before what a peer says of itself; only an upstream may say who it is
    /// without one.
    pub(super) fn other(is_server: bool, ends: &'a Ends, peer: Option<&'a Peer>) -> Self {
        let field = |name: &str, other: &'a str| peer.and_then(|peer| peer.field(name)).unwrap_or(other);
        let said = || peer.and_then(|peer| peer.field("identity")).filter(|_| !is_server);
        let principal = ends.peer.as_deref().or_else(said);
        Self {
            workload: field("workload", UNKNOWN),
            namespace: principal.and_then(namespace_in).unwrap_or_else(|| field("namespace", UNKNOWN)),
            app: field("app", UNKNOWN),
            version: field("version", UNKNOWN),
            service: field("service", UNKNOWN),
            revision: field("revision", LATEST),
            cluster: field("cluster", UNKNOWN),
            principal: principal.unwrap_or(UNKNOWN),
        }
    }
}

/// The namespace in an identity.
fn namespace_in(principal: &str) -> Option<&str> {
    let (_, rest) = principal.split_once("/ns/")?;
    rest.split('/').next().filter(|namespace| !namespace.is_empty())
}

/// The proxy's own workload.
#[derive(Debug, Clone)]
pub(super) struct Own {
    workload: String,
    namespace: String,
    app: String,
    version: String,
    service: String,
    revision: String,
    cluster: String,
}

impl Own {
    pub(super) fn of(proxy: &Identity) -> Self {
        let label = |keys: &[&str], other: &str| {
            let found = keys.iter().find_map(|key| proxy.labels.get(*key));
            found.map(str::to_owned).unwrap_or_else(|| other.to_owned())
        };
        let known = |text: &str| if text.is_empty() { UNKNOWN.to_owned() } else { text.to_owned() };
        Self {
            workload: known(proxy.workload()),
            namespace: known(&proxy.namespace),
            app: label(&["app", "app.kubernetes.io/name"], UNKNOWN),
            version: label(&["version", "app.kubernetes.io/version"], UNKNOWN),
            service: canonical_service(&proxy.labels).unwrap_or(proxy.workload()).to_owned(),
            revision: canonical_revision(&proxy.labels).unwrap_or(LATEST).to_owned(),
            cluster: known(&proxy.cluster_id),
        }
    }
}

/// A value that is not longer than a label may be.
pub(super) fn bounded(value: &str) -> &str {
    let end = (0..=VALUE_BYTES_MAX.min(value.len())).rev().find(|at| value.is_char_boundary(*at));
    end.and_then(|end| value.get(..end)).unwrap_or_default()
}

//! Istio's labels in Istio's order, and what of a record they depend on.

use std::sync::Arc;

use mesh_compile::proxy::cluster::ClusterService;
use mesh_compile::proxy::listener::Direction;
use mesh_compile::proxy_identity::Proxy as Identity;

use crate::runtime::head;
use crate::telemetry::record::Record;

/// What Istio writes where it does not know.
const UNKNOWN: &str = "unknown";
/// What Istio writes for the revision of a workload that it does not know.
const LATEST: &str = "latest";
/// The longest value of a label, in bytes; the rest is cut off.
const VALUE_BYTES_MAX: usize = 256;

/// All labels of all metrics.
pub(super) const ALL_LABELS: [&str; 25] = [
    "reporter",
    "source_workload",
    "source_canonical_service",
    "source_canonical_revision",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_service",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_service_name",
    "destination_service_namespace",
    "destination_cluster",
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
    "connection_security_policy",
];

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    Http,
    Grpc,
    Tcp,
}

/// All that the labels of a record depend on: records with equal keys have equal labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    direction: Direction,
    cluster: Option<Arc<str>>,
    service: Option<Arc<ClusterService>>,
    /// What a client of a sidecar asked for, where no service is known.
    host: Option<String>,
    /// The route of what is in no service.
    elsewhere: Option<&'static str>,
    principal: Option<String>,
    pub(super) protocol: Protocol,
    status: u16,
    grpc_status: Option<u32>,
    flags: String,
    values: Vec<String>,
}

impl Key {
    /// `values`: those of the expressions of a configuration.
    pub(super) fn of(record: &Record, values: Vec<String>) -> Self {
        let host = || {
            let authority = &*record.request.as_ref()?.authority;
            let is_service = record.cluster.as_deref().is_some_and(|cluster| cluster.contains('|'));
            (record.direction == Direction::Outbound && !is_service && !authority.is_empty())
                .then(|| bounded(authority).to_owned())
        };
        let grpc_status = || {
            let trailer = record.response_trailers.get("grpc-status");
            let status = trailer.or_else(|| record.response_headers.get("grpc-status"))?;
            status.to_str().ok()?.parse().ok()
        };
        let protocol = match &record.request {
            None => Protocol::Tcp,
            Some(request) if head::is_grpc(&request.headers) => Protocol::Grpc,
            Some(_) => Protocol::Http,
        };
        Self {
            direction: record.direction,
            cluster: record.cluster.clone(),
            service: record.service.clone(),
            host: host(),
            elsewhere: record.route.as_deref().and_then(elsewhere),
            // As long as a label may be: what is beyond makes no other series.
            principal: record
                .peer_principal
                .as_deref()
                .filter(|_| record.direction == Direction::Inbound)
                .map(|principal| bounded(principal).to_owned()),
            protocol,
            status: record.status,
            grpc_status: if protocol == Protocol::Grpc { grpc_status() } else { None },
            flags: if record.flags.is_empty() { "-".to_owned() } else { record.flags.clone() },
            values,
        }
    }

    /// The value of an expression.
    pub(super) fn value(&self, place: usize) -> Option<&str> {
        self.values.get(place).map(String::as_str)
    }

    /// The labels. What only an exchange of metadata could tell of the other side is unknown.
    pub(super) fn labels(&self, own: &Own) -> Vec<(&'static str, String)> {
        let is_server = self.direction == Direction::Inbound;
        let peer_namespace = || {
            let mut parts = self.principal.as_deref()?.split('/');
            parts.by_ref().find(|part| *part == "ns")?;
            parts.next().map(str::to_owned)
        };
        let unknown = || UNKNOWN.to_owned();
        let mine = |mine: &String, server: bool, other: &str| {
            if is_server == server { mine.clone() } else { other.to_owned() }
        };
        let service = Service::of(self, own);
        let mut labels = vec![
            ("reporter", if is_server { "destination" } else { "source" }.to_owned()),
            ("source_workload", mine(&own.workload, false, UNKNOWN)),
            ("source_canonical_service", mine(&own.service, false, UNKNOWN)),
            ("source_canonical_revision", mine(&own.revision, false, LATEST)),
            (
                "source_workload_namespace",
                if is_server { peer_namespace().unwrap_or_else(unknown) } else { own.namespace.clone() },
            ),
            (
                "source_principal",
                if is_server {
                    self.principal.clone().unwrap_or_else(unknown)
                } else {
                    own.principal.clone()
                },
            ),
            ("source_app", mine(&own.app, false, UNKNOWN)),
            ("source_version", mine(&own.version, false, UNKNOWN)),
            ("source_cluster", mine(&own.cluster, false, UNKNOWN)),
            ("destination_workload", mine(&own.workload, true, UNKNOWN)),
            ("destination_workload_namespace", mine(&own.namespace, true, UNKNOWN)),
            ("destination_principal", mine(&own.principal, true, UNKNOWN)),
            ("destination_app", mine(&own.app, true, UNKNOWN)),
            ("destination_version", mine(&own.version, true, UNKNOWN)),
            ("destination_service", service.host),
            ("destination_canonical_service", mine(&own.service, true, UNKNOWN)),
            ("destination_canonical_revision", mine(&own.revision, true, LATEST)),
            ("destination_service_name", service.name),
            ("destination_service_namespace", service.namespace),
            ("destination_cluster", mine(&own.cluster, true, UNKNOWN)),
        ];
        let protocol = match self.protocol {
            Protocol::Http => "http",
            Protocol::Grpc => "grpc",
            Protocol::Tcp => "tcp",
        };
        labels.push(("request_protocol", protocol.to_owned()));
        if self.protocol != Protocol::Tcp {
            labels.push(("response_code", self.status.to_string()));
            let status = self.grpc_status.map(|status| status.to_string());
            labels.push(("grpc_response_status", status.unwrap_or_default()));
        }
        let security = match (is_server, self.principal.is_some()) {
            (false, _) => UNKNOWN,
            (true, true) => "mutual_tls",
            (true, false) => "none",
        };
        labels.push(("response_flags", self.flags.clone()));
        labels.push(("connection_security_policy", security.to_owned()));
        for (_, value) in &mut labels {
            value.truncate(bounded(value).len());
        }
        labels
    }
}

/// A value that is not longer than a label may be.
pub(super) fn bounded(value: &str) -> &str {
    let end = (0..=VALUE_BYTES_MAX.min(value.len())).rev().find(|at| value.is_char_boundary(*at));
    end.and_then(|end| value.get(..end)).unwrap_or_default()
}

/// The clusters that Istio's routes for unknown hosts stand for.
fn elsewhere(route: &str) -> Option<&'static str> {
    match route {
        "block_all" => Some("BlackHoleCluster"),
        "allow_any" => Some("PassthroughCluster"),
        _ => None,
    }
}

/// The destination's service (Istio's `istio_stats`): what the cluster stands for; else, at a client's sidecar, the host
/// that was asked for; else, at a server's, the workload's own.
struct Service {
    host: String,
    name: String,
    namespace: String,
}

impl Service {
    fn of(key: &Key, own: &Own) -> Self {
        let cluster = key.cluster.as_deref().unwrap_or_default();
        if let Some(service) = &key.service {
            let ClusterService { host, name, namespace } = &**service;
            return Self { host: host.to_string(), name: name.to_string(), namespace: namespace.to_string() };
        }
        if let Some((name, namespace)) = ClusterService::in_name(cluster) {
            let host = cluster.splitn(4, '|').nth(3).or_else(|| cluster.splitn(4, "_.").nth(3));
            let host = host.unwrap_or_default().to_owned();
            return Self { host, name: name.to_owned(), namespace: namespace.to_owned() };
        }
        let (own_host, own_namespace) = match key.direction {
            Direction::Inbound => (&*own.service, &*own.namespace),
            Direction::Outbound | Direction::Gateway => (key.host.as_deref().unwrap_or(UNKNOWN), UNKNOWN),
        };
        let is_named = cluster.ends_with("Cluster") || cluster.contains("PassthroughCluster");
        let name = key.elsewhere.or(is_named.then_some(cluster)).unwrap_or(own_host);
        Self { host: own_host.to_owned(), name: name.to_owned(), namespace: own_namespace.to_owned() }
    }
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
    principal: String,
}

impl Own {
    pub(super) fn of(proxy: &Identity) -> Self {
        let label = |keys: &[&str], other: &str| {
            let found = keys.iter().find_map(|key| proxy.labels.get(*key));
            found.map(str::to_owned).unwrap_or_else(|| other.to_owned())
        };
        let known = |text: &str| if text.is_empty() { UNKNOWN.to_owned() } else { text.to_owned() };
        Self {
            workload: known(&proxy.name),
            namespace: known(&proxy.namespace),
            app: label(&["app", "app.kubernetes.io/name"], UNKNOWN),
            version: label(&["version", "app.kubernetes.io/version"], UNKNOWN),
            service: label(
                &["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"],
                &proxy.name,
            ),
            revision: label(
                &["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"],
                LATEST,
            ),
            cluster: known(&proxy.cluster_id),
            principal: if proxy.service_account.is_empty() {
                UNKNOWN.to_owned()
            } else {
                format!("spiffe://cluster.local/ns/{}/sa/{}", proxy.namespace, proxy.service_account)
            },
        }
    }
}

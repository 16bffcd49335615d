//! Istio's labels in Istio's order, and what of a record they depend on.

use std::sync::Arc;

use mesh_compile::proxy::cluster::ClusterService;
use mesh_compile::proxy::listener::Direction;
use mesh_compile::workload_names::WorkloadNames;

use super::sides::{Ends, Labelled, Own, Side, UNKNOWN, bounded};
use crate::runtime::head;
use crate::telemetry::peer::Peer;
use crate::telemetry::record::Record;

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
    /// URI SANs of both ends, as far as certificates show them.
    principals: Ends,
    /// The workload on the other side, as far as labels tell it.
    peer: Option<Labelled>,
    /// The same as the configuration knows it.
    workload: Option<Arc<WorkloadNames>>,
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
        let is_server = record.direction == Direction::Inbound;
        Self {
            direction: record.direction,
            cluster: record.cluster.clone(),
            service: record.service.clone(),
            host: host(),
            elsewhere: record.route.as_deref().and_then(elsewhere),
            principals: Ends::of(record),
            // One who says nothing of itself is known to clients by the configuration.
            workload: record
                .upstream_workload
                .clone()
                .filter(|_| !is_server && record.upstream_peer.is_none()),
            peer: if is_server { &record.downstream_peer } else { &record.upstream_peer }
                .clone()
                .map(Labelled),
            protocol,
            status: record.status,
            grpc_status: if protocol == Protocol::Grpc { grpc_status() } else { None },
            flags: if record.flags.is_empty() { "-".to_owned() } else { record.flags.clone() },
            values,
        }
    }

    /// Whether a client is told of as it says, and no certificate says so.
    pub(super) fn is_unproven(&self) -> bool {
        self.direction == Direction::Inbound && self.peer.is_some() && self.principals.peer.is_none()
    }

    /// Tells nothing of what the other side says of itself.
    pub(super) fn forget_peer(&mut self) {
        self.peer = None;
    }

    /// The value of an expression.
    pub(super) fn value(&self, place: usize) -> Option<&str> {
        self.values.get(place).map(String::as_str)
    }

    /// The labels (S-360, S-361).
    pub(super) fn labels(&self, own: &Own) -> Vec<(&'static str, String)> {
        let is_server = self.direction == Direction::Inbound;
        let known = self.workload.as_deref().map(Peer::known);
        let other = Side::other(
            is_server,
            &self.principals,
            self.peer.as_ref().map(|peer| &*peer.0).or(known.as_ref()),
        );
        let own = Side::own(own, &self.principals);
        let (source, destination) = if is_server { (&other, &own) } else { (&own, &other) };
        let service = Service::of(self, &own, &other);
        let mut labels = vec![
            ("reporter", if is_server { "destination" } else { "source" }),
            ("source_workload", source.workload),
            ("source_canonical_service", source.service),
            ("source_canonical_revision", source.revision),
            ("source_workload_namespace", source.namespace),
            ("source_principal", source.principal),
            ("source_app", source.app),
            ("source_version", source.version),
            ("source_cluster", source.cluster),
            ("destination_workload", destination.workload),
            ("destination_workload_namespace", destination.namespace),
            ("destination_principal", destination.principal),
            ("destination_app", destination.app),
            ("destination_version", destination.version),
            ("destination_service", service.host),
            ("destination_canonical_service", destination.service),
            ("destination_canonical_revision", destination.revision),
            ("destination_service_name", service.name),
            ("destination_service_namespace", service.namespace),
            ("destination_cluster", destination.cluster),
        ];
        let protocol = match self.protocol {
            Protocol::Http => "http",
            Protocol::Grpc => "grpc",
            Protocol::Tcp => "tcp",
        };
        labels.push(("request_protocol", protocol));
        let status = self.status.to_string();
        let grpc_status = self.grpc_status.map(|status| status.to_string());
        if self.protocol != Protocol::Tcp {
            labels.push(("response_code", &status));
            labels.push(("grpc_response_status", grpc_status.as_deref().unwrap_or_default()));
        }
        let security = match (is_server, &self.principals) {
            (false, _) => UNKNOWN,
            (true, Ends { peer: Some(_), own: Some(_) }) => "mutual_tls",
            (true, _) => "none",
        };
        labels.push(("response_flags", &self.flags));
        labels.push(("connection_security_policy", security));
        labels.into_iter().map(|(name, value)| (name, bounded(value).to_owned())).collect()
    }
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
struct Service<'a> {
    host: &'a str,
    name: &'a str,
    namespace: &'a str,
}

impl<'a> Service<'a> {
    fn of(key: &'a Key, own: &Side<'a>, other: &Side<'a>) -> Self {
        let is_server = key.direction == Direction::Inbound;
        let cluster = key.cluster.as_deref().unwrap_or_default();
        let of_cluster = match &key.service {
            Some(service) => Some((&*service.host, &*service.name, &*service.namespace)),
            None => ClusterService::in_name(cluster).map(|(name, namespace)| {
                let host = cluster.splitn(4, '|').nth(3).or_else(|| cluster.splitn(4, "_.").nth(3));
                (host.unwrap_or_default(), name, namespace)
            }),
        };
        if let Some((host, name, namespace)) = of_cluster {
            return Self { host, name, namespace: if is_server { own.namespace } else { namespace } };
        }
        let (host, namespace) = match key.direction {
            Direction::Inbound => (own.service, own.namespace),
            Direction::Outbound | Direction::Gateway => {
                (key.host.as_deref().unwrap_or(UNKNOWN), other.namespace)
            }
        };
        let is_named = cluster.ends_with("Cluster") || cluster.contains("PassthroughCluster");
        let name = key.elsewhere.or(is_named.then_some(cluster)).unwrap_or(host);
        Self { host, name, namespace }
    }
}

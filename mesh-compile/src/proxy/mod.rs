//! What one proxy runs: listeners, route tables, clusters. Shaped as Envoy's configuration is, so that deciding is
//! Envoy's algorithm and nothing else.

pub mod cluster;
pub mod clusters;
pub mod gateway;
pub mod inbound;
pub mod listener;
pub mod outbound;
pub mod policies;
pub mod routes;
pub(crate) mod settings;
pub(crate) mod tcp_proxy;
#[cfg(test)]
pub(crate) mod test_mesh;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;

use crate::route_table::RouteTable;
use cluster::Cluster;
use listener::Listener;

/// The proxy that is asked (`proxy.json` of FORMAT.md).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Sidecar or gateway.
    #[serde(rename = "type")]
    pub kind: ProxyKind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Pod name.
    #[serde(default)]
    pub name: Arc<str>,
    /// Pod labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Pod address; `None`: unknown.
    #[serde(default)]
    pub ip: Option<IpAddr>,
    /// Service account.
    #[serde(default)]
    pub service_account: Arc<str>,
    /// `region/zone/subzone`; empty: unknown.
    #[serde(default)]
    pub locality: Arc<str>,
    /// The cluster it runs in.
    #[serde(default = "default_cluster")]
    pub cluster_id: Arc<str>,
    /// Proxy metadata (`DNS_CAPTURE`, `HTTP10`, `NETWORK`, ...).
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

fn default_cluster() -> Arc<str> {
    "Kubernetes".into()
}

/// Role of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyKind {
    /// Beside a workload, traffic is captured.
    Sidecar,
    /// At the edge, traffic is addressed to it.
    Gateway,
}

/// Everything one proxy runs.
#[derive(Debug, Clone, Default)]
pub struct ProxyConfig {
    /// In order of direction, address and port.
    pub listeners: Vec<Arc<Listener>>,
    /// By name.
    pub route_tables: BTreeMap<Arc<str>, Arc<RouteTable>>,
    /// By name.
    pub clusters: BTreeMap<Arc<str>, Arc<Cluster>>,
}

/// A part of a proxy's configuration.
#[derive(Debug, Clone, Default)]
pub struct Fragment {
    /// Listeners.
    pub listeners: Vec<Listener>,
    /// Route tables they use.
    pub route_tables: Vec<RouteTable>,
}

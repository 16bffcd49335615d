//! The proxy that configuration is compiled for: who it is, before anything is known of what it runs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;

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

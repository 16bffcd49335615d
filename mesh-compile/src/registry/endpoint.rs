//! An endpoint: one address and port behind a service port.

use std::sync::Arc;

use mesh_model::name::StringMap;
use mesh_model::origin::Provenance;

use super::service::RegistryKind;
use crate::workload_names::WorkloadNames;

/// One endpoint of one service port (T-311, T-314, T-323).
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// IP, host name, or `unix://` path without the scheme.
    pub address: Arc<str>,
    /// Further addresses of the same endpoint (dual stack).
    pub more_addresses: Vec<Arc<str>>,
    /// Port; 0 for a Unix path.
    pub port: u16,
    /// Name of the service port it belongs to.
    pub service_port_name: Arc<str>,
    /// Number of the service port it belongs to, where a ServiceEntry defined it; `None`: joined by name only.
    pub service_port_number: Option<u16>,
    /// Who found it: a Kubernetes Service (slices, selected WorkloadEntries) or a ServiceEntry.
    pub registry: RegistryKind,
    /// Workload labels, shared by the endpoints of a workload, topology labels added (region, zone, subzone, network, cluster, hostname).
    pub labels: Arc<StringMap>,
    /// Namespace of the workload.
    pub namespace: Arc<str>,
    /// `spiffe://td/ns/x/sa/y`; empty: unknown.
    pub identity: Arc<str>,
    /// Speaks mesh mTLS (`security.istio.io/tlsMode: istio`, T-284, T-334).
    pub mtls: bool,
    /// `region/zone/subzone`; empty: unknown.
    pub locality: Arc<str>,
    /// Load-balancing weight, at least 1.
    pub weight: u32,
    /// Whether it takes traffic.
    pub health: Health,
    /// Network; empty: unknown.
    pub network: Arc<str>,
    /// The cluster it was found in.
    pub cluster: Arc<str>,
    /// Kubernetes node; empty: unknown.
    pub node: Arc<str>,
    /// Pod `hostname`; empty: none (headless DNS names).
    pub hostname: Arc<str>,
    /// Pod `subdomain`; empty: none (headless DNS names).
    pub subdomain: Arc<str>,
    /// What telemetry calls its workload; `None`: nothing is known of it.
    pub workload: Option<Arc<WorkloadNames>>,
    /// Position in the definition: orders DNS endpoints.
    pub provenance: Arc<Provenance>,
}

/// Health of an endpoint (T-311, T-335).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Takes traffic.
    Healthy,
    /// Known, not used.
    Unhealthy,
    /// Only for existing sessions.
    Draining,
    /// Going away: never sent.
    Terminating,
}

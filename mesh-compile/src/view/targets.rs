//! The service ports that a proxy's own workload serves (T-404, T-490).

use std::sync::Arc;

use crate::proxy::Proxy;
use crate::registry::service::{Service, ServicePort};
use crate::snapshot::MeshSnapshot;

/// A service port that a workload serves (T-490, T-404).
#[derive(Debug, Clone)]
pub struct ServiceTarget {
    /// The service that selects the workload.
    pub service: Arc<Service>,
    /// Its port.
    pub port: ServicePort,
    /// The workload's port.
    pub target_port: u16,
}

/// The targets of a proxy, oldest service first, then by hostname.
pub(super) fn of(snapshot: &MeshSnapshot, proxy: &Proxy) -> Vec<ServiceTarget> {
    let _ = (snapshot, proxy);
    Vec::new()
}

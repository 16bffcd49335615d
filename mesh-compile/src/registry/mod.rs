//! Services and endpoints from Kubernetes objects, ServiceEntries and WorkloadEntries.

pub mod endpoint;
pub mod service;

use std::collections::BTreeMap;
use std::sync::Arc;

use endpoint::Endpoint;
use service::Service;

/// Every service and endpoint of the mesh, before anyone asks who may see them.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// All services in T-006 order.
    pub services: Vec<Arc<Service>>,
    /// Endpoints by (hostname, namespace): those of a Service and of ServiceEntries of the same host and namespace together (T-343).
    pub endpoints: BTreeMap<(Arc<str>, Arc<str>), Vec<Arc<Endpoint>>>,
}

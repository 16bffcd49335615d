//! Extension providers by name, and the services behind them.

use std::sync::Arc;

use mesh_model::mesh_config::{ExtensionProvider, MeshConfig};
use serde::Serialize;

use crate::proxy::clusters::names;
use crate::view::View;

/// The service that a provider sends to. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider`, its `service` and `port`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderTarget {
    /// Its hostname, sent as the authority.
    pub host: Arc<str>,
    /// The cluster of its port (`outbound|4317||otel.shop.svc.cluster.local`), among the proxy's clusters where it sees the
    /// service.
    pub cluster: Arc<str>,
}

/// Why a provider cannot be used.
pub(super) const UNKNOWN: &str = "no extension provider of MeshConfig has this name";
pub(in crate::proxy) const NO_SERVICE: &str =
    "its service is not in the mesh, or is in several namespaces and names none of them";

/// The first provider of a name, whatever its case.
pub(super) fn find<'m>(mesh: &'m MeshConfig, name: &str) -> Option<&'m ExtensionProvider> {
    mesh.extension_providers.iter().find(|it| it.name.eq_ignore_ascii_case(name))
}

/// The service `HOST` or `NAMESPACE/HOST`; without a namespace there must be one only.
pub(in crate::proxy) fn target(view: &View<'_>, service: &str, port: u32) -> Option<ProviderTarget> {
    let host = view.provider_host(service)?;
    let port = u16::try_from(port).ok()?;
    Some(ProviderTarget { cluster: names::outbound(port, "", &host), host })
}

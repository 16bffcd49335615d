//! Questions about resources that are for the proxy itself: what it records, how it is set up.

use std::sync::Arc;

use mesh_model::mesh_config::ProxyConfig;
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::resolved::Level;
use mesh_model::telemetry::Telemetry;

use super::{Lookup, View};

impl<'s> View<'s> {
    fn asked_homes(&self, question: fn(Arc<str>) -> Lookup) {
        self.asked(|| question(Arc::clone(&self.proxy.namespace)));
        self.asked(|| question(self.mesh().root_namespace().into()));
    }

    /// Telemetry resources of the mesh in T-004 order. Those of the proxy's namespace and of the root namespace count.
    pub fn telemetries(&self) -> &'s [Arc<Object<Telemetry>>] {
        self.asked_homes(Lookup::Telemetry);
        &self.snapshot.telemetries
    }

    /// The hostname of a service that MeshConfig names: in a namespace, else the only one there is.
    pub(crate) fn provider_host(&self, host: &str, namespace: Option<&str>) -> Option<Arc<str>> {
        self.asked(|| Lookup::Service(host.into()));
        let services = self.snapshot.registry.by_host(host);
        let first = services.first()?;
        let found = match namespace {
            Some(namespace) => services.iter().find(|it| *it.namespace == *namespace),
            None => services.iter().all(|it| it.namespace == first.namespace).then_some(first),
        };
        found.map(|it| Arc::clone(&it.hostname))
    }

    /// How near, and where, a field of [`proxy_config`](Self::proxy_config) is set.
    pub(crate) fn proxy_setting(
        &self,
        field: &str,
        is_set: impl Fn(&ProxyConfig) -> bool,
    ) -> (Level, Origin) {
        let of_mesh = self.mesh().origin_of(&format!("defaultConfig.{field}"), |mesh| {
            mesh.default_config.as_ref().is_some_and(&is_set)
        });
        (Level::Mesh, of_mesh)
    }
}

//! Questions about resources that are for the proxy itself: what it records, how it is set up.

use std::sync::Arc;

use mesh_model::extensions::{traffic_extension::TrafficExtension, wasm_plugin::WasmPlugin};
use mesh_model::mesh_config::ProxyConfig;
use mesh_model::networking::envoy_filter::spec::EnvoyFilter;
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::resolved::{Layer, Level};
use mesh_model::telemetry::Telemetry;

use super::{Lookup, View};
use crate::registry::split_namespace;

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

    /// The hostname of a service that MeshConfig names `HOST` or `NAMESPACE/HOST`.
    pub(crate) fn provider_host(&self, written: &str) -> Option<Arc<str>> {
        self.asked(|| Lookup::Service(split_namespace(written).1.into()));
        self.snapshot.registry.named(written).map(|it| Arc::clone(&it.hostname))
    }

    /// What is set over `defaultConfig` for this proxy: ProxyConfig resources and the annotation, the widest first (T-470).
    pub fn proxy_layers(&self) -> &[Layer<ProxyConfig>] {
        self.asked_homes(Lookup::ProxyConfig);
        &self.settings.layers
    }

    /// How near, and where, a field of [`proxy_config`](Self::proxy_config) is set.
    pub(crate) fn proxy_setting(
        &self,
        field: &str,
        is_set: impl Fn(&ProxyConfig) -> bool,
    ) -> (Level, Origin) {
        if let Some(layer) = self.proxy_layers().iter().rev().find(|layer| is_set(&layer.value)) {
            return (layer.level, layer.origin.clone());
        }
        let of_mesh = self.mesh().origin_of(&format!("defaultConfig.{field}"), |mesh| {
            mesh.default_config.as_ref().is_some_and(&is_set)
        });
        (Level::Mesh, of_mesh)
    }

    /// WasmPlugins of the mesh in T-004 order. Those of the proxy's namespace and of the root namespace count.
    pub fn wasm_plugins(&self) -> &'s [Arc<Object<WasmPlugin>>] {
        self.asked_homes(Lookup::Extensions);
        &self.snapshot.wasm_plugins
    }

    /// TrafficExtensions of the mesh in T-004 order, likewise.
    pub fn traffic_extensions(&self) -> &'s [Arc<Object<TrafficExtension>>] {
        self.asked_homes(Lookup::Extensions);
        &self.snapshot.traffic_extensions
    }

    /// EnvoyFilters of the mesh in T-004 order, likewise.
    pub fn envoy_filters(&self) -> &'s [Arc<Object<EnvoyFilter>>] {
        self.asked_homes(Lookup::EnvoyFilters);
        &self.snapshot.envoy_filters
    }
}

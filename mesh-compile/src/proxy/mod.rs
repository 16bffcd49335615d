//! What one proxy runs: listeners, route tables, clusters. Shaped as Envoy's configuration is, so that deciding is
//! Envoy's algorithm and nothing else.

pub mod cluster;
pub mod clusters;
mod credential;
pub mod envoy_filter;
pub mod extensions;
pub mod gateway;
pub mod http_filters;
pub mod inbound;
mod keys;
pub mod listener;
mod listeners;
mod origins;
pub mod outbound;
mod places;
pub mod policies;
pub mod proxy_headers;
pub mod proxy_settings;
pub mod routes;
mod same;
pub(crate) mod settings;
pub(crate) mod tcp_proxy;
pub mod telemetry;
#[cfg(test)]
pub(crate) mod test_mesh;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::route_table::RouteTable;
use crate::shared_map::SharedMap;
use cluster::Cluster;
use envoy_filter::EnvoyFilters;
use extensions::Extensions;
use listener::Listener;
pub use listeners::Listeners;
use mesh_authz::peer::PeerModes;
use proxy_settings::ProxySettings;
use telemetry::TelemetryConfig;

/// Everything one proxy runs. Ours: shaped as Envoy's, so that both can be compared.
#[derive(Debug, Clone, Default)]
pub struct ProxyConfig {
    /// In order of direction, address and port.
    pub listeners: Listeners,
    /// By name.
    pub route_tables: BTreeMap<Arc<str>, Arc<RouteTable>>,
    /// By name.
    pub clusters: SharedMap<Arc<Cluster>>,
    /// Access logs, metrics and spans.
    pub telemetry: Arc<TelemetryConfig>,
    /// How the proxy itself is set up.
    pub settings: Arc<ProxySettings>,
    /// Wasm modules and Lua scripts.
    pub extensions: Arc<Extensions>,
    /// EnvoyFilters that are for the proxy, and what became of each patch.
    pub envoy_filters: Arc<EnvoyFilters>,
    /// What the ports of a sidecar's workload accept.
    pub peer_modes: Arc<PeerModes>,
}

/// A part of a proxy's configuration. Ours: listeners and the tables that they use are made together.
#[derive(Debug, Clone, Default)]
pub struct Fragment {
    /// Listeners.
    pub listeners: Vec<Listener>,
    /// Route tables they use.
    pub route_tables: Vec<Arc<RouteTable>>,
}

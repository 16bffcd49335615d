//! What resources about the proxy itself come to: telemetry, settings, extensions, patches.
//! Ours: what is compiled can be read without knowing the types.

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::clusters::layers;
use mesh_compile::view::View;
use serde_json::Value;

/// What the proxy records on each side of its traffic; each setting with its level, origin and what it shadows.
pub fn telemetry(config: &ProxyConfig) -> Value {
    serde_json::to_value(&*config.telemetry).unwrap_or_default()
}

/// How the proxy itself is set up; each field with its level, origin and what it shadows.
pub fn settings(config: &ProxyConfig) -> Value {
    serde_json::to_value(&*config.settings).unwrap_or_default()
}

/// Wasm modules and Lua scripts, in the order in which traffic meets them.
pub fn extensions(config: &ProxyConfig) -> Value {
    serde_json::to_value(&config.extensions.all).unwrap_or_default()
}

/// Patches that are for the proxy, in the order in which they are applied, with what each changed and left out.
pub fn envoy_filters(config: &ProxyConfig) -> Value {
    serde_json::to_value(&config.envoy_filters.patches).unwrap_or_default()
}

/// What each block of traffic policy of an outbound cluster shadows, by cluster and block; the rule that was looked up, and
/// those that were not.
pub fn traffic_policies(view: &View<'_>, config: &ProxyConfig) -> Value {
    serde_json::to_value(layers::of_all(view, config)).unwrap_or_default()
}

/// The same for one cluster; null: nobody says anything about it.
pub fn traffic_policy(view: &View<'_>, cluster: &str) -> Value {
    serde_json::to_value(layers::of_cluster(view, cluster)).unwrap_or_default()
}

/// What the ports of a sidecar's workload accept, with the policies that are shadowed.
pub fn peer_modes(config: &ProxyConfig) -> Value {
    serde_json::to_value(&*config.peer_modes).unwrap_or_default()
}

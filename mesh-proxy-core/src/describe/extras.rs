//! What resources about the proxy itself come to: telemetry, settings, extensions, patches.

use mesh_compile::proxy::ProxyConfig;
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

/// What the ports of a sidecar's workload accept, with the policies that are shadowed.
pub fn peer_modes(config: &ProxyConfig) -> Value {
    serde_json::to_value(&*config.peer_modes).unwrap_or_default()
}

//! Access logs, metrics and spans.

use mesh_compile::proxy::ProxyConfig;
use serde_json::Value;

/// What the proxy records on each side of its traffic; each setting with its level, origin and what it shadows.
pub fn telemetry(config: &ProxyConfig) -> Value {
    serde_json::to_value(&*config.telemetry).unwrap_or_default()
}

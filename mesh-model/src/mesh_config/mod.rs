//! `MeshConfig`: the settings of the whole mesh.
//!
//! [`MeshConfig`] is what was written. [`MeshConfig::with_defaults`] is what holds where nothing was, and
//! [`MeshConfig::overlay`] puts one document over another (T-471):
//!
//! ```
//! use mesh_model::mesh_config::MeshConfig;
//!
//! let written: MeshConfig = serde_json::from_str(r#"{"rootNamespace": "mesh-root", "defaultConfig": {"concurrency": 2}}"#)?;
//! let mesh = MeshConfig::with_defaults().overlay(written);
//! assert_eq!(mesh.root_namespace(), "mesh-root");
//! assert_eq!(mesh.trust_domain(), "cluster.local");
//! assert_eq!(mesh.default_config().status_port(), 15020);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod bare;
mod connection_settings;
mod defaults;
mod layers;
mod networks;
mod overlay;
mod provider;
mod proxy_config;
mod proxy_headers;
mod resolved;
mod settings;
mod spec;
mod tracing;
mod tracing_provider;
mod validate;

pub use bare::{read_bare, read_in_config_map};
pub use connection_settings::*;
pub use layers::MeshLayers;
pub use networks::*;
pub use provider::*;
pub use proxy_config::*;
pub use proxy_headers::*;
pub use settings::*;
pub use spec::MeshConfig;
pub use tracing::*;
pub use tracing_provider::*;

#[cfg(test)]
mod tests;

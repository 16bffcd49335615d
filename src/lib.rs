//! Under construction.

pub use mesh_authz as authz;
pub use mesh_compile as compile;
pub use mesh_model as model;
pub use mesh_proxy_core as proxy_core;

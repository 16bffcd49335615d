//! ProxyConfig: settings of the proxies of a namespace or of some workloads.
//!
//! Not to be confused with [`mesh_config::ProxyConfig`](crate::mesh_config::ProxyConfig), of which it can set three
//! fields (T-470).

pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

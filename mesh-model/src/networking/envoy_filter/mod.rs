//! EnvoyFilter: patches of the configuration that Istio makes for Envoy.

mod envoy_api;
mod object_match;
pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

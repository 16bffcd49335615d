//! The kinds of `networking.istio.io`: one folder each, `spec` holding what can be written.

pub mod destination_rule;
pub mod envoy_filter;
pub mod gateway;
pub mod service_entry;
pub mod sidecar;
pub mod virtual_service;
pub mod workload_entry;

#[cfg(test)]
mod tests;

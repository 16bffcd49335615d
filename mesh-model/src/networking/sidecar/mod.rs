//! Sidecar: what a workload's sidecar sees and serves.

pub mod spec;
mod validate;

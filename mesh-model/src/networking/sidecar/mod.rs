//! Sidecar: what a workload's sidecar sees and serves.

pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

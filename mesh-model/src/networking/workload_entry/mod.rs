//! WorkloadEntry: an endpoint outside of Kubernetes.

pub mod spec;
#[cfg(test)]
mod tests;
pub(crate) mod validate;

//! WorkloadEntry: an endpoint outside of Kubernetes.

pub mod spec;
pub(crate) mod validate;

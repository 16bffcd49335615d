//! WorkloadEntry: an endpoint outside of Kubernetes.

pub mod spec;

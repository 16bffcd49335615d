//! Generated work that several benches, and engines of others, are measured on.

pub mod workloads;

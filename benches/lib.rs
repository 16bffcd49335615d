//! What the benches share: the workloads, as pure functions of their size, and how time is taken.

pub mod mesh;
pub mod workloads;

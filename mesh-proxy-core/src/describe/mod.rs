//! What a proxy runs, as JSON data: the shapes that `mesh show` prints (FORMAT.md) and that admin endpoints serve.

mod cluster;
mod listener;
mod policies;
mod route;
mod telemetry;

pub use cluster::{clusters, endpoints};
pub use listener::listeners;
pub use policies::policies;
pub use route::route_tables;
pub use telemetry::telemetry;

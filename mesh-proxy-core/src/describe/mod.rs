//! What a proxy runs, as JSON data: the shapes that `mesh show` prints (FORMAT.md) and that admin endpoints serve.

mod cluster;
mod extras;
mod listener;
mod policies;
mod route;

pub use cluster::{clusters, endpoints};
pub use extras::{
    envoy_filters, extensions, peer_modes, settings, telemetry, traffic_policies, traffic_policy,
};
pub use listener::listeners;
pub use policies::policies;
pub use route::route_tables;

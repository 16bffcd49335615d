//! Wasm plugins in a running proxy, and the same modules in a real Envoy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, dead_code, reason = "modules of several tests")]

#[path = "../running_proxy/client.rs"]
mod client;
mod envoy;
#[path = "../running_proxy/fixture.rs"]
mod fixture;
mod guests;
#[path = "../running_proxy/peer_envoy.rs"]
mod peer_envoy;
mod road;
#[path = "../running_proxy/upstream.rs"]
mod upstream;

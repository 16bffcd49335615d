//! The proxy that carries traffic, met by real clients and upstreams on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of one test")]

mod ca;
mod client;
mod conformance;
mod envoy;
mod ext_authz;
mod fixture;
mod http;
mod http1_attacks;
mod http2_attacks;
mod keys;
mod limits;
mod listeners;
mod names;
mod observe;
mod reload;
mod tcp;
mod telemetry;
mod tls;
mod tools;
mod upstream;

//! The proxy that carries traffic, met by real clients and upstreams on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of one test")]

mod alone;
mod burner;
mod ca;
mod client;
mod clock;
mod clocks;
mod closed;
mod conformance;
mod crl;
mod drain;
mod envoy;
mod exhaustion;
mod ext_authz;
mod fixture;
mod h2spec;
mod headers;
mod hostile_names;
mod http;
mod http1_attacks;
mod http1_faults;
mod http2_attacks;
mod http2_faults;
mod http2_upstreams;
mod keys;
mod limits;
mod listeners;
mod log_formats;
mod memory;
mod names;
mod observe;
mod outages;
mod peer_envoy;
mod peers;
mod pools;
mod pressure;
mod process;
mod refusals;
mod reload;
mod seams;
mod service_logs;
mod shim;
mod simulation;
mod smuggling;
mod storm;
mod swaps;
mod tcp;
mod telemetry;
mod tls;
mod tls_alarms;
mod tls_attacks;
mod tools;
mod upstream;
mod upstream_faults;

//! The proxy that carries traffic: accepts connections, asks [`decide`](crate::decide), and does what it says.
//!
//! The road of a connection, file by file: `listen` accepts it, `capture` finds where it was going, `first_bytes` tells
//! TLS, HTTP and other bytes apart, `connection` chooses the filter chain, `tcp` or `http_server` serves it. A request
//! goes through `exchange` (decide and act), `reply` or `forward`, `attempt` (one try), `pool` (a connection) and `direct`
//! (HTTP/1 on it, where the codec is not needed).
//!
//! Everything a decision needs is in one [`Generation`](live::Generation), swapped whole: a request never sees half of
//! a change.

pub mod admin;
pub mod arrival;
pub mod body;
mod broken;
pub mod certificates;
pub mod drop_guard;
pub mod files;
pub mod follow;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod key_fetch;
pub mod live;
pub mod log_writer;
pub mod metrics;
pub mod options;
pub mod pressure;
pub mod process;
pub mod proxy;
#[cfg(feature = "wasm")]
#[cfg_attr(docsrs, doc(cfg(feature = "wasm")))]
pub mod wasm;

mod after_others;
mod answer_headers;
mod attempt;
mod client_certificate;
mod cluster;
mod connection;
mod connection_notes;
mod cors_response;
mod direct;
mod ends;
mod exchange;
mod export;
mod ext_authz;
mod finish;
mod first_bytes;
mod formats;
mod forward;
mod frame_budget;
mod grpc;
mod head;
mod header_ops;
mod hop_by_hop;
mod http1_guard;
mod http1_upstream;
mod http2_upstream;
mod http_server;
mod inquiry;
mod keys;
mod listen;
mod log_service;
mod mesh_logs;
mod mirror;
mod names;
mod outward;
mod own_metrics;
mod peers;
mod pool;
mod prelude;
mod proxy_protocol;
mod rate_limits;
mod recent;
mod redact;
mod refuse;
mod replay;
mod reply;
mod request_control;
mod request_headers;
mod rest;
mod shared;
mod span_export;
mod state;
mod tcp;
mod tls;
mod traces;
mod tries;
mod tunnel;
mod turned_away;
mod unrun;
mod when_woken;
mod wrap;

pub use arrival::Arrival;
pub use export::ExportCounts;
pub use options::Options;
pub use proxy::Proxy;

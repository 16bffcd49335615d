//! Decides what a proxy does with a connection or request, and explains why, from the tables that serve traffic.
//!
//! [`decide::decide`] is the one evaluator; [`decide::explain`] is the same function with a trace. No clock, no
//! sockets, no randomness: time and facts come in as arguments, what to do comes out as a [`decision::Decision`].
//!
//! Modules in the order in which a request meets them: [`probe`] (facts from JSON), [`listener_match`],
//! [`filter_chain_match`], [`transport`] (TLS), [`canonical`] (the one request that every rule sees),
//! [`cors`], [`redirect`], [`rewrite`], and [`decision`] for the answer.
//!
//! ```
//! use mesh_compile::proxy::ProxyConfig;
//! use mesh_proxy_core::{decide::decide, probe};
//!
//! let line = r#"{"id":"p1","direction":"gateway","conn":{"dst_port":80}}"#;
//! let probe = probe::read(line).next().unwrap()?;
//! let decision = decide(&ProxyConfig::default(), &probe.query(0), &mut ());
//! assert_eq!(serde_json::to_string(&decision)?, r#"{"result":"refuse","reason":"no_listener"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod canonical;
pub mod client_address;
pub mod cors;
pub mod decide;
pub mod decision;
pub mod describe;
pub mod filter_chain_match;
pub mod listener_match;
pub mod path_normalization;
pub mod probe;
pub mod query;
pub mod redirect;
pub mod rewrite;
pub mod transport;

mod cluster_step;
mod decision_format;
mod http;
mod http_syntax;
mod route_action;
mod tcp;

//! Decides what a proxy does with a connection or request, and explains why, from the tables that serve traffic.
//!
//! [`decide::decide`] is the one evaluator; [`decide::explain`] is the same function with a trace. No clock, no
//! sockets, no randomness: time and facts come in as arguments, what to do comes out as a [`decision::Decision`].
//!
//! Modules in the order in which a request meets them: [`probe`] (facts from JSON), [`listener_match`],
//! [`filter_chain_match`], [`transport`] (TLS), [`canonical`] (the one request that every rule sees),
//! [`cors`], [`redirect`], [`rewrite`], and [`decision`] for the answer.
//!
//! # Decide
//!
//! A configuration and the facts of one connection or request give a decision, always.
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
//!
//! # Explain
//!
//! The same call with a listener: each candidate that was looked at, its fate, what it wanted, what it got, and where it
//! was written.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mesh_compile::compiler::compile;
//! use mesh_compile::proxy_identity::{Proxy, ProxyKind};
//! use mesh_compile::snapshot::MeshSnapshot;
//! use mesh_compile::view::View;
//! use mesh_model::config_set::{Change, ConfigSet};
//! use mesh_model::mesh_config::MeshConfig;
//! use mesh_model::trace::Outcome;
//! use mesh_model::yaml::{LoadOptions, load};
//! use mesh_proxy_core::{decide::explain, probe};
//!
//! let text = r#"{"kind": "List", "apiVersion": "v1", "items": [
//!   {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "reviews", "namespace": "shop"},
//!    "spec": {"clusterIP": "10.96.0.20", "ports": [{"name": "http", "port": 9080}]}},
//!   {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "namespace": "shop"},
//!    "status": {"podIP": "10.0.1.10"}},
//!   {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
//!    "metadata": {"name": "reviews", "namespace": "shop"},
//!    "spec": {"hosts": ["reviews"], "http": [
//!      {"match": [{"uri": {"prefix": "/admin"}}], "directResponse": {"status": 403}},
//!      {"route": [{"destination": {"host": "reviews"}}]}]}}
//! ]}"#;
//! let mut config = ConfigSet::new();
//! config.apply(load("shop.json", text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert));
//! let (snapshot, _) = MeshSnapshot::resolve(&config, Arc::new(MeshConfig::with_defaults()));
//! let web = Proxy::of_pod(ProxyKind::Sidecar, "shop", "web-0", &config).ok_or("no such Pod")?;
//! let (web, _) = compile(&View::new(&snapshot, &web));
//!
//! let line = r#"{"id":"p1","direction":"outbound","conn":{"dst_ip":"10.96.0.20","dst_port":9080},"http":{"authority":"reviews:9080","path":"/7"}}"#;
//! let probe = probe::read(line).next().ok_or("no probe")??;
//! let (_, trace) = explain(&web, &probe.query(0));
//! let lost = trace
//!     .steps
//!     .iter()
//!     .find(|step| step.outcome == Outcome::Lost && step.rule.starts_with("route"))
//!     .ok_or("nothing lost")?;
//! let because = lost.because.as_ref().ok_or("no reason")?;
//! assert_eq!((&*because.field, &*because.wanted, &*because.got), ("path", "prefix /admin", "/7"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Act
//!
//! What a decision leaves to the run time (one of several destinations, a host, retries, room for one more) is decided by
//! the state machines of [`cluster`], with time and [`dice`] from outside.
//!
//! # More modules
//!
//! [`query`]: what is asked. [`describe`]: what a proxy runs, as JSON. [`path_normalization`], [`client_address`]: how
//! the canonical request is made. With feature `runtime`: `runtime` (the proxy that carries traffic), `seam` (what a program
//! can put its own in place of), `telemetry` (records of what was carried).
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod canonical;
pub mod client_address;
pub mod cluster;
pub mod cors;
pub mod decide;
pub mod decision;
pub mod describe;
pub mod dice;
pub mod filter_chain_match;
pub mod listener_match;
pub mod path_normalization;
pub mod probe;
pub mod query;
pub mod rate_limit;
pub mod redirect;
pub mod rewrite;
pub mod transport;

#[cfg(feature = "runtime")]
#[cfg_attr(docsrs, doc(cfg(feature = "runtime")))]
pub mod runtime;
#[cfg(feature = "runtime")]
#[cfg_attr(docsrs, doc(cfg(feature = "runtime")))]
pub mod seam;
#[cfg(feature = "runtime")]
#[cfg_attr(docsrs, doc(cfg(feature = "runtime")))]
pub mod telemetry;

mod cluster_step;
mod decision_format;
mod http;
mod http_syntax;
mod route_action;
mod tcp;

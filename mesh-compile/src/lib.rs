//! What each proxy of a mesh should know: listeners, route tables, policies, clusters and endpoints.
//!
//! Two steps: [`MeshSnapshot::resolve`](snapshot::MeshSnapshot::resolve) settles what does not depend on who asks,
//! [`compile`](fn@compiler::compile) what one proxy runs, as far as its [`View`](view::View) lets it see. The result has the shape of
//! Envoy's configuration, so that deciding is Envoy's algorithm (`mesh-proxy-core`).
//!
//! # One proxy's configuration
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
//! use mesh_model::yaml::{LoadOptions, load};
//!
//! let text = r#"{"kind": "List", "apiVersion": "v1", "items": [
//!   {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "reviews", "namespace": "shop"},
//!    "spec": {"clusterIP": "10.96.0.20", "ports": [{"name": "http", "port": 9080}]}},
//!   {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "namespace": "shop"},
//!    "status": {"podIP": "10.0.1.10"}}
//! ]}"#;
//! let mut config = ConfigSet::new();
//! let loaded = load("shop.json", text, &LoadOptions::default());
//! config.apply(loaded.documents.into_iter().map(Change::Upsert));
//!
//! let (snapshot, report) = MeshSnapshot::resolve(&config, Arc::new(MeshConfig::with_defaults()));
//! assert!(report.is_empty());
//! let web = Proxy::of_pod(ProxyKind::Sidecar, "shop", "web-0", &config).ok_or("no such Pod")?;
//! let (proxy_config, _) = compile(&View::new(&snapshot, &web));
//!
//! assert!(proxy_config.clusters.contains_key("outbound|9080||reviews.shop.svc.cluster.local"));
//! let table = proxy_config.route_tables.get("9080").ok_or("no routes for port 9080")?;
//! let host = table.virtual_host("reviews:9080").ok_or("no virtual host")?;
//! assert_eq!(&*host.name, "reviews.shop.svc.cluster.local:9080");
//! # Ok::<(), &str>(())
//! ```
//!
//! # Route tables alone
//!
//! [`route_table`] knows no namespaces, resources or proxies: hosts, predicates, actions. The lesson `06_route_table`
//! of the repository builds one by hand.
//!
//! # Modules
//!
//! | module | question |
//! |---|---|
//! | [`route_table`] | which route takes this request? |
//! | [`registry`] | which services and endpoints are there? |
//! | [`merge`], [`workloads`] | what do several objects say together? who runs at this address? |
//! | [`visibility`], [`export_to`] | who may see what? |
//! | [`snapshot`] | the mesh as a whole |
//! | [`proxy_identity`], [`view`] | who asks, and what does it see? |
//! | [`proxy`], [`compiler`] | what does it run? |
//! | [`analyze`] | what cannot have been meant? |
//! | [`graph`] | what does it look like? |
//! | [`workload_names`] | what does telemetry call a workload? |
//! | [`shared_map`] | how do revisions share what did not change? |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod analyze;
pub mod compiler;
pub mod export_to;
pub mod graph;
pub mod merge;
pub mod proxy;
pub mod proxy_identity;
pub mod registry;
pub mod route_table;
pub mod shared_map;
pub mod snapshot;
pub mod view;
pub mod visibility;
pub mod workload_names;
pub mod workloads;

#[cfg(test)]
mod testing;

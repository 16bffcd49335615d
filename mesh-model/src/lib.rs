//! What was written, and what it means: Istio and Kubernetes configuration as typed, located objects.
//!
//! The road of a document: text -> [`document::Node`], a tree with places -> [`object::Object`] with a typed spec ->
//! [`config_set::ConfigSet`]. Problems are data ([`diagnostic::Report`]): a bad document never sinks the rest. This crate
//! never looks at two objects at once; what they mean together is the business of `mesh-compile`.
//!
//! # Read
//!
//! ```
//! use mesh_model::config_set::{Change, ConfigSet};
//! use mesh_model::yaml::{LoadOptions, load};
//!
//! let text = r#"{
//!   "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
//!   "metadata": {"name": "reviews", "namespace": "shop"},
//!   "spec": {"host": "reviews", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]}
//! }"#;
//! let loaded = load("reviews.json", text, &LoadOptions::default());
//! assert!(loaded.report.is_empty());
//!
//! let mut config = ConfigSet::new();
//! let applied = config.apply(loaded.documents.into_iter().map(Change::Upsert));
//! assert!(applied.report.is_empty());
//!
//! let rule = config.destination_rules.iter().next().ok_or("no rule")?;
//! assert_eq!(rule.spec.host, "reviews");
//! assert_eq!(rule.origin("spec.subsets[0].name").place(), Some(("reviews.json", 4, 44)));
//! # Ok::<(), &str>(())
//! ```
//!
//! # Know what is wrong
//!
//! ```
//! use mesh_model::config_set::{Change, ConfigSet};
//! use mesh_model::diagnostic::Code;
//! use mesh_model::yaml::{LoadOptions, load};
//!
//! let text = r#"{
//!   "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
//!   "metadata": {"name": "reviews", "namespace": "shop"},
//!   "spec": {"host": "reviews", "exportTwo": ["."]}
//! }"#;
//! let loaded = load("reviews.json", text, &LoadOptions::default());
//! let applied = ConfigSet::new().apply(loaded.documents.into_iter().map(Change::Upsert));
//!
//! let finding = applied.report.iter().next().ok_or("no finding")?;
//! assert_eq!(finding.code, Code::UnknownField);
//! assert_eq!((finding.at.line, finding.at.field.as_str()), (4, "spec.exportTwo"));
//! assert_eq!(finding.help.as_deref(), Some("did you mean `exportTo`?"));
//! # Ok::<(), &str>(())
//! ```
//!
//! # Modules
//!
//! | module | holds |
//! |---|---|
//! | [`name`], [`value`] | what a person types: hostnames, namespaces, SPIFFE ids, durations, RE2 expressions |
//! | [`document`], [`origin`] | trees with places, and fields of objects as the cause of an answer |
//! | [`diagnostic`], [`trace`] | problems as data; steps of a decision and who listens to them |
//! | [`resolved`] | which of several statements holds, and what it shadows |
//! | [`facts`] | all that a rule may look at: one connection, one request |
//! | [`yaml`], [`decode`] | text to trees, trees to types |
//! | [`part`], [`networking`], [`security`], [`telemetry`], [`kubernetes`], [`mesh_config`] | the API, 1:1 |
//! | [`object`], [`kind_table`], [`config_set`] | objects, the table of kinds, all objects of a mesh |
//!
//! # Features
//!
//! `yaml` (default): YAML as input and output. JSON is read with or without it. `schema`: module `schema`, JSON Schemas of
//! every kind.
#![cfg_attr(not(feature = "yaml"), allow(dead_code, reason = "parts that only the YAML reader uses"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod check;
pub mod config_set;
#[cfg(test)]
mod conformance_test;
pub mod decode;
pub mod diagnostic;
pub mod document;
pub mod extensions;
pub mod facts;
pub mod gateway_api;
pub mod kind_table;
pub mod kubernetes;
pub mod mesh_config;
pub mod name;
pub mod networking;
pub mod object;
pub mod origin;
pub mod part;
pub mod resolved;
#[cfg(feature = "schema")]
pub mod schema;
pub mod security;
mod store;
pub mod telemetry;
pub mod trace;
pub mod value;
pub mod yaml;

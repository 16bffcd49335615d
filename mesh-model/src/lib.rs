//! Istio and Kubernetes configuration as typed, located, validated models.
//!
//! The road of a document: text -> [`document::Node`] tree with spans -> [`object::Object`] with a typed spec
//! -> [`config_set::ConfigSet`]. Problems are data ([`diagnostic::Report`]): a bad document never sinks the rest.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod check;
pub mod config_set;
#[cfg(test)]
mod conformance_test;
pub mod decode;
pub mod diagnostic;
pub mod document;
pub mod facts;
pub mod kind_table;
pub mod kubernetes;
pub mod mesh_config;
pub mod name;
pub mod networking;
pub mod object;
pub mod origin;
pub mod part;
pub mod security;
mod store;
pub mod trace;
pub mod value;
pub mod yaml;

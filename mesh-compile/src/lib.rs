//! What each proxy of a mesh should know.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod compiler;
pub mod export_to;
pub mod merge;
pub mod proxy;
pub mod proxy_identity;
pub mod registry;
pub mod route_table;
pub mod snapshot;
pub mod view;
pub mod visibility;
pub mod workloads;

#[cfg(test)]
mod testing;

//! What each proxy of a mesh should know.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod proxy;
pub mod registry;
pub mod route_table;

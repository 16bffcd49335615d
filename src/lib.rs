#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod mesh;

pub use mesh_authz as authz;
pub use mesh_compile as compile;
pub use mesh_model as model;
pub use mesh_proxy_core as proxy_core;

#[doc(no_inline)]
pub use mesh_compile::proxy::{ProxyConfig, listener::Direction};
#[doc(no_inline)]
pub use mesh_compile::proxy_identity::{Proxy, ProxyKind};
#[doc(no_inline)]
pub use mesh_model::diagnostic::{Diagnostic, Report, Severity};
#[doc(no_inline)]
pub use mesh_model::facts::{ConnectionFacts, Headers, HttpVersion, RequestFacts, TlsFacts};
#[doc(no_inline)]
pub use mesh_model::trace::{Observer, Outcome, Step, Trace};
#[doc(no_inline)]
pub use mesh_proxy_core::decide::{decide, explain};
#[doc(no_inline)]
pub use mesh_proxy_core::decision::{Action, Decision};
#[doc(no_inline)]
pub use mesh_proxy_core::query::Query;

pub use mesh::Mesh;

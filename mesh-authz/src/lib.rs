//! May this happen, and why: PeerAuthentication, RequestAuthentication and AuthorizationPolicy, exactly as Istio and Envoy
//! decide them.
//!
//! Usable alone: objects in, compiled once for a workload, asked per connection or request with an
//! [`Observer`](mesh_model::trace::Observer) that hears the reasons.
//!
//! | question | asked of |
//! |---|---|
//! | which ports of a workload accept plaintext, which want mutual TLS? | [`peer::PeerModes`] |
//! | is the token of this request good, and what does it say? | [`request_authn::RequestAuthn`] |
//! | do the policies let this request or connection pass? | [`policy_set::PolicySet`] |
//!
//! # A policy
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use mesh_authz::policy_set::{PolicyOptions, PolicySet, Protocol, applicable};
//! use mesh_authz::verdict::Facts;
//! use mesh_model::config_set::{Change, ConfigSet};
//! use mesh_model::yaml::{LoadOptions, load};
//!
//! let text = r#"{
//!   "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
//!   "metadata": {"name": "web-only", "namespace": "shop"},
//!   "spec": {"rules": [{"from": [{"source": {"principals": ["cluster.local/ns/shop/sa/web"]}}]}]}
//! }"#;
//! let mut config = ConfigSet::new();
//! let loaded = load("policy.json", text, &LoadOptions::default());
//! config.apply(loaded.documents.into_iter().map(Change::Upsert));
//!
//! // The policies of a workload, by its namespace and labels.
//! let labels = BTreeMap::new();
//! let policies = applicable(config.authorization_policies.iter(), "istio-system", "shop", &labels);
//! let options = PolicyOptions { trust_domain: "cluster.local", ..PolicyOptions::default() };
//! let (set, report) = PolicySet::compile(&policies, Protocol::Tcp, &options);
//! assert!(report.is_empty());
//! let set = set.ok_or("no policies: everything may pass")?;
//!
//! let facts = |peer| Facts {
//!     direct_ip: [10, 0, 1, 10].into(),
//!     remote_ip: [10, 0, 1, 10].into(),
//!     dst_ip: [10, 0, 1, 21].into(),
//!     dst_port: 9080,
//!     sni: None,
//!     peer: Some(peer),
//!     request: None,
//!     claims: None,
//! };
//! let verdict = set.decide(&facts("spiffe://cluster.local/ns/shop/sa/web"), &mut ());
//! assert!(verdict.allowed);
//! assert_eq!(verdict.decided_by.ok_or("nobody")?.origin.field(), "spec.rules[0]");
//! assert!(!set.decide(&facts("spiffe://cluster.local/ns/shop/sa/ads"), &mut ()).allowed);
//!
//! // The same question with a listener tells why.
//! let mut trace = mesh_model::trace::Trace::default();
//! set.decide(&facts("spiffe://cluster.local/ns/shop/sa/ads"), &mut trace);
//! let because = trace.steps.iter().find_map(|step| step.because.as_ref()).ok_or("no reason")?;
//! assert!(because.wanted.contains("sa/web"));
//! # Ok::<(), &str>(())
//! ```
//!
//! # Fail closed
//!
//! What cannot be understood never grants: an ALLOW rule with an unusable field matches nothing, a field that means
//! nothing on TCP takes its ALLOW rule with it, a token whose keys cannot be had is refused.
//!
//! # Features
//!
//! `jwt` (default): signatures are verified, with `aws-lc-rs`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod claims;
pub mod external_authorizer;
pub mod jwks_store;
mod jwt;
mod pattern;
pub mod peer;
pub mod policy_set;
pub mod profile;
pub mod request_authn;
mod request_header;
mod selection;
pub mod verdict;

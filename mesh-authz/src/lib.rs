//! May this happen, and why: PeerAuthentication, RequestAuthentication and AuthorizationPolicy, exactly as Istio and Envoy decide.
//!
//! The face of the crate:
//! [`peer::PeerModes`] (what a workload's ports accept), [`request_authn::RequestAuthn`] (tokens),
//! [`policy_set::PolicySet`] (policies), each compiled once and asked per connection or request with an
//! [`Observer`](mesh_model::trace::Observer).

mod jwt;
mod pattern;
pub mod peer;
pub mod policy_set;
pub mod request_authn;
mod request_header;
mod selection;
pub mod verdict;

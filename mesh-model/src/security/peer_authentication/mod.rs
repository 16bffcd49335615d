//! PeerAuthentication: which connections are accepted.

mod port_keys;
pub mod spec;
mod validate;

pub use spec::PeerAuthentication;

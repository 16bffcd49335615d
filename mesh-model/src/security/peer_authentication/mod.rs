//! PeerAuthentication: which connections are accepted.

mod port_keys;
pub mod spec;

pub use spec::PeerAuthentication;

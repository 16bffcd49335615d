//! PeerAuthentication: which connections are accepted.

mod port_keys;
pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

pub use spec::PeerAuthentication;

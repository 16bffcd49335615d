//! The kinds of `security.istio.io`: who may connect, which tokens count, who may do what.

pub mod authorization_policy;
pub mod peer_authentication;
pub mod request_authentication;
mod stand_in;

#[cfg(test)]
mod tests;

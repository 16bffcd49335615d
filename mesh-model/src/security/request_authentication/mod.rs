//! RequestAuthentication: which tokens are accepted.

pub mod spec;

pub use spec::RequestAuthentication;

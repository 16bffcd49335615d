//! RequestAuthentication: which tokens are accepted.

pub mod spec;
mod validate;

pub use spec::RequestAuthentication;

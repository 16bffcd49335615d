//! AuthorizationPolicy: who may do what.

pub mod spec;
mod validate;

pub use spec::AuthorizationPolicy;

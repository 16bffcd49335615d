//! AuthorizationPolicy: who may do what.

pub mod spec;

pub use spec::AuthorizationPolicy;

//! AuthorizationPolicy: who may do what.

pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

pub use spec::AuthorizationPolicy;

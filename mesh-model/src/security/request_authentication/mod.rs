//! RequestAuthentication: which tokens are accepted.

pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

pub use spec::RequestAuthentication;

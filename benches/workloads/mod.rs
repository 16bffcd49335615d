//! Work by subject.

pub mod authz;
pub mod splitmix;

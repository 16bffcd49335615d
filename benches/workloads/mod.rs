//! Work by subject.

pub mod authz;
pub mod jwt;
pub mod routes;
pub mod splitmix;

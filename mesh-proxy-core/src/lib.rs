//! What a proxy does with a request or connection, and why.

pub mod describe;

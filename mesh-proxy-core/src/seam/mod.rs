//! Where a program can put its own: small traits, each with an implementation that ships and one for tests or memory.

pub mod certificate_source;
pub mod config_source;
pub mod dial;
pub mod dice;
pub mod filter;
pub mod sink;

//! Where a program can put its own: small traits, each with an implementation that ships and one for tests or memory.

pub mod authorizer;
pub mod certificate_source;
pub mod clock;
pub mod config_source;
pub mod dial;
pub mod dice;
pub mod filter;
pub mod key_fetch;
pub mod resolve;
pub mod sink;

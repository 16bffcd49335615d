//! Where a program can put its own: small traits, each with two implementations that ship.

pub mod certificate_source;
pub mod config_source;
pub mod dial;
pub mod dice;
pub mod sink;

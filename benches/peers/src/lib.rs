//! The work of the authorization benches in the languages of other engines.
//!
//! What they are asked with is built before the clock starts, in their favour.
#![expect(clippy::missing_panics_doc, reason = "an engine that cannot be set up is not measured")]

pub mod casbin;
pub mod cedar;

//! ServiceEntry: a service that the platform does not know.

pub mod spec;
mod validate;

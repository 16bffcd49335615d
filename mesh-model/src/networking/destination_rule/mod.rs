//! DestinationRule: how clients treat a service.

pub mod spec;
mod validate;

//! DestinationRule: how clients treat a service.

pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

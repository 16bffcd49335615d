//! ServiceEntry: a service that the platform does not know.

pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

//! VirtualService: how requests to hosts are routed.

pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

//! VirtualService: how requests to hosts are routed.

pub mod spec;
mod validate;

//! Gateway: what a gateway listens to.

pub mod spec;
mod tencent;
mod validate;

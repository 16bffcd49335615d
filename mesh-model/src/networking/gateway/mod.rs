//! Gateway: what a gateway listens to.

pub mod spec;
mod tencent;
#[cfg(test)]
mod tests;
mod validate;

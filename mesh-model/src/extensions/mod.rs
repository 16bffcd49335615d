//! The kinds of `extensions.istio.io`: code of one's own in the proxy.

pub mod traffic_extension;
pub mod wasm;
pub mod wasm_plugin;

mod check;
#[cfg(test)]
mod tests;

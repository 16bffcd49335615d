//! TrafficExtension: a Wasm module or a Lua script in the proxy's filter chain.

pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

pub use spec::TrafficExtension;

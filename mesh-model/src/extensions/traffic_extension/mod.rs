//! TrafficExtension: a Wasm module or a Lua script in the proxy's filter chain.

pub mod spec;
mod validate;

pub use spec::TrafficExtension;

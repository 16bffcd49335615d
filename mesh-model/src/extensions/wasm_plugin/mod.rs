//! WasmPlugin: a Wasm module in the proxy's filter chain.

pub mod spec;
mod validate;

pub use spec::WasmPlugin;

//! WasmPlugin: a Wasm module in the proxy's filter chain.

pub mod spec;
#[cfg(test)]
mod tests;
mod validate;

pub use spec::WasmPlugin;

//! Wasm extensions (WasmPlugin, TrafficExtension): modules of the proxy-wasm ABI, each in a sandbox with bounds.
//!
//! `table` knows which plugins the configuration wants and has them fetched (`fetch`), compiled (`module`) and started
//! (`plugin`, `vm`); `road` takes a request through those of its chain and its answer back, `body` their bodies;
//! `imports` is what modules may call, `host` what stands behind that. `machine` cuts what runs for too long, `keep` puts
//! new instances in the place of broken ones.
//!
//! A module that cannot be had or taken changes nothing of what runs: the last good one of its resource stays in service.

mod body;
mod fetch;
mod fields;
mod guest;
mod host;
mod imports;
mod keep;
mod limits;
mod machine;
mod module;
mod oci;
mod pairs;
mod plugin;
mod properties;
mod road;
mod shared;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod vm;

pub use body::Plugged;
pub use fetch::ModuleFetch;
pub use limits::WasmLimits;
pub use module::Refusal;
pub use shared::{WasmMetric, WasmMetricKind};
pub use table::WasmState;

pub(crate) use road::{Ending, Road};
pub(crate) use table::{Wasm, run};

//! What a module may take of the proxy.

use std::time::Duration;

/// Bounds on Wasm modules (`Options::wasm`). Ours: a module is somebody else's program, and must not decide what becomes
/// of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WasmLimits {
    /// Time of one call into a module; what takes longer is cut. The call holds up a thread of the proxy.
    pub call: Duration,
    /// Time of all that an instance does before it is used: its start function, `proxy_on_vm_start`,
    /// `proxy_on_configure`.
    pub start: Duration,
    /// Time to compile a module, on a thread of its own.
    pub compile: Duration,
    /// Bytes of a module (Istio: 256 MiB, of an image).
    pub module_bytes: usize,
    /// Bytes of memory of an instance (Envoy: 1 GiB).
    pub memory_bytes: usize,
    /// Elements of each table of an instance.
    pub table_elements: usize,
    /// Instances of each module (Envoy: one for each of its threads).
    pub instances: usize,
    /// Bytes of a body that a module holds back, and of what it makes of it (Envoy's buffer limit: 1 MiB).
    pub body_bytes: usize,
    /// Bytes of a log line of a module; the rest of it is left out.
    pub log_bytes: usize,
    /// Log lines of a module in a second; others are lost.
    pub logs_per_second: u32,
    /// Bytes of data that the instances of a module share, keys and values.
    pub shared_bytes: usize,
    /// Metrics of a module.
    pub metrics: usize,
    /// HTTP calls of an instance that have no answer yet.
    pub calls: usize,
    /// The shortest period of a module's timer.
    pub tick: Duration,
    /// Instances of a module that may be made anew at once after they broke; then one a second.
    pub restarts: u32,
    /// Time to fetch a module.
    pub fetch: Duration,
}

impl Default for WasmLimits {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            call: Duration::from_millis(10),
            start: Duration::from_secs(1),
            compile: Duration::from_secs(2),
            module_bytes: 16 << 20,
            memory_bytes: 64 << 20,
            table_elements: 100_000,
            instances: threads.min(4),
            body_bytes: 1 << 20,
            log_bytes: 4096,
            logs_per_second: 100,
            shared_bytes: 1 << 20,
            metrics: 1000,
            calls: 100,
            tick: Duration::from_millis(10),
            restarts: 10,
            fetch: Duration::from_secs(15),
        }
    }
}

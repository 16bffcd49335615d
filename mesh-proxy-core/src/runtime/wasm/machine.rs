//! The engine that compiles and runs modules, and the clock that cuts what runs for too long.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{Config, Engine};

use super::limits::WasmLimits;

/// Stack of a call: a thread of the proxy has 2 MiB.
const STACK_BYTES: usize = 512 * 1024;
/// Parts of the time of a call: what runs is cut up to one of them late.
const PARTS: u32 = 4;

/// The engine of a proxy. Its clock stands still while no module runs.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) engine: Engine,
    pub(super) limits: WasmLimits,
    /// Modules that are being compiled.
    pub(super) compiling: AtomicUsize,
    part: Duration,
    clock: Arc<Ticking>,
}

#[derive(Debug, Default)]
struct Ticking {
    running: AtomicUsize,
    is_over: Mutex<bool>,
    changed: Condvar,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Running<'m>(&'m Ticking);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Machine {
    /// # Errors
    /// The engine does not run here, in words.
    pub(super) fn new(limits: WasmLimits) -> Result<Self, String> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .max_wasm_stack(STACK_BYTES)
            // Memory is as much address space as it may become: the system may bound that of the process.
            .memory_reservation(u64::try_from(limits.memory_bytes).unwrap_or(u64::MAX))
            .memory_reservation_for_growth(0)
            .memory_guard_size(64 * 1024)
            .wasm_memory64(false)
            .wasm_multi_memory(false);
        let engine = Engine::new(&config).map_err(|error| error.to_string())?;
        let part = (limits.call / PARTS).max(Duration::from_millis(1));
        let clock = Arc::new(Ticking::default());
        let (ticked, ticking) = (engine.clone(), Arc::clone(&clock));
        std::thread::Builder::new()
            .name("wasm-clock".to_owned())
            .spawn(move || ticking.tick(&ticked, part))
            .map_err(|error| error.to_string())?;
        Ok(Self { engine, limits, compiling: AtomicUsize::new(0), part, clock })
    }

    /// Lets the clock tick for as long as what is returned is held.
    pub(super) fn runs(&self) -> Running<'_> {
        if self.clock.running.fetch_add(1, Ordering::AcqRel) == 0 {
            drop(self.clock.lock());
            self.clock.changed.notify_one();
        }
        Running(&self.clock)
    }

    /// How many ticks a time is. The one under way counts for nothing.
    pub(super) fn ticks(&self, time: Duration) -> u64 {
        u64::try_from(time.as_micros().div_ceil(self.part.as_micros().max(1))).unwrap_or(u64::MAX) + 1
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        *self.clock.lock() = true;
        self.clock.changed.notify_one();
    }
}

impl Ticking {
    fn tick(&self, engine: &Engine, part: Duration) {
        loop {
            let mut is_over = self.lock();
            while !*is_over && self.running.load(Ordering::Acquire) == 0 {
                is_over = self.changed.wait(is_over).unwrap_or_else(PoisonError::into_inner);
            }
            if *is_over {
                return;
            }
            drop(is_over);
            // Where all of the process stands still, so does this clock: a call is not cut for that.
            std::thread::sleep(part);
            engine.increment_epoch();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, bool> {
        self.is_over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

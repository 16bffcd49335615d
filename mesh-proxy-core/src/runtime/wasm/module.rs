//! A module: checked and compiled off the road of requests, within a time.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};

use wasmtime::{ExternType, InstancePre, Module};

use super::host::Host;
use super::imports;
use super::machine::Machine;

/// Compilations at once. One that took too long cannot be ended: it goes on for nobody, and takes a place meanwhile.
const AT_ONCE_MAX: usize = 4;

/// Why a module is not taken. Ours: who watches a proxy learns what is wrong with a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It could not be fetched.
    #[error("it could not be fetched: {0}")]
    Fetch(String),
    /// Its checksum is another one.
    #[error("its sha256 is {0}")]
    Checksum(String),
    /// It is longer than [`WasmLimits::module_bytes`](super::WasmLimits::module_bytes).
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// It is no module, or one of features that are not here.
    #[error("it is no module: {0}")]
    Malformed(String),
    /// It is not of a version of the ABI that is spoken here (0.2.0 and 0.2.1).
    #[error("it speaks no version of the proxy-wasm ABI that is spoken here")]
    Abi,
    /// It lacks something that every module must have.
    #[error("it does not export {0}")]
    Export(&'static str),
    /// It calls something that is not here.
    #[error("it imports what is not here: {0}")]
    Import(String),
    /// It takes too long to compile.
    #[error("it could not be compiled in time")]
    CompileTime,
    /// It broke before it was used.
    #[error("it broke when it was started: {0}")]
    Start(String),
    /// It refused its configuration.
    #[error("it refused its configuration")]
    Configuration,
    /// It is of a kind that is not run here.
    #[error("{0}")]
    NotHere(&'static str),
}

/// A compiled module.
#[derive(Clone)]
pub(super) struct Compiled {
    pub(super) machine: Arc<Machine>,
    pub(super) module: InstancePre<Host>,
}

/// Compiles a module on a thread of its own, and waits for it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn compile(machine: &Arc<Machine>, bytes: Vec<u8>) -> Result<Compiled, Refusal> {
    let limits = machine.limits;
    if bytes.len() > limits.module_bytes {
        return Err(Refusal::TooLarge(limits.module_bytes));
    }
    let (tell, told) = mpsc::channel();
    let compiling = Arc::clone(machine);
    let before = machine.compiling.fetch_add(1, Ordering::AcqRel);
    if before >= AT_ONCE_MAX {
        machine.compiling.fetch_sub(1, Ordering::AcqRel);
        return Err(Refusal::CompileTime);
    }
    let spawned = std::thread::Builder::new().name("wasm-compile".to_owned()).spawn(move || {
        let compiled = Module::new(&compiling.engine, &bytes);
        compiling.compiling.fetch_sub(1, Ordering::AcqRel);
        // Nobody may be there to hear of it any more.
        let _ = tell.send(compiled);
    });
    if spawned.is_err() {
        machine.compiling.fetch_sub(1, Ordering::AcqRel);
        return Err(Refusal::CompileTime);
    }
    let module = match told.recv_timeout(limits.compile) {
        Ok(Ok(module)) => module,
        Ok(Err(error)) => return Err(Refusal::Malformed(format!("{error:#}"))),
        Err(_) => return Err(Refusal::CompileTime),
    };
    check(&module)?;
    let linker = imports::linker(&machine.engine).map_err(|error| Refusal::Import(error.to_string()))?;
    let module = linker.instantiate_pre(&module).map_err(|error| Refusal::Import(format!("{error:#}")))?;
    Ok(Compiled { machine: Arc::clone(machine), module })
}

/// What every module has. Spec: proxy-wasm ABI 0.2.1, Integration, Memory management.
fn check(module: &Module) -> Result<(), Refusal> {
    let is_function = |name: &str| matches!(module.get_export(name), Some(ExternType::Func(_)));
    // Between the two, functions came and none changed.
    if !is_function("proxy_abi_version_0_2_1") && !is_function("proxy_abi_version_0_2_0") {
        return Err(Refusal::Abi);
    }
    if !matches!(module.get_export("memory"), Some(ExternType::Memory(_))) {
        return Err(Refusal::Export("memory"));
    }
    if !is_function("malloc") && !is_function("proxy_on_memory_allocate") {
        return Err(Refusal::Export("proxy_on_memory_allocate"));
    }
    Ok(())
}

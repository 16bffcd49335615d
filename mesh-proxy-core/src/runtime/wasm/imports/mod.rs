//! What modules may call. Spec: proxy-wasm ABI 0.2.1, functions exposed by the host.
//!
//! What a module does not call, it need not be able to; what it calls and is not here keeps it from being loaded.

mod buffers;
mod maps;
mod own;
mod streams;
mod wasi;

use wasmtime::{Engine, Linker, Result};

use super::host::Host;

/// The longest name, path or head that a module hands over.
const TEXT_MAX: usize = 64 * 1024;

/// All of them.
///
/// # Errors
/// Two have one name.
pub(super) fn linker(engine: &Engine) -> Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    own::add(&mut linker)?;
    maps::add(&mut linker)?;
    buffers::add(&mut linker)?;
    streams::add(&mut linker)?;
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        wasi::add(&mut linker, module)?;
    }
    Ok(linker)
}

//! The few functions of WASI that languages call at their start. There are no files, no arguments and no sockets.
// Spec: WASI preview 1; proxy-wasm ABI 0.2.1, Unimplemented WASI functions.

use std::time::Duration;

use wasmtime::{Caller, Linker, Result, bail};

use super::own::now_ns;
use crate::runtime::wasm::guest;
use crate::runtime::wasm::host::Host;
use crate::runtime::wasm::status::{self, Status};

/// Bytes of chance at once, as in Envoy.
const RANDOM_MAX: u32 = 64 * 1024;
/// Pieces of a line.
const PIECES_MAX: u32 = 1024;

pub(super) fn add(linker: &mut Linker<Host>, module: &str) -> Result<()> {
    linker.func_wrap(module, "fd_write", write)?;
    linker.func_wrap(module, "clock_time_get", clock)?;
    linker.func_wrap(module, "clock_res_get", |mut caller: Caller<'_, Host>, clock: u32, at: u32| {
        if clock > 1 { status::NOTSUP } else { ended(guest::write(&mut caller, at, &1_u64.to_le_bytes())) }
    })?;
    linker.func_wrap(module, "random_get", random)?;
    linker.func_wrap(module, "environ_sizes_get", environment_sizes)?;
    linker.func_wrap(module, "environ_get", environment)?;
    linker.func_wrap(module, "args_sizes_get", |mut caller: Caller<'_, Host>, count: u32, bytes: u32| {
        let told = guest::write_u32(&mut caller, count, 0);
        ended(told.and_then(|()| guest::write_u32(&mut caller, bytes, 0)))
    })?;
    linker.func_wrap(module, "args_get", |_: u32, _: u32| status::OK)?;
    linker.func_wrap(module, "proc_exit", |code: u32| -> Result<()> { bail!("it exited with {code}") })?;
    linker.func_wrap(module, "sched_yield", || status::OK)?;
    linker.func_wrap(module, "fd_close", |_: u32| status::OK)?;
    linker.func_wrap(module, "fd_read", |_: u32, _: u32, _: u32, _: u32| status::BADF)?;
    linker.func_wrap(module, "fd_seek", |_: u32, _: i64, _: u32, _: u32| status::BADF)?;
    linker.func_wrap(module, "fd_prestat_get", |_: u32, _: u32| status::BADF)?;
    linker.func_wrap(module, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| status::BADF)?;
    linker.func_wrap(module, "fd_filestat_get", |_: u32, _: u32| status::BADF)?;
    linker.func_wrap(module, "fd_fdstat_set_flags", |_: u32, _: u32| status::NOTSUP)?;
    linker.func_wrap(module, "poll_oneoff", |_: u32, _: u32, _: u32, _: u32| status::NOTSUP)?;
    linker.func_wrap(
        module,
        "path_open",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: i64, _: i64, _: u32, _: u32| status::NOTSUP,
    )?;
    linker.func_wrap(module, "path_filestat_get", |_: u32, _: u32, _: u32, _: u32, _: u32| status::NOTSUP)?;
    linker.func_wrap(module, "fd_fdstat_get", |mut caller: Caller<'_, Host>, file: u32, at: u32| {
        if !matches!(file, 1 | 2) {
            return status::BADF;
        }
        // It may be written to, and nothing else.
        let mut described = [0_u8; 24];
        described[8] = 64;
        ended(guest::write(&mut caller, at, &described))
    })?;
    Ok(())
}

fn ended(result: Result<(), guest::Outside>) -> Status {
    if result.is_ok() { status::OK } else { status::FAULT }
}

/// Standard output is logged as information, standard error as an error.
fn write(mut caller: Caller<'_, Host>, file: u32, pieces: u32, count: u32, at_written: u32) -> Status {
    let level = match file {
        1 => 2,
        2 => 4,
        _ => return status::BADF,
    };
    if count > PIECES_MAX {
        return status::INVAL;
    }
    let max = caller.data().shared.limits.log_bytes;
    let (mut line, mut written) = (Vec::new(), 0_u32);
    for piece in 0..count {
        let Some(at) = pieces.checked_add(piece * 8) else { return status::FAULT };
        let Ok(described) = guest::read(&mut caller, at, 8, 8) else { return status::FAULT };
        let number = |at: usize| {
            let bytes = described.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes)
        };
        let (at, length) = (number(0), number(4));
        let room = max.saturating_sub(line.len());
        let Ok(text) = guest::read(&mut caller, at, length, room) else { return status::FAULT };
        line.extend(text);
        written = written.saturating_add(length);
    }
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    if !line.is_empty() {
        caller.data().shared.log(level, line);
    }
    ended(guest::write_u32(&mut caller, at_written, written))
}

fn clock(mut caller: Caller<'_, Host>, clock: u32, _precision: u64, at_time: u32) -> Status {
    let time = match clock {
        0 => now_ns(),
        1 => {
            let passed = Duration::from_millis(caller.data().shared.clock.now_ms());
            u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
        }
        _ => return status::NOTSUP,
    };
    ended(guest::write(&mut caller, at_time, &time.to_le_bytes()))
}

fn random(mut caller: Caller<'_, Host>, at: u32, length: u32) -> Status {
    if length > RANDOM_MAX {
        return status::INVAL;
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let is_filled = rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes).is_ok();
    if !is_filled {
        return status::INVAL;
    }
    ended(guest::write(&mut caller, at, &bytes))
}

fn environment_sizes(mut caller: Caller<'_, Host>, at_count: u32, at_bytes: u32) -> Status {
    let lines = lines(&caller);
    let bytes: usize = lines.iter().map(Vec::len).sum();
    let [count, bytes] = [lines.len(), bytes].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let told = guest::write_u32(&mut caller, at_count, count);
    ended(told.and_then(|()| guest::write_u32(&mut caller, at_bytes, bytes)))
}

fn environment(mut caller: Caller<'_, Host>, mut at_pointers: u32, mut at_text: u32) -> Status {
    for line in lines(&caller) {
        let told = guest::write_u32(&mut caller, at_pointers, at_text);
        if told.and_then(|()| guest::write(&mut caller, at_text, &line)).is_err() {
            return status::FAULT;
        }
        let length = u32::try_from(line.len()).unwrap_or(u32::MAX);
        (at_pointers, at_text) = (at_pointers.saturating_add(4), at_text.saturating_add(length));
    }
    status::OK
}

fn lines(caller: &Caller<'_, Host>) -> Vec<Vec<u8>> {
    let environment = &caller.data().shared.environment;
    environment.iter().map(|(name, value)| format!("{name}={value}\0").into_bytes()).collect()
}

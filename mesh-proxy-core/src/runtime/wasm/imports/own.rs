//! Logs, time, timers, properties, shared data, metrics. Spec: proxy-wasm ABI 0.2.1.

use std::time::{Duration, SystemTime};

use wasmtime::{Caller, Linker, Result};

use super::TEXT_MAX;
use super::maps::ended;
use crate::runtime::wasm::guest;
use crate::runtime::wasm::host::Host;
use crate::runtime::wasm::properties;
use crate::runtime::wasm::status::{self, Status};

/// Spec: proxy-wasm ABI 0.2.1, `proxy_log_level_t`.
const CRITICAL: u32 = 5;

pub(super) fn add(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_log", log)?;
    linker.func_wrap("env", "proxy_get_log_level", log_level)?;
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", time)?;
    linker.func_wrap("env", "proxy_set_tick_period_milliseconds", tick)?;
    linker.func_wrap("env", "proxy_get_property", property)?;
    linker.func_wrap("env", "proxy_set_property", set_property)?;
    linker.func_wrap("env", "proxy_get_shared_data", data)?;
    linker.func_wrap("env", "proxy_set_shared_data", put_data)?;
    linker.func_wrap("env", "proxy_define_metric", define_metric)?;
    linker.func_wrap("env", "proxy_increment_metric", |caller: Caller<'_, Host>, id: u32, offset: i64| {
        caller.data().shared.increment_metric(id, offset)
    })?;
    linker.func_wrap("env", "proxy_record_metric", |caller: Caller<'_, Host>, id: u32, value: u64| {
        caller.data().shared.record_metric(id, value)
    })?;
    linker.func_wrap("env", "proxy_get_metric", metric)?;
    Ok(())
}

fn log(mut caller: Caller<'_, Host>, level: u32, at: u32, length: u32) -> Status {
    if level > CRITICAL {
        return status::BAD_ARGUMENT;
    }
    let max = caller.data().shared.limits.log_bytes;
    let Ok(message) = guest::read(&mut caller, at, length, max) else { return status::INVALID_MEMORY_ACCESS };
    caller.data().shared.log(level, &message);
    status::OK
}

fn log_level(mut caller: Caller<'_, Host>, at_level: u32) -> Status {
    use tracing::level_filters::LevelFilter;
    let level = match LevelFilter::current() {
        LevelFilter::TRACE => 0,
        LevelFilter::DEBUG => 1,
        LevelFilter::INFO => 2,
        LevelFilter::WARN => 3,
        LevelFilter::ERROR => 4,
        _ => CRITICAL,
    };
    ended(guest::write_u32(&mut caller, at_level, level))
}

fn time(mut caller: Caller<'_, Host>, at_time: u32) -> Status {
    ended(guest::write(&mut caller, at_time, &now_ns().to_le_bytes()))
}

/// Since 1970, as the calendar has it.
pub(super) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A module has one timer: a second period takes the place of the first.
fn tick(mut caller: Caller<'_, Host>, period_ms: u32) -> Status {
    let least = caller.data().shared.limits.tick;
    let period = Duration::from_millis(period_ms.into());
    caller.data_mut().tick = (period_ms > 0).then(|| period.max(least));
    status::OK
}

fn property(
    mut caller: Caller<'_, Host>,
    path: u32,
    path_length: u32,
    at_pointer: u32,
    at_length: u32,
) -> Result<Status> {
    let Ok(path) = guest::read(&mut caller, path, path_length, TEXT_MAX) else {
        return Ok(status::INVALID_MEMORY_ACCESS);
    };
    match properties::get(caller.data_mut(), &path) {
        Some(value) => guest::give(&mut caller, &value, at_pointer, at_length),
        None => Ok(status::NOT_FOUND),
    }
}

fn set_property(
    mut caller: Caller<'_, Host>,
    path: u32,
    path_length: u32,
    value: u32,
    length: u32,
) -> Status {
    let path = guest::read(&mut caller, path, path_length, TEXT_MAX);
    let value = guest::read(&mut caller, value, length, TEXT_MAX);
    let (Ok(path), Ok(value)) = (path, value) else { return status::INVALID_MEMORY_ACCESS };
    if properties::set(caller.data_mut(), &path, &value) { status::OK } else { status::NOT_FOUND }
}

fn data(
    mut caller: Caller<'_, Host>,
    key: u32,
    key_length: u32,
    at_pointer: u32,
    at_length: u32,
    at_version: u32,
) -> Result<Status> {
    let Ok(key) = guest::read(&mut caller, key, key_length, TEXT_MAX) else {
        return Ok(status::INVALID_MEMORY_ACCESS);
    };
    let Some((value, version)) = caller.data().shared.data(&key) else { return Ok(status::NOT_FOUND) };
    if guest::write_u32(&mut caller, at_version, version).is_err() {
        return Ok(status::INVALID_MEMORY_ACCESS);
    }
    guest::give(&mut caller, &value, at_pointer, at_length)
}

fn put_data(
    mut caller: Caller<'_, Host>,
    key: u32,
    key_length: u32,
    value: u32,
    length: u32,
    version: u32,
) -> Status {
    let max = caller.data().shared.limits.shared_bytes;
    let key = guest::read(&mut caller, key, key_length, TEXT_MAX);
    let value = guest::read(&mut caller, value, length, max + 1);
    let (Ok(key), Ok(value)) = (key, value) else { return status::INVALID_MEMORY_ACCESS };
    caller.data().shared.put_data(&key, &value, version)
}

fn define_metric(mut caller: Caller<'_, Host>, kind: u32, name: u32, length: u32, at_id: u32) -> Status {
    let Ok(name) = guest::read(&mut caller, name, length, TEXT_MAX) else {
        return status::INVALID_MEMORY_ACCESS;
    };
    match caller.data().shared.define_metric(kind, &name) {
        Ok(id) => ended(guest::write_u32(&mut caller, at_id, id)),
        Err(status) => status,
    }
}

fn metric(mut caller: Caller<'_, Host>, id: u32, at_value: u32) -> Status {
    match caller.data().shared.metric(id) {
        Some(value) => ended(guest::write(&mut caller, at_value, &value.to_le_bytes())),
        None => status::NOT_FOUND,
    }
}

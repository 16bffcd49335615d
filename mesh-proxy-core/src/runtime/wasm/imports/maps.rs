//! Headers and trailers. Spec: proxy-wasm ABI 0.2.1, HTTP fields.

use wasmtime::{Caller, Linker, Result};

use super::TEXT_MAX;
use crate::runtime::wasm::fields::{Fields, Refused, Whose};
use crate::runtime::wasm::guest::{self, Outside};
use crate::runtime::wasm::host::Host;
use crate::runtime::wasm::pairs;
use crate::runtime::wasm::status::{self, Status};

/// Maps of a call's answer, which is only read. Spec: proxy-wasm ABI 0.2.1, `proxy_map_type_t`.
const ANSWER_HEADERS: u32 = 6;
const ANSWER_TRAILERS: u32 = 7;
/// A map that a module writes.
const MAP_MAX: usize = 1024 * 1024;

pub(super) fn add(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_get_header_map_size", size)?;
    linker.func_wrap("env", "proxy_get_header_map_pairs", get_all)?;
    linker.func_wrap("env", "proxy_set_header_map_pairs", set_all)?;
    linker.func_wrap("env", "proxy_get_header_map_value", get)?;
    linker.func_wrap("env", "proxy_add_header_map_value", add_value)?;
    linker.func_wrap("env", "proxy_replace_header_map_value", replace)?;
    linker.func_wrap("env", "proxy_remove_header_map_value", remove)?;
    Ok(())
}

/// What is asked of a map that may be one of a call's answer; `None`: there is none now.
fn of_map<T>(host: &mut Host, number: u32, ask: impl FnOnce(&Fields) -> T) -> Option<T> {
    if number == ANSWER_HEADERS || number == ANSWER_TRAILERS {
        let answer = host.answer.as_ref()?;
        let fields = if number == ANSWER_HEADERS {
            let status = vec![(":status", answer.status.as_str().to_owned())];
            Fields::new(Whose::Response, status, answer.headers.clone())
        } else {
            Fields::new(Whose::Other, Vec::new(), answer.trailers.clone())
        };
        return Some(ask(&fields));
    }
    host.map(number).map(|fields| ask(fields))
}

/// A map that is not there now: while a stream is told of it may have had none.
fn absent(host: &mut Host) -> Status {
    match host.stream() {
        Some(stream) if stream.is_over => status::NOT_FOUND,
        _ => status::BAD_ARGUMENT,
    }
}

fn size(mut caller: Caller<'_, Host>, map: u32, at_size: u32) -> Status {
    let host = caller.data_mut();
    let Some(size) = of_map(host, map, |fields| pairs::length(fields.pairs())) else { return absent(host) };
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    ended(guest::write_u32(&mut caller, at_size, size))
}

fn get_all(mut caller: Caller<'_, Host>, map: u32, at_pointer: u32, at_length: u32) -> Result<Status> {
    let host = caller.data_mut();
    let Some(written) = of_map(host, map, |fields| pairs::write(fields.pairs())) else {
        return Ok(absent(host));
    };
    guest::give(&mut caller, &written, at_pointer, at_length)
}

fn set_all(mut caller: Caller<'_, Host>, map: u32, at: u32, length: u32) -> Status {
    let Ok(written) = guest::read(&mut caller, at, length, MAP_MAX + 1) else {
        return status::INVALID_MEMORY_ACCESS;
    };
    let Some(read) = pairs::read(&written) else { return status::BAD_ARGUMENT };
    change(caller.data_mut(), map, |fields| fields.replace_all(&read))
}

fn get(
    mut caller: Caller<'_, Host>,
    map: u32,
    key: u32,
    key_length: u32,
    at_pointer: u32,
    at_length: u32,
) -> Result<Status> {
    let Ok(key) = guest::read(&mut caller, key, key_length, TEXT_MAX) else {
        return Ok(status::INVALID_MEMORY_ACCESS);
    };
    let host = caller.data_mut();
    match of_map(host, map, |fields| fields.first(&key).map(<[u8]>::to_vec)) {
        None => Ok(absent(host)),
        Some(None) => Ok(status::NOT_FOUND),
        Some(Some(value)) => guest::give(&mut caller, &value, at_pointer, at_length),
    }
}

fn add_value(
    caller: Caller<'_, Host>,
    map: u32,
    key: u32,
    key_length: u32,
    value: u32,
    length: u32,
) -> Status {
    put(caller, map, (key, key_length), (value, length), Fields::add)
}

fn replace(caller: Caller<'_, Host>, map: u32, key: u32, key_length: u32, value: u32, length: u32) -> Status {
    put(caller, map, (key, key_length), (value, length), Fields::replace)
}

/// One of the ways to put a value.
type Put = fn(&mut Fields, &[u8], &[u8]) -> Result<(), Refused>;

fn put(mut caller: Caller<'_, Host>, map: u32, key: (u32, u32), value: (u32, u32), put: Put) -> Status {
    let key = guest::read(&mut caller, key.0, key.1, TEXT_MAX + 1);
    let value = guest::read(&mut caller, value.0, value.1, TEXT_MAX + 1);
    let (Ok(key), Ok(value)) = (key, value) else { return status::INVALID_MEMORY_ACCESS };
    if key.len() > TEXT_MAX || value.len() > TEXT_MAX {
        return status::BAD_ARGUMENT;
    }
    change(caller.data_mut(), map, |fields| put(fields, &key, &value))
}

fn remove(mut caller: Caller<'_, Host>, map: u32, key: u32, key_length: u32) -> Status {
    let Ok(key) = guest::read(&mut caller, key, key_length, TEXT_MAX) else {
        return status::INVALID_MEMORY_ACCESS;
    };
    change(caller.data_mut(), map, |fields| {
        fields.remove(&key);
        Ok(())
    })
}

fn change(host: &mut Host, map: u32, change: impl FnOnce(&mut Fields) -> Result<(), Refused>) -> Status {
    if !host.may_change() {
        return status::BAD_ARGUMENT;
    }
    match host.map(map).map(change) {
        Some(Ok(())) => status::OK,
        Some(Err(Refused)) | None => status::BAD_ARGUMENT,
    }
}

pub(super) fn ended(result: Result<(), Outside>) -> Status {
    if result.is_ok() { status::OK } else { status::INVALID_MEMORY_ACCESS }
}

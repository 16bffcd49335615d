//! Bodies and configurations. Spec: proxy-wasm ABI 0.2.1, Buffers.

use std::borrow::Cow;

use wasmtime::{Caller, Linker, Result};

use super::maps::ended;
use crate::runtime::wasm::guest;
use crate::runtime::wasm::host::Host;
use crate::runtime::wasm::status::{self, Status};

/// Spec: proxy-wasm ABI 0.2.1, `proxy_buffer_type_t`.
const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const ANSWER_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;
const LAST: u32 = 8;

pub(super) fn add(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_get_buffer_bytes", get)?;
    linker.func_wrap("env", "proxy_get_buffer_status", length)?;
    linker.func_wrap("env", "proxy_set_buffer_bytes", set)?;
    Ok(())
}

/// A buffer; `None`: there is none of that number now. WasmPlugins have no configuration of their virtual machine.
fn buffer(host: &mut Host, number: u32) -> Option<Cow<'_, [u8]>> {
    match number {
        PLUGIN_CONFIGURATION if host.is_configured_now => Some(Cow::Borrowed(&host.shared.configuration[..])),
        VM_CONFIGURATION if host.is_configured_now => Some(Cow::Borrowed(&[])),
        ANSWER_BODY => host.answer.as_ref().map(|answer| Cow::Borrowed(&answer.body[..])),
        _ => body(host, number).map(|body| Cow::Borrowed(&body[..])),
    }
}

fn body(host: &mut Host, number: u32) -> Option<&mut Vec<u8>> {
    let stream = host.stream()?;
    match number {
        REQUEST_BODY => stream.request.body.as_mut(),
        RESPONSE_BODY => stream.response.body.as_mut(),
        _ => None,
    }
}

fn get(
    mut caller: Caller<'_, Host>,
    number: u32,
    start: u32,
    max: u32,
    at_pointer: u32,
    at_length: u32,
) -> Result<Status> {
    if number > LAST {
        return Ok(status::BAD_ARGUMENT);
    }
    let Some(buffer) = buffer(caller.data_mut(), number) else { return Ok(status::NOT_FOUND) };
    let Some(end) = start.checked_add(max) else { return Ok(status::BAD_ARGUMENT) };
    let end = usize::try_from(end).unwrap_or(usize::MAX).min(buffer.len());
    let wanted = usize::try_from(start).ok().and_then(|start| buffer.get(start..end)).unwrap_or_default();
    let wanted = wanted.to_vec();
    guest::give(&mut caller, &wanted, at_pointer, at_length)
}

fn length(mut caller: Caller<'_, Host>, number: u32, at_length: u32, at_flags: u32) -> Status {
    if number > LAST {
        return status::BAD_ARGUMENT;
    }
    let Some(buffer) = buffer(caller.data_mut(), number) else { return status::NOT_FOUND };
    let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    let told = guest::write_u32(&mut caller, at_length, length);
    ended(told.and_then(|()| guest::write_u32(&mut caller, at_flags, 0)))
}

fn set(mut caller: Caller<'_, Host>, number: u32, start: u32, size: u32, value: u32, length: u32) -> Status {
    if number > LAST {
        return status::BAD_ARGUMENT;
    }
    let Ok((memory, host)) = guest::parts(&mut caller) else { return status::INVALID_MEMORY_ACCESS };
    let Some(value) = slice(memory, value, length) else { return status::INVALID_MEMORY_ACCESS };
    let max = host.shared.limits.body_bytes;
    if !host.may_change() {
        return status::NOT_FOUND;
    }
    let Some(body) = body(host, number) else { return status::NOT_FOUND };
    let start = usize::try_from(start).unwrap_or(usize::MAX).min(body.len());
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let end = start.saturating_add(size).min(body.len());
    // CVE-2021-32781: what a module makes of a body counts as much as what came.
    if body.len() - (end - start) + value.len() > max {
        return status::BAD_ARGUMENT;
    }
    body.splice(start..end, value.iter().copied());
    status::OK
}

fn slice(memory: &[u8], at: u32, length: u32) -> Option<&[u8]> {
    let at = usize::try_from(at).ok()?;
    memory.get(at..at.checked_add(usize::try_from(length).ok()?)?)
}

//! Streams: going on, breaking off, answering; calls to services of the mesh. Spec: proxy-wasm ABI 0.2.1.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use wasmtime::{Caller, Linker, Result};

use super::TEXT_MAX;
use super::maps::ended;
use crate::runtime::hop_by_hop;
use crate::runtime::wasm::fields::{Fields, Whose};
use crate::runtime::wasm::guest;
use crate::runtime::wasm::host::{Call, Host, LocalResponse, ROOT};
use crate::runtime::wasm::pairs;
use crate::runtime::wasm::status::{self, Status};

/// Spec: proxy-wasm ABI 0.2.1, `proxy_stream_type_t`.
const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;
const LAST: u32 = 3;
/// How long a call may wait for its answer.
const PATIENCE_MAX: Duration = Duration::from_secs(300);

pub(super) fn add(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_continue_stream", resume)?;
    linker.func_wrap("env", "proxy_close_stream", close)?;
    linker.func_wrap("env", "proxy_send_local_response", answer)?;
    linker.func_wrap("env", "proxy_set_effective_context", set_context)?;
    // Streams end when they end: nobody waits for a module.
    linker.func_wrap("env", "proxy_done", || status::NOT_FOUND)?;
    linker.func_wrap("env", "proxy_http_call", call)?;
    linker.func_wrap("env", "proxy_get_status", answer_status)?;
    not_here(linker)
}

/// What this proxy has not: gRPC calls, queues, functions of its own.
fn not_here(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_grpc_call",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| {
            status::UNIMPLEMENTED
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_grpc_stream",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| status::UNIMPLEMENTED,
    )?;
    linker.func_wrap("env", "proxy_grpc_send", |_: u32, _: u32, _: u32, _: u32| status::NOT_FOUND)?;
    linker.func_wrap("env", "proxy_grpc_cancel", |_: u32| status::NOT_FOUND)?;
    linker.func_wrap("env", "proxy_grpc_close", |_: u32| status::NOT_FOUND)?;
    linker.func_wrap("env", "proxy_register_shared_queue", |_: u32, _: u32, _: u32| status::UNIMPLEMENTED)?;
    linker.func_wrap("env", "proxy_resolve_shared_queue", |_: u32, _: u32, _: u32, _: u32, _: u32| {
        status::NOT_FOUND
    })?;
    linker.func_wrap("env", "proxy_enqueue_shared_queue", |_: u32, _: u32, _: u32| status::NOT_FOUND)?;
    linker.func_wrap("env", "proxy_dequeue_shared_queue", |_: u32, _: u32, _: u32| status::NOT_FOUND)?;
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32| status::NOT_FOUND,
    )?;
    Ok(())
}

fn resume(mut caller: Caller<'_, Host>, number: u32) -> Status {
    if number > LAST {
        return status::BAD_ARGUMENT;
    }
    let Some(stream) = caller.data_mut().stream() else { return status::BAD_ARGUMENT };
    match number {
        REQUEST => stream.request.is_paused = false,
        RESPONSE => stream.response.is_paused = false,
        _ => return status::UNIMPLEMENTED,
    }
    stream.wake.notify_waiters();
    status::OK
}

fn close(mut caller: Caller<'_, Host>, number: u32) -> Status {
    if number > LAST {
        return status::BAD_ARGUMENT;
    }
    let Some(stream) = caller.data_mut().stream() else { return status::BAD_ARGUMENT };
    if number > RESPONSE {
        return status::UNIMPLEMENTED;
    }
    stream.is_closed = true;
    stream.wake.notify_waiters();
    status::OK
}

/// An answer of the module's own; after the first, or once an answer went to the client, it counts for nothing.
#[expect(clippy::too_many_arguments, reason = "as the specification has it")]
fn answer(
    mut caller: Caller<'_, Host>,
    code: u32,
    details: u32,
    details_length: u32,
    body: u32,
    body_length: u32,
    headers: u32,
    headers_length: u32,
    grpc_status: u32,
) -> Status {
    let max = caller.data().shared.limits.body_bytes;
    let details = guest::read(&mut caller, details, details_length, TEXT_MAX);
    let body = guest::read(&mut caller, body, body_length, max + 1);
    let headers = guest::read(&mut caller, headers, headers_length, TEXT_MAX + 1);
    let (Ok(details), Ok(body), Ok(headers)) = (details, body, headers) else {
        return status::INVALID_MEMORY_ACCESS;
    };
    let code = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let (Some(code), Some(headers)) = (code, pairs::read(&headers)) else { return status::BAD_ARGUMENT };
    if code.as_u16() < 200 || body.len() > max {
        return status::BAD_ARGUMENT;
    }
    let mut fields = Fields::new(Whose::Response, Vec::new(), HeaderMap::new());
    for (name, value) in headers {
        if fields.add(name, value).is_err() {
            return status::BAD_ARGUMENT;
        }
    }
    let mut lines = fields.lines;
    hop_by_hop::remove(&mut lines);
    let Some(stream) = caller.data_mut().stream() else { return status::BAD_ARGUMENT };
    if !stream.is_answered && !stream.is_over && stream.local.is_none() {
        // Words of a log line.
        let details = String::from_utf8_lossy(&details)
            .chars()
            .map(|it| if it.is_control() || it.is_whitespace() { '_' } else { it })
            .collect();
        let grpc_status = Some(grpc_status).filter(|status| *status <= 16);
        stream.local =
            Some(LocalResponse { status: code, headers: lines, body: body.into(), details, grpc_status });
        stream.wake.notify_waiters();
    }
    status::OK
}

fn set_context(mut caller: Caller<'_, Host>, context: u32) -> Status {
    let host = caller.data_mut();
    if context != ROOT && !host.streams.contains_key(&context) {
        return status::BAD_ARGUMENT;
    }
    host.effective = context;
    status::OK
}

/// A call to a cluster of this proxy, by its name.
#[expect(clippy::too_many_arguments, reason = "as the specification has it")]
fn call(
    mut caller: Caller<'_, Host>,
    cluster: u32,
    cluster_length: u32,
    headers: u32,
    headers_length: u32,
    body: u32,
    body_length: u32,
    trailers: u32,
    trailers_length: u32,
    patience_ms: u32,
    at_id: u32,
) -> Status {
    let limits = caller.data().shared.limits;
    let cluster = guest::read(&mut caller, cluster, cluster_length, TEXT_MAX);
    let headers = guest::read(&mut caller, headers, headers_length, TEXT_MAX + 1);
    let body = guest::read(&mut caller, body, body_length, limits.body_bytes + 1);
    let trailers = guest::read(&mut caller, trailers, trailers_length, TEXT_MAX + 1);
    let (Ok(cluster), Ok(headers), Ok(body), Ok(trailers)) = (cluster, headers, body, trailers) else {
        return status::INVALID_MEMORY_ACCESS;
    };
    let (Ok(cluster), Some(headers), Some(_)) =
        (String::from_utf8(cluster), pairs::read(&headers), pairs::read(&trailers))
    else {
        return status::BAD_ARGUMENT;
    };
    let Some(head) = head(&headers) else { return status::BAD_ARGUMENT };
    let proxy = caller.data().shared.proxy.get().and_then(Weak::upgrade);
    let is_known = proxy.is_some_and(|proxy| proxy.live.load().clusters.contains_key(&*cluster));
    if !is_known {
        return status::BAD_ARGUMENT;
    }
    let host = caller.data_mut();
    if host.calls_open >= limits.calls || body.len() > limits.body_bytes {
        return status::INTERNAL_FAILURE;
    }
    host.last_call = host.last_call.wrapping_add(1).max(1);
    let id = host.last_call;
    if guest::write_u32(&mut caller, at_id, id).is_err() {
        return status::INVALID_MEMORY_ACCESS;
    }
    let patience = Duration::from_millis(patience_ms.into()).min(PATIENCE_MAX);
    let host = caller.data_mut();
    host.calls_open += 1;
    host.calls.push(Call { id, cluster: Arc::from(cluster), head, body: Bytes::from(body), patience });
    status::OK
}

/// The head of a call; `None`: it lacks what a request must say.
fn head(pairs: &[(&[u8], &[u8])]) -> Option<Fields> {
    let mut head = Fields::new(Whose::Request, Vec::new(), HeaderMap::new());
    for (name, value) in pairs {
        head.add(name, value).ok()?;
    }
    let is_whole = [":authority", ":path", ":method"].iter().all(|name| head.pseudo(name).is_some());
    is_whole.then_some(head)
}

/// The status of the answer that is being told.
fn answer_status(
    mut caller: Caller<'_, Host>,
    at_code: u32,
    at_pointer: u32,
    at_length: u32,
) -> Result<Status> {
    let code = caller.data().answer.as_ref().map_or(0, |answer| u32::from(answer.status.as_u16()));
    let told = ended(guest::write_u32(&mut caller, at_code, code));
    if told != status::OK {
        return Ok(told);
    }
    guest::give(&mut caller, b"", at_pointer, at_length)
}

//! What requests ask of the proxy in headers: timeouts and retries (T-167). Spec: Envoy's router, headers
//! `x-envoy-retry-on`, `x-envoy-max-retries`, `x-envoy-upstream-rq-timeout-ms` and so on.
//!
//! They are taken off in any case, as Envoy does for all clients that its settings do not call internal: Istio's proxies
//! call nobody so unless they are told to. Where the program wants it, the proxy's own application is heeded.
// Facts: Envoy 1.40 as Istio sets it up, asked; its source/common/http/conn_manager_utility.cc, source/common/router/router.cc
// (`FilterUtility::finalTimeout`, `setTimeoutHeaders`) and retry_state_impl.cc; Istio's PILOT_SIDECAR_USE_REMOTE_ADDRESS. What
// a route's own header operations say of retries counts, of timeouts not.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use mesh_compile::proxy::proxy_headers::ProxyHeaders;
use mesh_compile::route_table::action::RetryPolicy;
use mesh_model::origin::Origin;

use super::head;
use crate::decision::HttpForward;

const TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-upstream-rq-timeout-ms");
const TRY_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-upstream-rq-per-try-timeout-ms");
const RETRY_ON: HeaderName = HeaderName::from_static("x-envoy-retry-on");
const RETRY_GRPC_ON: HeaderName = HeaderName::from_static("x-envoy-retry-grpc-on");
const MAX_RETRIES: HeaderName = HeaderName::from_static("x-envoy-max-retries");
const STATUS_CODES: HeaderName = HeaderName::from_static("x-envoy-retriable-status-codes");
/// The time that the upstream has, in milliseconds.
const EXPECTED: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Taken off, and nothing is done about them: names of headers that make an answer one to try again, and hedging.
const UNHEEDED: [HeaderName; 2] = [
    HeaderName::from_static("x-envoy-retriable-header-names"),
    HeaderName::from_static("x-envoy-hedge-on-per-try-timeout"),
];
/// What else Envoy takes off the requests of clients that are not internal.
const OF_OTHERS: [HeaderName; 7] = [
    EXPECTED,
    HeaderName::from_static("x-envoy-force-trace"),
    HeaderName::from_static("x-envoy-internal"),
    HeaderName::from_static("x-envoy-ip-tags"),
    HeaderName::from_static("x-envoy-original-url"),
    HeaderName::from_static("x-envoy-upstream-alt-stat-name"),
    HeaderName::from_static("x-envoy-upstream-rq-timeout-alt-response"),
];

/// What was asked of the time, until it is known what is asked of retries.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timeouts {
    /// Whether the whole was: what gRPC says of it does not count then.
    pub(super) is_whole_asked: bool,
    per_try_ms: Option<u64>,
}

/// Whether a request has any of them. Hardly one has, but most within a mesh have other headers of Envoy.
fn has_any(headers: &HeaderMap) -> bool {
    const OWN: [HeaderName; 6] = [TIMEOUT, TRY_TIMEOUT, RETRY_ON, RETRY_GRPC_ON, MAX_RETRIES, STATUS_CODES];
    let is_one = |name: &HeaderName| {
        name.as_str().starts_with("x-envoy-")
            && (OWN.contains(name) || UNHEEDED.contains(name) || OF_OTHERS.contains(name))
    };
    headers.keys().any(is_one)
}

/// The timeouts that a request asks for; the whole one is the route's then. `is_heeded`: whether it comes from one who may
/// ask; of all others nothing is left.
pub(super) fn timeouts(headers: &mut HeaderMap, http: &mut HttpForward, is_heeded: bool) -> Timeouts {
    if !has_any(headers) {
        return Timeouts::default();
    }
    for name in &OF_OTHERS {
        headers.remove(name);
    }
    let (whole, per_try) = (headers.remove(TIMEOUT), headers.remove(TRY_TIMEOUT));
    if !is_heeded {
        for name in [RETRY_ON, RETRY_GRPC_ON, MAX_RETRIES, STATUS_CODES].iter().chain(&UNHEEDED) {
            headers.remove(name);
        }
        return Timeouts::default();
    }
    let whole = number(whole.as_ref());
    http.timeout_ms = whole.unwrap_or(http.timeout_ms);
    Timeouts { is_whole_asked: whole.is_some(), per_try_ms: number(per_try.as_ref()) }
}

/// The retries that a request asks for, beside those of its route.
pub(super) fn retries(headers: &mut HeaderMap, http: &mut HttpForward, timeouts: Timeouts) {
    let per_try_ms = timeouts.per_try_ms;
    if !has_any(headers) && per_try_ms.is_none() {
        return;
    }
    let asked = [headers.remove(RETRY_ON), headers.remove(RETRY_GRPC_ON)];
    let (max, codes) = (headers.remove(MAX_RETRIES), headers.remove(STATUS_CODES));
    for name in &UNHEEDED {
        headers.remove(name);
    }
    if asked.iter().all(Option::is_none) && max.is_none() && codes.is_none() && per_try_ms.is_none() {
        return;
    }
    let mut policy = http.retries.as_deref().cloned().unwrap_or_else(none);
    for words in asked.iter().flatten().filter_map(|value| value.to_str().ok()) {
        policy.on = if policy.on.is_empty() { words.into() } else { format!("{},{words}", policy.on).into() };
    }
    if let Some(max) = number(max.as_ref()) {
        policy.attempts = u32::try_from(max).unwrap_or(u32::MAX);
    }
    let codes = codes.as_ref().and_then(|codes| codes.to_str().ok()).unwrap_or_default();
    policy.codes.extend(codes.split(',').filter_map(|code| code.trim().parse::<u16>().ok()));
    if let Some(millis) = per_try_ms {
        // One that is not shorter than the whole is none, and the route's does not count beside it.
        policy.per_try_timeout_ms =
            Some(millis).filter(|millis| http.timeout_ms == 0 || *millis < http.timeout_ms);
    }
    http.retries = Some(Arc::new(policy));
}

/// Tells the upstream how long it has, and the server of a gRPC call in its own header. `None`: as long as it likes.
pub(super) fn tell_time(headers: &mut HeaderMap, time: Option<Duration>, own: &ProxyHeaders) {
    let Some(time) = time else { return };
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    if own.debug {
        headers.insert(EXPECTED, HeaderValue::from(millis));
    }
    if head::is_grpc(headers)
        && let Ok(value) = HeaderValue::try_from(grpc_timeout(millis))
    {
        headers.insert(GRPC_TIMEOUT, value);
    }
}

/// Eight digits at most (gRPC over HTTP/2).
fn grpc_timeout(millis: u64) -> String {
    const MOST: u64 = 99_999_999;
    match millis {
        0..=MOST => format!("{millis}m"),
        _ => match millis / 1000 {
            seconds @ 0..=MOST => format!("{seconds}S"),
            seconds => format!("{}H", (seconds / 3600).min(MOST)),
        },
    }
}

/// Where the route has none: one retry of whatever is asked for.
fn none() -> RetryPolicy {
    RetryPolicy {
        attempts: 1,
        on: Arc::from(""),
        codes: Vec::new(),
        per_try_timeout_ms: None,
        backoff_ms: None,
        avoid_previous_hosts: false,
        remote_localities: false,
        origin: Origin::built_in("headers of the request (T-167)"),
    }
}

fn number(value: Option<&HeaderValue>) -> Option<u64> {
    value?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests;

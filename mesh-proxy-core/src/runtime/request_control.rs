//! What the application in front of a sidecar asks for in headers of its requests: timeouts and retries (T-167).
//! Spec: Envoy's router, headers `x-envoy-retry-on`, `x-envoy-max-retries`, `x-envoy-upstream-rq-timeout-ms` and so on.
//!
//! They are taken off in any case. Only the proxy's own application is heeded: a stranger could have a server asked as often
//! as it likes. Ours: Envoy heeds addresses that are internal, and since 1.33 none is unless it is told so.
// Facts: Envoy's source/common/router/router.cc (`FilterUtility::finalTimeout`) and retry_state_impl.cc. What a route's own
// header operations say of retries counts, of timeouts not.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use mesh_compile::route_table::action::RetryPolicy;
use mesh_model::origin::Origin;

use crate::decision::HttpForward;

const TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-upstream-rq-timeout-ms");
const TRY_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-upstream-rq-per-try-timeout-ms");
const RETRY_ON: HeaderName = HeaderName::from_static("x-envoy-retry-on");
const RETRY_GRPC_ON: HeaderName = HeaderName::from_static("x-envoy-retry-grpc-on");
const MAX_RETRIES: HeaderName = HeaderName::from_static("x-envoy-max-retries");
const STATUS_CODES: HeaderName = HeaderName::from_static("x-envoy-retriable-status-codes");
/// Taken off, and nothing is done about them: names of headers that make an answer one to try again, and hedging.
const UNHEEDED: [HeaderName; 2] = [
    HeaderName::from_static("x-envoy-retriable-header-names"),
    HeaderName::from_static("x-envoy-hedge-on-per-try-timeout"),
];

/// What was asked of the time, until it is known what is asked of retries.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timeouts {
    per_try_ms: Option<u64>,
}

/// Whether a request has any of them: hardly one has.
fn has_any(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("x-envoy-"))
}

/// The timeouts that a request asks for; the whole one is the route's then. `is_heeded`: whether it comes from the
/// application.
pub(super) fn timeouts(headers: &mut HeaderMap, http: &mut HttpForward, is_heeded: bool) -> Timeouts {
    if !has_any(headers) {
        return Timeouts::default();
    }
    let (whole, per_try) = (headers.remove(TIMEOUT), headers.remove(TRY_TIMEOUT));
    if !is_heeded {
        return Timeouts::default();
    }
    if let Some(millis) = number(whole.as_ref()) {
        http.timeout_ms = millis;
    }
    // One that is not shorter than the whole is none.
    let per_try_ms =
        number(per_try.as_ref()).filter(|millis| http.timeout_ms == 0 || *millis < http.timeout_ms);
    Timeouts { per_try_ms }
}

/// The retries that a request asks for, beside those of its route.
pub(super) fn retries(headers: &mut HeaderMap, http: &mut HttpForward, timeouts: Timeouts, is_heeded: bool) {
    let per_try_ms = timeouts.per_try_ms;
    if !has_any(headers) && per_try_ms.is_none() {
        return;
    }
    let asked = [headers.remove(RETRY_ON), headers.remove(RETRY_GRPC_ON)];
    let (max, codes) = (headers.remove(MAX_RETRIES), headers.remove(STATUS_CODES));
    for name in &UNHEEDED {
        headers.remove(name);
    }
    if !is_heeded
        || (asked.iter().all(Option::is_none) && max.is_none() && codes.is_none() && per_try_ms.is_none())
    {
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
    policy.per_try_timeout_ms = per_try_ms.or(policy.per_try_timeout_ms);
    http.retries = Some(Arc::new(policy));
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

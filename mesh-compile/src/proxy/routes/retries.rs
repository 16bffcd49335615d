//! Retry policies (T-160 to T-165).

use std::sync::{Arc, LazyLock};

use mesh_model::mesh_config::MeshConfig;
use mesh_model::origin::Origin;
use mesh_model::part::HttpRetry;

use super::Hashed;
use crate::route_table::action::RetryPolicy;

/// What is retried where nothing is written.
static DEFAULT_ON: LazyLock<Arc<str>> =
    LazyLock::new(|| "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes".into());

static DEFAULT: LazyLock<[Arc<RetryPolicy>; 2]> = LazyLock::new(|| {
    let origin = || Origin::built_in("default retry policy (T-160)");
    [Hashed::No, Hashed::Yes].map(|hashed| Arc::new(built_in(origin(), hashed)))
});

/// The route's own policy whole, else the mesh's, else the built-in one (T-160); `None`: no retries.
pub(super) fn resolve(
    own: Option<(&HttpRetry, Origin)>,
    mesh: &MeshConfig,
    hashed: Hashed,
) -> Option<Arc<RetryPolicy>> {
    match (own, &mesh.default_http_retry_policy) {
        (Some((written, origin)), _) => convert(written, origin, hashed).map(Arc::new),
        (None, Some(written)) => {
            let origin = Origin::built_in("MeshConfig.defaultHttpRetryPolicy (T-455)");
            convert(written, origin, hashed).map(Arc::new)
        }
        (None, None) => {
            let [plain, of_hashed] = &*DEFAULT;
            Some(Arc::clone(if hashed == Hashed::Yes { of_hashed } else { plain }))
        }
    }
}

fn built_in(origin: Origin, hashed: Hashed) -> RetryPolicy {
    RetryPolicy {
        attempts: 2,
        on: Arc::clone(&DEFAULT_ON),
        codes: Vec::new(),
        per_try_timeout_ms: None,
        backoff_ms: None,
        avoid_previous_hosts: hashed == Hashed::No,
        remote_localities: false,
        origin,
    }
}

fn convert(written: &HttpRetry, origin: Origin, hashed: Hashed) -> Option<RetryPolicy> {
    let HttpRetry {
        attempts,
        per_try_timeout,
        retry_on,
        retry_remote_localities,
        retry_ignore_previous_hosts,
        backoff,
    } = written;
    let attempts = u32::try_from(*attempts).ok().filter(|attempts| *attempts > 0)?;
    let mut policy = built_in(origin, hashed);
    policy.attempts = attempts;
    if !retry_on.is_empty() {
        (policy.on, policy.codes) = parse_conditions(retry_on);
    }
    policy.per_try_timeout_ms = per_try_timeout.map(|timeout| super::forward::millis(timeout.as_millis()));
    policy.backoff_ms = backoff.map(|interval| super::forward::millis(interval.as_millis()));
    if let Some(avoid) = retry_ignore_previous_hosts {
        policy.avoid_previous_hosts = *avoid;
    }
    policy.remote_localities = retry_remote_localities.unwrap_or(false);
    Some(policy)
}

/// Conditions and status codes apart (T-163).
fn parse_conditions(retry_on: &str) -> (Arc<str>, Vec<u16>) {
    let mut conditions = Vec::new();
    let mut codes = Vec::new();
    for item in retry_on.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        match item.parse::<i64>().ok().and_then(|code| u16::try_from(code).ok()) {
            Some(code) if is_known_status(code) => codes.push(code),
            _ => conditions.push(item),
        }
    }
    // Istio looks for the words anywhere in the text.
    if !codes.is_empty() && !conditions.iter().any(|condition| condition.contains("retriable-status-codes")) {
        conditions.push("retriable-status-codes");
    }
    (conditions.join(",").into(), codes)
}

/// Status codes that have a registered text; other numbers stay conditions (T-163).
fn is_known_status(code: u16) -> bool {
    matches!(
        code,
        100..=103
            | 200..=208
            | 226
            | 300..=305
            | 307
            | 308
            | 400..=418
            | 421..=426
            | 428
            | 429
            | 431
            | 451
            | 500..=508
            | 510
            | 511
    )
}

/// What a sidecar does before its own application (T-169).
pub(in crate::proxy) fn inbound() -> RetryPolicy {
    RetryPolicy {
        on: "reset-before-request".into(),
        ..built_in(Origin::built_in("default inbound retry policy (T-169)"), Hashed::No)
    }
}

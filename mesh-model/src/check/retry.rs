//! `HTTPRetry` (T-160..T-167).

use super::{Checked, Checker, Path, Problem, short, value};
use crate::part::HttpRetry;

/// Conditions that are taken beside status codes (T-164).
const CONDITIONS: [&str; 16] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

/// Checks one policy.
pub(crate) fn retry(found: &mut Checker<'_>, at: &Path<'_>, retry: &HttpRetry) {
    found.require(retry.attempts >= 0, &at.field("attempts"), || {
        Problem::invalid(format!("`{}` attempts", retry.attempts))
            .help("write 0 to switch retries off, or a small positive number")
    });
    let is_configured = retry.per_try_timeout.is_some()
        || !retry.retry_on.is_empty()
        || retry.retry_remote_localities.is_some();
    if retry.attempts == 0 && is_configured {
        let problem =
            Problem::conflict("a retry policy without `attempts` is switched off, yet it is configured")
                .help("set `attempts`, or remove the other fields");
        found.find(at, problem.help("write `attempts`, or leave only `attempts: 0`"));
    }
    if let Some(timeout) = retry.per_try_timeout {
        found.check(&at.field("perTryTimeout"), value::duration(timeout));
    }
    if let Some(backoff) = retry.backoff {
        found.check(&at.field("backoff"), value::duration(backoff));
    }
    if !retry.retry_on.is_empty() {
        for condition in retry.retry_on.split(',') {
            found.check(&at.field("retryOn"), self::condition(condition));
        }
    }
}

/// A condition, or a status code that has a name; blanks are not cut off.
fn condition(condition: &str) -> Checked {
    if CONDITIONS.contains(&condition) || condition.parse().is_ok_and(is_named_status) {
        return Ok(());
    }
    let problem = Problem::invalid(format!("`{}` is not a retry condition", short(condition)));
    let trimmed = condition.trim();
    if trimmed != condition {
        return Err(problem.help(format!("remove the blanks: `{}`", short(trimmed))));
    }
    Err(match crate::diagnostic::nearest(condition, CONDITIONS) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("conditions are `{}`, and status codes", CONDITIONS.join("`, `"))),
    })
}

/// Codes for which Go's `net/http` has a text.
fn is_named_status(code: u16) -> bool {
    matches!(code, 100..=103 | 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=418 | 421..=426 | 428 | 429 | 431 | 451
        | 500..=508 | 510 | 511)
}

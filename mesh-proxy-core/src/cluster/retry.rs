//! Whether a try that failed is repeated, and when (T-160 to T-166; Envoy's `retry_state_impl.cc`).

use std::cell::OnceCell;

use mesh_compile::route_table::action::RetryPolicy;

use crate::dice::Dice;

/// Envoy's base of the back-off where none is set; the greatest wait is ten times the base (T-165).
const BACKOFF_BASE_MS: u64 = 25;
const BACKOFF_CAP: u64 = 10;
/// How often another host is drawn where one has been tried already (T-160).
pub const HOST_SELECTION_ATTEMPTS: u64 = 5;
/// After so many tries other priorities are tried, where the route wants it (T-165).
pub const PRIORITY_UPDATE_FREQUENCY: usize = 2;

/// The words of `retryOn` as flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Conditions(u32);

impl Conditions {
    const FIVE_XX: Self = Self(1);
    const GATEWAY_ERROR: Self = Self(1 << 1);
    const CONNECT_FAILURE: Self = Self(1 << 2);
    const RETRIABLE_4XX: Self = Self(1 << 3);
    const REFUSED_STREAM: Self = Self(1 << 4);
    const STATUS_CODES: Self = Self(1 << 5);
    const RESET: Self = Self(1 << 6);
    const RESET_BEFORE_REQUEST: Self = Self(1 << 7);
    const RATE_LIMITED: Self = Self(1 << 8);
    const CANCELLED: Self = Self(1 << 9);
    const DEADLINE_EXCEEDED: Self = Self(1 << 10);
    const RESOURCE_EXHAUSTED: Self = Self(1 << 11);
    const UNAVAILABLE: Self = Self(1 << 12);
    const INTERNAL: Self = Self(1 << 13);

    /// Words that no try of ours can meet (`retriable-headers`, `http3-post-connect-failure`) are passed over.
    fn parse(words: &str) -> Self {
        words.split(',').map(str::trim).fold(Self::default(), |all, word| {
            Self(
                all.0
                    | match word {
                        "5xx" => Self::FIVE_XX,
                        "gateway-error" => Self::GATEWAY_ERROR,
                        "connect-failure" => Self::CONNECT_FAILURE,
                        "retriable-4xx" => Self::RETRIABLE_4XX,
                        "refused-stream" => Self::REFUSED_STREAM,
                        "retriable-status-codes" => Self::STATUS_CODES,
                        "reset" => Self::RESET,
                        "reset-before-request" => Self::RESET_BEFORE_REQUEST,
                        "envoy-ratelimited" => Self::RATE_LIMITED,
                        "cancelled" => Self::CANCELLED,
                        "deadline-exceeded" => Self::DEADLINE_EXCEEDED,
                        "resource-exhausted" => Self::RESOURCE_EXHAUSTED,
                        "unavailable" => Self::UNAVAILABLE,
                        "internal" => Self::INTERNAL,
                        _ => Self::default(),
                    }
                    .0,
            )
        })
    }

    fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }
}

/// How a try failed, or what the host said (T-163, T-166).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    /// Response headers.
    Response {
        /// HTTP status.
        status: u16,
        /// `grpc-status` of a response without a body, where there is one.
        grpc_status: Option<u32>,
        /// `x-envoy-ratelimited` is among the headers.
        rate_limited: bool,
        /// `x-envoy-overloaded` is among the headers: never repeated.
        overloaded: bool,
    },
    /// No response came.
    Reset {
        /// Why.
        reason: ResetReason,
        /// Whether any of the request had been sent.
        request_sent: bool,
    },
}

/// Why there was no response (T-166).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetReason {
    /// No connection.
    ConnectFailure,
    /// The HTTP/2 host refused the stream: it has not looked at the request.
    RefusedStream,
    /// The connection broke, or the host reset the stream.
    Reset,
    /// The time of one try is over.
    PerTryTimeout,
    /// A circuit breaker is open: never repeated.
    Overflow,
}

/// What to do after a try (T-162, T-165).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after this time.
    Retry {
        /// Wait, in milliseconds.
        after_ms: u64,
    },
    /// What came is the answer: nothing to repeat.
    Final,
    /// It would be repeated, but the tries are used up (flag URX where the answer is a failure).
    LimitExceeded,
}

/// The retries of one request.
///
/// The caller first takes a place from the [circuit breaker](super::circuit_breaker) (`Resource::Retries`); where there is
/// none the retry is not made (T-271).
#[derive(Debug, Clone)]
pub struct RetryState<'a> {
    /// The policy's words; read when something has gone wrong that one of them may name.
    on: &'a str,
    conditions: OnceCell<Conditions>,
    codes: &'a [u16],
    left: u32,
    wait_ms: u64,
    wait_max_ms: u64,
}

impl<'a> RetryState<'a> {
    /// The state before the first try.
    pub fn new(policy: &'a RetryPolicy) -> Self {
        let base_ms = policy.backoff_ms.filter(|ms| *ms > 0).unwrap_or(BACKOFF_BASE_MS);
        Self {
            on: &policy.on,
            conditions: OnceCell::new(),
            codes: &policy.codes,
            left: policy.attempts,
            wait_ms: base_ms,
            wait_max_ms: base_ms.saturating_mul(BACKOFF_CAP),
        }
    }

    /// What to do after a try.
    pub fn after(&mut self, tried: Try, dice: &mut dyn Dice) -> Verdict {
        if !self.is_retriable(tried) {
            return Verdict::Final;
        }
        let Some(left) = self.left.checked_sub(1) else { return Verdict::LimitExceeded };
        self.left = left;
        // Exponential with full jitter.
        let after_ms = dice.below(self.wait_ms);
        self.wait_ms = self.wait_ms.saturating_mul(2).min(self.wait_max_ms);
        Verdict::Retry { after_ms }
    }

    fn is_retriable(&self, tried: Try) -> bool {
        match tried {
            Try::Response { status, grpc_status, rate_limited, overloaded } => {
                !overloaded
                    && (!rate_limited || self.names(Conditions::RATE_LIMITED))
                    && (rate_limited
                        || self.is_retriable_status(status)
                        || self.is_retriable_grpc(grpc_status))
            }
            Try::Reset { reason, request_sent } => self.is_retriable_reset(reason, request_sent),
        }
    }

    fn is_retriable_status(&self, status: u16) -> bool {
        let server_error = (500..600).contains(&status);
        (server_error && self.names(Conditions::FIVE_XX))
            || ((502..=504).contains(&status) && self.names(Conditions::GATEWAY_ERROR))
            || (status == 409 && self.names(Conditions::RETRIABLE_4XX))
            || (self.codes.contains(&status) && self.names(Conditions::STATUS_CODES))
    }

    fn is_retriable_grpc(&self, status: Option<u32>) -> bool {
        let condition = match status {
            Some(1) => Conditions::CANCELLED,
            Some(4) => Conditions::DEADLINE_EXCEEDED,
            Some(8) => Conditions::RESOURCE_EXHAUSTED,
            Some(13) => Conditions::INTERNAL,
            Some(14) => Conditions::UNAVAILABLE,
            _ => return false,
        };
        self.names(condition)
    }

    /// Whether the policy names a condition.
    fn names(&self, condition: Conditions) -> bool {
        self.conditions.get_or_init(|| Conditions::parse(self.on)).has(condition)
    }

    fn is_retriable_reset(&self, reason: ResetReason, request_sent: bool) -> bool {
        // A reset is a 5xx in the making, so the words for these cover it.
        let any = [Conditions::RESET, Conditions::FIVE_XX, Conditions::GATEWAY_ERROR];
        match reason {
            ResetReason::Overflow => false,
            _ if any.into_iter().any(|condition| self.names(condition)) => true,
            _ if !request_sent && self.names(Conditions::RESET_BEFORE_REQUEST) => true,
            ResetReason::ConnectFailure => self.names(Conditions::CONNECT_FAILURE),
            ResetReason::RefusedStream => self.names(Conditions::REFUSED_STREAM),
            ResetReason::Reset | ResetReason::PerTryTimeout => false,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use mesh_model::origin::Origin;

    use super::*;
    use crate::dice::{LoadedDice, SeededDice};

    pub(in crate::cluster) fn policy(on: &str, attempts: u32) -> RetryPolicy {
        RetryPolicy {
            attempts,
            on: on.into(),
            codes: vec![418],
            per_try_timeout_ms: None,
            backoff_ms: None,
            avoid_previous_hosts: true,
            remote_localities: false,
            origin: Origin::built_in("test"),
        }
    }

    fn response(status: u16, grpc_status: Option<u32>) -> Try {
        Try::Response { status, grpc_status, rate_limited: false, overloaded: false }
    }

    fn reset(reason: ResetReason) -> Try {
        Try::Reset { reason, request_sent: true }
    }

    fn repeats(on: &str, tried: Try) -> bool {
        RetryState::new(&policy(on, 1)).after(tried, &mut LoadedDice(0)) != Verdict::Final
    }

    const DEFAULT: &str = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

    #[test]
    fn each_word_repeats_what_it_names() {
        for (on, tried, expected) in [
            ("5xx", response(500, None), true),
            ("5xx", response(499, None), false),
            ("5xx", reset(ResetReason::Reset), true),
            ("gateway-error", response(500, None), false),
            ("gateway-error", response(502, None), true),
            ("gateway-error", reset(ResetReason::PerTryTimeout), true),
            ("retriable-4xx", response(409, None), true),
            ("retriable-4xx", response(404, None), false),
            ("retriable-status-codes", response(418, None), true),
            ("unavailable", response(200, Some(14)), true),
            ("unavailable", response(200, Some(13)), false),
            ("internal", response(200, Some(13)), true),
            ("connect-failure", reset(ResetReason::ConnectFailure), true),
            ("connect-failure", reset(ResetReason::Reset), false),
            ("refused-stream", reset(ResetReason::RefusedStream), true),
            ("reset", reset(ResetReason::PerTryTimeout), true),
            ("reset-before-request", reset(ResetReason::Reset), false),
            ("reset-before-request", Try::Reset { reason: ResetReason::Reset, request_sent: false }, true),
            ("5xx,reset", reset(ResetReason::Overflow), false),
            (DEFAULT, response(503, None), false),
            (DEFAULT, reset(ResetReason::ConnectFailure), true),
            (DEFAULT, reset(ResetReason::PerTryTimeout), false),
            ("", reset(ResetReason::ConnectFailure), false),
        ] {
            assert_eq!(repeats(on, tried), expected, "{on}: {tried:?}");
        }
    }

    #[test]
    fn an_overloaded_upstream_is_not_asked_again() {
        let tried = Try::Response { status: 503, grpc_status: None, rate_limited: false, overloaded: true };
        assert!(!repeats("5xx", tried));
    }

    #[test]
    fn a_rate_limited_answer_is_repeated_only_where_that_is_asked_for() {
        let tried = Try::Response { status: 503, grpc_status: None, rate_limited: true, overloaded: false };
        assert!(!repeats("5xx", tried));
        assert!(repeats("envoy-ratelimited", tried));
    }

    #[test]
    fn tries_are_used_up() {
        let policy = policy("5xx", 2);
        let mut state = RetryState::new(&policy);
        let verdicts: Vec<_> = (0..3).map(|_| state.after(response(500, None), &mut LoadedDice(0))).collect();
        let again = Verdict::Retry { after_ms: 0 };
        assert_eq!(verdicts, [again, again, Verdict::LimitExceeded]);
    }

    #[test]
    fn waits_double_up_to_ten_times_the_base() {
        let policy = policy("5xx", 100_000);
        let mut state = RetryState::new(&policy);
        let mut dice = SeededDice::new(3);
        let mut bounds = vec![];
        for _ in 0..8 {
            bounds.push(state.wait_ms);
            let bound = state.wait_ms;
            let Verdict::Retry { after_ms } = state.after(response(500, None), &mut dice) else { panic!() };
            assert!(after_ms < bound);
        }
        assert_eq!(bounds, [25, 50, 100, 200, 250, 250, 250, 250]);
    }
}

//! When a try is followed by another one (T-160 to T-166, Envoy's conditions).

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use mesh_compile::route_table::action::RetryPolicy;

use super::pool::Failure;
use crate::seam::dice::Dice;

/// A route's retry policy, read once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Retries {
    left: u32,
    made: u32,
    conditions: Vec<Condition>,
    codes: Vec<u16>,
    base: Duration,
    pub(crate) per_try: Option<Duration>,
    pub(crate) avoid_previous_hosts: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    ServerError,
    GatewayError,
    Reset,
    ResetBeforeRequest,
    ConnectFailure,
    RefusedStream,
    RetriableClientError,
    RetriableStatusCodes,
    EnvoyRateLimited,
    Grpc(u32),
}

impl Condition {
    fn parse(word: &str) -> Option<Self> {
        Some(match word.trim() {
            "5xx" => Self::ServerError,
            "gateway-error" => Self::GatewayError,
            "reset" => Self::Reset,
            "reset-before-request" => Self::ResetBeforeRequest,
            "connect-failure" => Self::ConnectFailure,
            "refused-stream" => Self::RefusedStream,
            "retriable-4xx" => Self::RetriableClientError,
            "retriable-status-codes" => Self::RetriableStatusCodes,
            "envoy-ratelimited" => Self::EnvoyRateLimited,
            "cancelled" => Self::Grpc(1),
            "deadline-exceeded" => Self::Grpc(4),
            "resource-exhausted" => Self::Grpc(8),
            "internal" => Self::Grpc(13),
            "unavailable" => Self::Grpc(14),
            _ => return None,
        })
    }
}

impl Retries {
    pub(crate) fn of(policy: Option<&RetryPolicy>) -> Self {
        let Some(policy) = policy else { return Self::default() };
        Self {
            left: policy.attempts,
            made: 0,
            conditions: policy.on.split(',').filter_map(Condition::parse).collect(),
            codes: policy.codes.clone(),
            base: Duration::from_millis(policy.backoff_ms.unwrap_or(25)),
            per_try: policy.per_try_timeout_ms.filter(|millis| *millis > 0).map(Duration::from_millis),
            avoid_previous_hosts: policy.avoid_previous_hosts,
        }
    }

    /// How many retries were made.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// Takes one of the retries that are left; how long to wait before it.
    pub(crate) fn take(&mut self, dice: &dyn Dice) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        // Fully jittered exponential back-off, at most ten times the base interval.
        let factor = 1_u32.checked_shl(self.made).unwrap_or(u32::MAX).min(10);
        self.made += 1;
        let span = self.base.saturating_mul(factor);
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Some(Duration::from_millis(dice.below(millis.max(1))))
    }

    /// Whether a try that had no answer may be followed by another.
    pub(crate) fn wants_after(&self, failure: &Failure) -> bool {
        self.left > 0 && self.conditions.iter().any(|condition| condition.fits_failure(failure))
    }

    /// Whether an answer is not good enough.
    pub(crate) fn wants_instead(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        self.left > 0
            && self.conditions.iter().any(|condition| condition.fits_answer(status, headers, &self.codes))
    }
}

impl Condition {
    fn fits_failure(self, failure: &Failure) -> bool {
        let connecting = matches!(failure, Failure::Connect(_) | Failure::ConnectTimeout);
        let reset = matches!(failure, Failure::Reset(_) | Failure::Refused | Failure::Protocol(_));
        match self {
            Self::ServerError | Self::GatewayError => {
                connecting || reset || matches!(failure, Failure::PerTryTimeout)
            }
            Self::Reset => connecting || reset || matches!(failure, Failure::PerTryTimeout),
            Self::ConnectFailure => connecting,
            Self::ResetBeforeRequest => connecting || matches!(failure, Failure::Refused),
            Self::RefusedStream => matches!(failure, Failure::Refused),
            Self::RetriableClientError
            | Self::RetriableStatusCodes
            | Self::EnvoyRateLimited
            | Self::Grpc(_) => false,
        }
    }

    fn fits_answer(self, status: StatusCode, headers: &HeaderMap, codes: &[u16]) -> bool {
        match self {
            Self::ServerError => status.is_server_error(),
            Self::GatewayError => matches!(status.as_u16(), 502..=504),
            Self::RetriableClientError => status == StatusCode::CONFLICT,
            Self::RetriableStatusCodes => codes.contains(&status.as_u16()),
            Self::EnvoyRateLimited => headers.contains_key("x-envoy-ratelimited"),
            Self::Grpc(code) => headers
                .get("grpc-status")
                .is_some_and(|value| value.as_bytes() == code.to_string().as_bytes()),
            Self::Reset | Self::ResetBeforeRequest | Self::ConnectFailure | Self::RefusedStream => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use mesh_model::origin::Origin;

    use super::*;
    use crate::seam::dice::FixedDice;

    fn retries(on: &str, attempts: u32) -> Retries {
        Retries::of(Some(&RetryPolicy {
            attempts,
            on: on.into(),
            codes: vec![418],
            per_try_timeout_ms: None,
            backoff_ms: None,
            avoid_previous_hosts: true,
            remote_localities: false,
            origin: Origin::built_in("test"),
        }))
    }

    #[test]
    fn conditions_are_envoys() {
        let none = HeaderMap::new();
        let answers = |on: &str, status: u16| {
            retries(on, 1).wants_instead(StatusCode::from_u16(status).unwrap(), &none)
        };
        assert!(answers("5xx", 500) && !answers("gateway-error", 500) && answers("gateway-error", 503));
        assert!(answers("retriable-status-codes", 418) && !answers("connect-failure", 503));
        assert!(retries("connect-failure", 1).wants_after(&Failure::ConnectTimeout));
        assert!(!retries("connect-failure", 1).wants_after(&Failure::Reset("x".into())));
        assert!(retries("reset", 1).wants_after(&Failure::Reset("x".into())));
    }

    #[test]
    fn retries_run_out_and_wait_longer_each_time() {
        let dice = FixedDice::new([u64::MAX - 1]);
        let mut retries = retries("5xx", 2);
        let first = retries.take(&dice).unwrap();
        let second = retries.take(&dice).unwrap();
        assert!(first < Duration::from_millis(25) && second < Duration::from_millis(50));
        assert_eq!(retries.take(&dice), None);
        assert!(!retries.wants_after(&Failure::ConnectTimeout));
    }
}

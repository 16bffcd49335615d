//! A program's own work on requests and answers.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::{HeaderMap, Method, Response, StatusCode};

use crate::rate_limit::{Rate, TokenBucket};

/// Sees every request that the configuration lets pass, and every answer.
/// Ours: a program's own work has its place after the policies, in every proxy the same.
///
/// A contract: filters run in the order in which they were given, after authentication and authorization; the route is
/// chosen, so what they change of a request changes what the upstream hears and not where it goes. A call returns at
/// once: it holds up the connections of its thread.
pub trait Filter: Send + Sync + Debug {
    /// A request on its way upstream; an answer ends it here, and later filters do not see it.
    fn request(&self, request: &mut RequestHead<'_>) -> Option<Response<String>> {
        let _ = request;
        None
    }

    /// The head of an answer on its way to the client, the proxy's own answers included.
    fn response(&self, status: StatusCode, headers: &mut HeaderMap) {
        let _ = (status, headers);
    }
}

/// A request, as a filter sees it. Ours: filters see what policies saw.
#[derive(Debug)]
pub struct RequestHead<'r> {
    /// Its method.
    pub method: &'r Method,
    /// The host that the client asked for.
    pub authority: &'r str,
    /// Path and query, normalised, before the route rewrites them.
    pub path: &'r str,
    /// Header lines as the upstream will receive them; hop-by-hop ones are gone.
    pub headers: &'r mut HeaderMap,
    /// The client's address.
    pub client: SocketAddr,
    /// SPIFFE identity of the client, where its certificate was verified.
    pub principal: Option<&'r str>,
}

/// So many requests a second for the whole proxy, and a bucket for bursts; the rest is answered with 429, in Envoy's
/// words for its local rate limit. Spec: Envoy, extensions.filters.http.local_ratelimit.v3.LocalRateLimit.
///
/// ```
/// use mesh_proxy_core::seam::filter::RateLimit;
///
/// let limit = RateLimit::new(10.0, 2);
/// assert!(limit.take() && limit.take());
/// assert!(!limit.take());
/// ```
#[derive(Debug)]
pub struct RateLimit {
    start: Instant,
    bucket: Mutex<TokenBucket>,
}

impl RateLimit {
    /// `per_second` tokens come into a bucket that holds `burst`, and is full at first.
    pub fn new(per_second: f64, burst: u32) -> Self {
        // A billionth of a token is the least that comes.
        let parts_per_ms = (per_second * 1_000_000.0).clamp(0.0, 1e18) as u64;
        let rate = Rate { max_tokens: burst, parts_per_ms, parts_of_token: 1_000_000_000 };
        Self { start: Instant::now(), bucket: Mutex::new(TokenBucket::full(rate, 0)) }
    }

    /// Takes a token; `false`: there is none.
    pub fn take(&self) -> bool {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.start).as_millis();
        let now_ms = u64::try_from(passed).unwrap_or(u64::MAX);
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now_ms)
    }
}

impl Filter for RateLimit {
    fn request(&self, _: &mut RequestHead<'_>) -> Option<Response<String>> {
        if self.take() {
            return None;
        }
        let mut answer = Response::new("local_rate_limited".to_owned());
        *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        Some(answer)
    }
}

/// Header lines on every answer, in the place of those of the same name.
/// Ours: a second shipped filter, so that the seam fits more than one.
#[derive(Debug, Clone, Default)]
pub struct AnswerHeaders(
    /// The lines.
    pub HeaderMap,
);

impl Filter for AnswerHeaders {
    fn response(&self, _: StatusCode, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn tokens_come_at_their_rate_and_never_more_than_fit() {
        let limit = RateLimit::new(4.0, 2);
        let start = limit.start;
        let taken = |after: Duration| (0..10).filter(|_| limit.take_at(start + after)).count();
        assert_eq!(taken(Duration::ZERO), 2);
        assert_eq!(taken(Duration::from_millis(250)), 1);
        assert_eq!(taken(Duration::from_secs(3600)), 2);
        // A clock that goes back gives nothing.
        assert_eq!(taken(Duration::ZERO), 0);
    }
}

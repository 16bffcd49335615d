//! Circuit breakers: how many connections, waiting requests, requests and retries a cluster may have at once (T-270, T-271,
//! T-273).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mesh_compile::proxy::cluster::{Limits, RetryBudget};

/// What is limited (T-270, T-271).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Connections to hosts.
    Connections,
    /// Requests that wait for a connection.
    PendingRequests,
    /// Requests that a host works on.
    Requests,
    /// Retries that wait or run.
    Retries,
}

/// Envoy's floor of retries under a budget, and its share, where they are not set.
const MIN_RETRY_CONCURRENCY: u32 = 3;

/// The breakers of a cluster. Counters are atomic: acquiring never waits (T-271).
///
/// ```
/// use std::sync::Arc;
/// use mesh_compile::proxy::cluster::Limits;
/// use mesh_proxy_core::cluster::circuit_breaker::{CircuitBreaker, Resource};
///
/// let limits = Limits { max_requests: Some(1), ..Limits::default() };
/// let breaker = Arc::new(CircuitBreaker::new(limits, None));
/// let first = breaker.acquire(Resource::Requests);
/// assert!(first.is_some() && breaker.acquire(Resource::Requests).is_none());
/// drop(first);
/// assert!(breaker.acquire(Resource::Requests).is_some());
/// ```
#[derive(Debug)]
pub struct CircuitBreaker {
    limits: Limits,
    budget: Option<RetryBudget>,
    connections: AtomicU32,
    pending: AtomicU32,
    requests: AtomicU32,
    retries: AtomicU32,
}

/// A place that is taken until this is dropped.
/// Ours: a place that is given back by being dropped cannot be forgotten.
#[derive(Debug)]
pub struct Permit {
    breaker: Arc<CircuitBreaker>,
    resource: Resource,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.breaker.counter(self.resource).fetch_sub(1, Ordering::AcqRel);
    }
}

impl CircuitBreaker {
    /// Breakers with these limits; a budget takes the place of the limit on retries (T-273).
    pub fn new(limits: Limits, budget: Option<RetryBudget>) -> Self {
        let zero = || AtomicU32::new(0);
        Self { limits, budget, connections: zero(), pending: zero(), requests: zero(), retries: zero() }
    }

    /// Takes a place; `None`: there is none (503 with flag UO; for a retry: it is not made).
    pub fn acquire(self: &Arc<Self>, resource: Resource) -> Option<Permit> {
        let limit = self.limit(resource);
        let more = |taken: u32| (taken < limit).then_some(taken + 1);
        self.counter(resource).fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Permit { breaker: Arc::clone(self), resource })
    }

    /// How many places are taken.
    pub fn taken(&self, resource: Resource) -> u32 {
        self.counter(resource).load(Ordering::Acquire)
    }

    /// How many places there are now; those of retries under a budget follow the requests.
    pub fn limit(&self, resource: Resource) -> u32 {
        let fixed = match resource {
            Resource::Connections => self.limits.max_connections,
            Resource::PendingRequests => self.limits.max_pending_requests,
            Resource::Requests => self.limits.max_requests,
            Resource::Retries => match &self.budget {
                Some(budget) => return self.within_budget(budget),
                None => self.limits.max_retries,
            },
        };
        fixed.unwrap_or(u32::MAX)
    }

    /// A share of the requests that run or wait, but not less than the floor.
    fn within_budget(&self, budget: &RetryBudget) -> u32 {
        let live =
            f64::from(self.taken(Resource::Requests)) + f64::from(self.taken(Resource::PendingRequests));
        let share = (budget.budget_percent / 100.0 * live) as u32;
        let floor = match budget.min_retry_concurrency {
            0 => MIN_RETRY_CONCURRENCY,
            floor => floor,
        };
        share.max(floor)
    }

    fn counter(&self, resource: Resource) -> &AtomicU32 {
        match resource {
            Resource::Connections => &self.connections,
            Resource::PendingRequests => &self.pending,
            Resource::Requests => &self.requests,
            Resource::Retries => &self.retries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_limits_do_not_limit() {
        let breaker = Arc::new(CircuitBreaker::new(Limits::default(), None));
        assert_eq!(breaker.limit(Resource::Connections), u32::MAX);
    }

    #[test]
    fn a_budget_follows_the_requests_and_keeps_its_floor() {
        let budget = RetryBudget { budget_percent: 20.0, min_retry_concurrency: 2, budget_interval_ms: None };
        let limits = Limits { max_retries: Some(1), ..Limits::default() };
        let breaker = Arc::new(CircuitBreaker::new(limits, Some(budget)));
        assert_eq!(breaker.limit(Resource::Retries), 2, "the floor, and not the fixed limit");
        let running: Vec<_> = (0..50).filter_map(|_| breaker.acquire(Resource::Requests)).collect();
        assert_eq!(breaker.limit(Resource::Retries), 10);
        drop(running);
        assert_eq!((breaker.limit(Resource::Retries), breaker.taken(Resource::Requests)), (2, 0));
    }

    #[test]
    fn a_limit_holds_under_contention() {
        let limits = Limits { max_requests: Some(3), ..Limits::default() };
        let breaker = Arc::new(CircuitBreaker::new(limits, None));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let permit = breaker.acquire(Resource::Requests);
                        assert!(breaker.taken(Resource::Requests) <= 3);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(breaker.taken(Resource::Requests), 0);
    }
}

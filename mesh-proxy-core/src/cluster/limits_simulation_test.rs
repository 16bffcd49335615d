//! Circuit breakers and retry budgets over 100,000 steps, beside an oracle that counts everything anew each time.

use std::collections::VecDeque;
use std::sync::Arc;

use mesh_compile::proxy::cluster::{Limits, RetryBudget};

use super::circuit_breaker::{CircuitBreaker, Permit, Resource};
use super::retry::tests::policy;
use super::retry::{ResetReason, RetryState, Try, Verdict};
use super::simulation_test::REQUESTS;
use crate::dice::{Dice, SeededDice};

const RESOURCES: [Resource; 4] =
    [Resource::Connections, Resource::PendingRequests, Resource::Requests, Resource::Retries];

/// Places are taken and given back at random: whether there was one is what counting those that are held says, for each
/// of the four, with limits of 0, some, and none, and with a budget in the place of the limit on retries.
#[test]
fn breakers_say_what_counting_says() {
    let budgets = [
        None,
        Some(RetryBudget { budget_percent: 25.0, min_retry_concurrency: 4, budget_interval_ms: None }),
        Some(RetryBudget { budget_percent: 100.0, min_retry_concurrency: 0, budget_interval_ms: None }),
    ];
    let written = [
        [Some(7), Some(5), Some(30), Some(3)],
        [Some(0), None, Some(1), Some(0)],
        [None, Some(40), None, None],
    ];
    for budget in budgets {
        for limits in written {
            let [max_connections, max_pending_requests, max_requests, max_retries] = limits;
            let made = Limits { max_connections, max_pending_requests, max_requests, max_retries };
            let breaker = Arc::new(CircuitBreaker::new(made, budget));
            let mut dice = SeededDice::new(15);
            let mut held: Vec<(Resource, Permit)> = Vec::new();
            let mut refused = [0; 4];
            for _ in 0..REQUESTS {
                if dice.happens(20.0) && !held.is_empty() {
                    let at = dice.below(held.len() as u64) as usize;
                    held.swap_remove(at);
                    continue;
                }
                let which = dice.below(4) as usize;
                let count =
                    |which: usize| held.iter().filter(|(resource, _)| *resource == RESOURCES[which]).count();
                let limit = match (which, &budget) {
                    (3, Some(budget)) => {
                        let live = (count(1) + count(2)) as f64;
                        let floor =
                            [3, budget.min_retry_concurrency][usize::from(budget.min_retry_concurrency > 0)];
                        ((live * budget.budget_percent / 100.0).floor() as u32).max(floor)
                    }
                    _ => limits[which].unwrap_or(u32::MAX),
                };
                let has_room = (count(which) as u64) < u64::from(limit);
                let permit = breaker.acquire(RESOURCES[which]);
                assert_eq!(permit.is_some(), has_room, "{:?} {limits:?} {budget:?}", RESOURCES[which]);
                match permit {
                    Some(permit) => held.push((RESOURCES[which], permit)),
                    None => refused[which] += 1,
                }
                // So that a walk without limits stays small.
                if held.len() > 300 {
                    held.clear();
                }
            }
            for (which, refused) in refused.into_iter().enumerate() {
                let is_limited = limits[which].is_some() || (which == 3 && budget.is_some());
                assert!(is_limited || refused == 0, "{:?} has no limit", RESOURCES[which]);
                assert!(!is_limited || refused > 0, "{:?} {limits:?}: never reached", RESOURCES[which]);
            }
            drop(held);
            assert!(RESOURCES.iter().all(|resource| breaker.taken(*resource) == 0));
        }
    }
}

/// What runs in the network: until when, whether it fails, and the places it holds.
struct Running {
    until: u64,
    fails: bool,
    retries_left: u32,
    _places: (Permit, Option<Permit>),
}

/// One request a millisecond, 50 ms each, of which a share fails and is tried again at once up to twice, as far as a
/// budget of a fifth allows. Never do more retries run than a fifth of what runs; where all fail, retries are a fifth of
/// all tries and no more; where few fail, none is left out.
#[test]
fn a_retry_budget_bounds_what_a_failing_network_is_sent() {
    for (fails_percent, most_retries_share) in [(1.0, 0.02), (30.0, 0.21), (100.0, 0.21)] {
        let budget = RetryBudget { budget_percent: 20.0, min_retry_concurrency: 3, budget_interval_ms: None };
        let breaker = Arc::new(CircuitBreaker::new(Limits::default(), Some(budget)));
        let policy = policy("reset", 2);
        let mut dice = SeededDice::new(16);
        let mut running: VecDeque<Running> = VecDeque::new();
        let (mut made, mut left_out, mut tries) = (0_u64, 0_u64, 0_u64);
        for now_ms in 0..REQUESTS {
            let first = breaker.acquire(Resource::Requests).unwrap();
            let fails = dice.happens(fails_percent);
            running.push_back(Running { until: now_ms + 50, fails, retries_left: 2, _places: (first, None) });
            tries += 1;
            while running.front().is_some_and(|front| front.until <= now_ms) {
                let over = running.pop_front().unwrap();
                let (fails, left) = (over.fails, over.retries_left);
                drop(over);
                let mut state = RetryState::new(&policy);
                (0..2 - left).for_each(|_| _ = state.after(RESET, &mut dice));
                if !fails || matches!(state.after(RESET, &mut dice), Verdict::LimitExceeded) {
                    assert!(!fails || left == 0);
                    continue;
                }
                let place = breaker.acquire(Resource::Requests).unwrap();
                let retrying = running.iter().filter(|running| running._places.1.is_some()).count();
                let allowed = (0.2 * (running.len() as f64 + 1.0)).floor().max(3.0) as usize;
                let retry = breaker.acquire(Resource::Retries);
                assert_eq!(retry.is_some(), retrying < allowed, "{retrying} run, {allowed} may");
                match retry {
                    None => left_out += 1,
                    Some(retry) => {
                        let fails = dice.happens(fails_percent);
                        let places = (place, Some(retry));
                        let until = now_ms + 50;
                        running.push_back(Running { until, fails, retries_left: left - 1, _places: places });
                        (made, tries) = (made + 1, tries + 1);
                    }
                }
            }
        }
        let share = made as f64 / tries as f64;
        assert!(share <= most_retries_share, "{fails_percent} % fail: {share} of the tries are retries");
        if fails_percent < 2.0 {
            assert_eq!(left_out, 0);
        } else {
            assert!(share > 0.15 && left_out > 0, "{fails_percent} %: {share}, {left_out} left out");
        }
    }
}

const RESET: Try = Try::Reset { reason: ResetReason::Reset, request_sent: true };

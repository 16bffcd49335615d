//! Local rate limits: a bucket of tokens, of which every request takes one (Envoy's `LocalRateLimit`).

use mesh_compile::route_table::action::LocalRateLimit;

use crate::dice::Dice;

/// How fast tokens come and how many fit. Whole numbers: a million tokens later nothing is rounded away.
/// Spec: Envoy, type.v3.TokenBucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The most tokens at once.
    pub max_tokens: u32,
    /// So many parts of a token come in each millisecond.
    pub parts_per_ms: u64,
    /// So many parts are a token; never 0.
    pub parts_of_token: u64,
}

impl From<&LocalRateLimit> for Rate {
    fn from(limit: &LocalRateLimit) -> Self {
        Self {
            max_tokens: limit.max_tokens,
            parts_per_ms: u64::from(limit.tokens_per_fill),
            parts_of_token: u64::try_from(limit.fill_interval_ms).unwrap_or(0).max(1),
        }
    }
}

/// A bucket of tokens, which come evenly over the fill interval. Spec: Envoy, type.v3.TokenBucket.
///
/// ```
/// use mesh_proxy_core::rate_limit::{Rate, TokenBucket};
///
/// let rate = Rate { max_tokens: 2, parts_per_ms: 1, parts_of_token: 500 };
/// let mut bucket = TokenBucket::full(rate, 0);
/// assert!(bucket.take(0) && bucket.take(0) && !bucket.take(499));
/// assert!(bucket.take(500) && !bucket.take(999));
/// ```
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: Rate,
    /// Parts of tokens. INVARIANT: no more than `max_tokens` tokens.
    parts: u64,
    filled_ms: u64,
}

impl TokenBucket {
    /// A bucket that is full now.
    pub fn full(rate: Rate, now_ms: u64) -> Self {
        Self { rate, parts: most(rate), filled_ms: now_ms }
    }

    /// Takes a token; `false`: there is none. A time that lies before an earlier one counts as that one.
    pub fn take(&mut self, now_ms: u64) -> bool {
        let passed = now_ms.saturating_sub(self.filled_ms);
        let come = passed.saturating_mul(self.rate.parts_per_ms);
        self.parts = self.parts.saturating_add(come).min(most(self.rate));
        self.filled_ms = self.filled_ms.max(now_ms);
        let left = self.parts.checked_sub(self.rate.parts_of_token);
        self.parts = left.unwrap_or(self.parts);
        left.is_some()
    }
}

fn most(rate: Rate) -> u64 {
    u64::from(rate.max_tokens).saturating_mul(rate.parts_of_token)
}

/// Whether a limit answers a request: some requests are not counted, and of those without a token some are let pass.
/// Spec: Envoy, extensions.filters.http.local_ratelimit.v3.LocalRateLimit, `filter_enabled` and `filter_enforced`.
pub fn answers(limit: &LocalRateLimit, take: impl FnOnce() -> bool, dice: &mut dyn Dice) -> bool {
    dice.happens(limit.enabled_percent) && !take() && dice.happens(limit.enforced_percent)
}

#[cfg(test)]
pub(crate) mod tests {
    use mesh_compile::route_table::action::HeaderOps;
    use mesh_model::origin::Origin;

    use super::*;
    use crate::dice::SeededDice;

    const REQUESTS: u64 = 100_000;

    pub(crate) fn limit(max_tokens: u32, tokens_per_fill: u32, fill_interval_ms: i64) -> LocalRateLimit {
        LocalRateLimit {
            max_tokens,
            tokens_per_fill,
            fill_interval_ms,
            enabled_percent: 100.0,
            enforced_percent: 100.0,
            status: 429,
            response_headers: HeaderOps::default(),
            origin: Origin::built_in("test"),
        }
    }

    /// 100,000 requests, one a millisecond: what was in the bucket passes, and then what comes in, to the token.
    #[test]
    fn under_overload_exactly_what_comes_in_passes() {
        for (max, per_fill, interval) in
            [(10, 1, 1_000), (100, 50, 333), (1, 7, 60_000), (5, 1, 1), (0, 9, 1), (3, 0, 1_000)]
        {
            let limit = limit(max, per_fill, interval);
            let mut bucket = TokenBucket::full(Rate::from(&limit), 0);
            let mut dice = SeededDice::new(1);
            let passed = (0..REQUESTS)
                .filter(|now_ms| !answers(&limit, || bucket.take(*now_ms), &mut dice))
                .count() as u64;
            let come = (REQUESTS - 1) * u64::from(per_fill) / interval as u64;
            let due = (u64::from(max) + come).min(if max == 0 { 0 } else { REQUESTS });
            assert_eq!(passed, due, "{max} tokens, {per_fill} in {interval} ms");
        }
    }

    /// Requests at random times, pauses among them, beside an oracle that adds what comes in millisecond by millisecond.
    #[test]
    fn a_bucket_fills_as_if_somebody_stood_beside_it() {
        for (max, per_fill, interval) in [(10, 1, 100), (3, 5, 77), (50, 2, 1_000)] {
            let mut bucket = TokenBucket::full(Rate::from(&limit(max, per_fill, interval)), 0);
            let (mut dice, mut now_ms) = (SeededDice::new(2), 0);
            let mut tokens = f64::from(max);
            for number in 0..REQUESTS {
                let pause = if dice.happens(1.0) { dice.below(2_000) } else { dice.below(20) };
                for _ in 0..pause {
                    tokens = (tokens + f64::from(per_fill) / interval as f64).min(f64::from(max));
                }
                now_ms += pause;
                // Sums of fractions are off by some 1e-12.
                let expected = tokens >= 1.0 - 1e-6;
                assert_eq!(bucket.take(now_ms), expected, "request {number} at {now_ms} ms: {tokens}");
                if expected {
                    tokens = (tokens - 1.0).max(0.0);
                }
            }
        }
    }

    /// An empty bucket: half of the requests ask it, and a fifth of these are answered.
    #[test]
    fn shares_of_asking_and_of_answering_multiply() {
        let limit = LocalRateLimit { enabled_percent: 50.0, enforced_percent: 20.0, ..limit(0, 1, 1_000) };
        let mut dice = SeededDice::new(3);
        let mut asked = 0_u64;
        let answered = (0..REQUESTS)
            .filter(|_| {
                let take = || {
                    asked += 1;
                    false
                };
                answers(&limit, take, &mut dice)
            })
            .count() as f64;
        let (asked, half, tenth) = (asked as f64, REQUESTS as f64 * 0.5, REQUESTS as f64 * 0.1);
        assert!((asked - half).abs() <= 5.0 * (half * 0.5).sqrt(), "{asked}");
        assert!((answered - tenth).abs() <= 5.0 * (tenth * 0.9).sqrt(), "{answered}");
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_and_takes_nothing() {
        let mut bucket = TokenBucket::full(Rate::from(&limit(1, 1, 100)), 1_000);
        assert!(bucket.take(1_000) && !bucket.take(0) && !bucket.take(1_099));
        assert!(bucket.take(1_100));
    }

    #[test]
    fn the_largest_numbers_overflow_nothing() {
        let mut bucket = TokenBucket::full(Rate::from(&limit(u32::MAX, u32::MAX, i64::MAX)), 0);
        assert!(bucket.take(u64::MAX));
        assert!(!TokenBucket::full(Rate::from(&limit(0, 1, -5)), 0).take(5));
    }
}

//! Slow start: a host that has just come gets a growing share (T-250; Envoy's `SlowStartConfig`).

use mesh_compile::proxy::cluster::SlowStart;

/// Envoy's defaults where nothing is written.
const AGGRESSION: f64 = 1.0;
const MIN_WEIGHT_PERCENT: f64 = 10.0;

/// What part of its weight a host of this age has, 0 to 1: `max(minimum, (age / window) ^ (1 / aggression))`.
/// The age counts from one second on, so that the first requests are not starved.
///
/// ```
/// use mesh_compile::proxy::cluster::SlowStart;
/// use mesh_proxy_core::cluster::slow_start::factor;
///
/// let warmup = SlowStart { window_ms: 60_000, aggression: None, min_weight_percent: None };
/// assert_eq!(factor(&warmup, 0), 0.1);
/// assert_eq!(factor(&warmup, 30_000), 0.5);
/// assert_eq!(factor(&warmup, 90_000), 1.0);
/// ```
pub fn factor(warmup: &SlowStart, age_ms: u64) -> f64 {
    let window = warmup.window_ms.max(0) as f64;
    if age_ms as f64 >= window {
        return 1.0;
    }
    let time = ((age_ms.max(1_000)) as f64 / window).min(1.0);
    let aggression = warmup.aggression.filter(|aggression| *aggression > 0.0).unwrap_or(AGGRESSION);
    let minimum = warmup.min_weight_percent.unwrap_or(MIN_WEIGHT_PERCENT) / 100.0;
    time.powf(1.0 / aggression).max(minimum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greater_aggression_grows_faster() {
        let at = |aggression| {
            factor(
                &SlowStart { window_ms: 100_000, aggression: Some(aggression), min_weight_percent: None },
                25_000,
            )
        };
        assert_eq!(at(1.0), 0.25);
        assert_eq!(at(2.0), 0.5);
        assert!(at(0.5) < 0.11);
    }

    #[test]
    fn the_minimum_holds_from_the_start() {
        let warmup = SlowStart { window_ms: 100_000, aggression: None, min_weight_percent: Some(30.0) };
        assert_eq!(factor(&warmup, 0), 0.3);
    }
}

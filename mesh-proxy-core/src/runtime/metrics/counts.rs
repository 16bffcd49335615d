//! A counter and a histogram: what is added to them needs no lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of Envoy's histograms.
pub(super) const BUCKETS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10000.0,
    30000.0,
    60000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// Counts up.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many values lie below each of [`BUCKETS`], and their sum.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Each value is in one of them: the first whose bound is not below it.
    within: [AtomicU64; BUCKETS.len()],
    /// Above all bounds.
    beyond: AtomicU64,
    /// The bits of an `f64`.
    sum: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, value: f64) {
        let bucket = self.within.iter().zip(BUCKETS).find(|(_, bound)| value <= *bound);
        bucket.map_or(&self.beyond, |(bucket, _)| bucket).fetch_add(1, Ordering::Relaxed);
        let add = |sum: u64| Some((f64::from_bits(sum) + value).to_bits());
        // The closure never says no.
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    pub(super) fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Ordering::Relaxed))
    }

    /// How many values are not above each bound, and how many there are. Read once, so that the counts never fall.
    pub(super) fn cumulative(&self) -> ([u64; BUCKETS.len()], u64) {
        let mut count = 0;
        let below = self.within.each_ref().map(|bucket| {
            count += bucket.load(Ordering::Relaxed);
            count
        });
        (below, count + self.beyond.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_is_within_it() {
        let histogram = Histogram::default();
        for value in [0.0, 0.5, 0.6, 3_600_000.0, 3_600_001.0] {
            histogram.observe(value);
        }
        let (below, count) = histogram.cumulative();
        assert_eq!((below[0], below[1], below[17], below[18], count), (2, 3, 3, 4, 5));
        assert!((histogram.sum() - 7_200_002.1).abs() < 1e-6);
    }
}

//! Chance, given from outside so that what depends on it can be tested.

use std::sync::Mutex;
use std::sync::PoisonError;

/// A source of chance.
///
/// A contract: numbers are uniform below the bound, and a call never blocks for long.
///
/// ```
/// use mesh_proxy_core::seam::dice::{Dice, FixedDice};
///
/// let dice = FixedDice::new([3, 12]);
/// assert_eq!((dice.below(10), dice.below(10)), (3, 2));
/// ```
pub trait Dice: Send + Sync + std::fmt::Debug {
    /// A number from 0 to `bound - 1`; 0 where the bound is 0.
    fn below(&self, bound: u64) -> u64;

    /// Whether a chance of `percent` (0 to 100) comes true, to a millionth.
    fn happens(&self, percent: f64) -> bool {
        const MILLION: u64 = 1_000_000;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let drawn = self.below(MILLION) as f64;
        drawn < percent * 10_000.0
    }
}

/// The thread's own generator, seeded by the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadDice;

impl Dice for ThreadDice {
    fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { fastrand::u64(0..bound) }
    }
}

/// Numbers given beforehand, over and over: for tests.
#[derive(Debug)]
pub struct FixedDice {
    numbers: Vec<u64>,
    next: Mutex<usize>,
}

impl FixedDice {
    /// Throws these numbers in turn (0 where there are none).
    pub fn new(numbers: impl Into<Vec<u64>>) -> Self {
        Self { numbers: numbers.into(), next: Mutex::new(0) }
    }
}

impl Dice for FixedDice {
    fn below(&self, bound: u64) -> u64 {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.numbers.get(*next).copied().unwrap_or_default();
        *next = (*next + 1) % self.numbers.len().max(1);
        number.checked_rem(bound).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_happens_at_0_percent_and_all_at_100() {
        let dice = ThreadDice;
        assert!((0..1000).all(|_| !dice.happens(0.0) && dice.happens(100.0)));
    }

    #[test]
    fn a_share_comes_true_as_often_as_it_says() {
        let came_true = (0..100_000).filter(|_| ThreadDice.happens(25.0)).count();
        assert!((23_500..26_500).contains(&came_true), "{came_true}");
    }
}

//! Randomness as an argument: whoever holds the dice decides, so that a simulation repeats exactly.

/// A source of random numbers.
/// Ours: whoever holds the dice decides, so that what happened can be made to happen again.
///
/// ```
/// use mesh_proxy_core::dice::{Dice, SeededDice};
///
/// let (mut one, mut two) = (SeededDice::new(7), SeededDice::new(7));
/// assert_eq!(one.below(100), two.below(100));
/// ```
pub trait Dice {
    /// 64 random bits.
    fn roll(&mut self) -> u64;

    /// A number smaller than `bound`; 0 for a bound of 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.roll().checked_rem(bound).unwrap_or(0)
    }

    /// Whether something of this share (percent, 0 to 100) happens. Parts of a ten-thousandth of a percent count, as in
    /// Envoy's `FractionalPercent` of denominator `MILLION`.
    fn happens(&mut self, percent: f64) -> bool {
        (self.below(1_000_000) as f64) < percent * 10_000.0
    }
}

/// Dice that repeat: splitmix64 from a seed. For tests and simulations; not for secrets.
/// Spec: splitmix64, by Sebastiano Vigna.
#[derive(Debug, Clone)]
pub struct SeededDice {
    state: u64,
}

impl SeededDice {
    /// Dice that start at a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }
}

impl Dice for SeededDice {
    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Dice that always show the same number. Ours: a test asks for the outcome that it is about.
#[derive(Debug, Clone, Copy)]
pub struct LoadedDice(
    /// What they show.
    pub u64,
);

impl Dice for LoadedDice {
    fn roll(&mut self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_happens_as_often_as_it_says() {
        let mut dice = SeededDice::new(1);
        for percent in [0.0, 0.5, 20.0, 99.0, 100.0] {
            let hits = (0..100_000).filter(|_| dice.happens(percent)).count() as f64;
            assert!((hits / 1_000.0 - percent).abs() < 0.5, "{percent} % happened {hits} times in 100,000");
        }
    }

    #[test]
    fn nothing_is_below_zero() {
        assert_eq!(LoadedDice(9).below(0), 0);
        assert_eq!(LoadedDice(9).below(4), 1);
    }
}

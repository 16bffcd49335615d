//! Chance that many requests share at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::dice::Dice;

/// A source of chance for all requests of a proxy.
/// Ours: requests of many threads roll without waiting for each other.
///
/// A contract: a roll is 64 random bits and never waits.
///
/// ```
/// use mesh_proxy_core::dice::Dice;
/// use mesh_proxy_core::seam::dice::{FixedDice, SharedDice, Throw};
///
/// let shared = FixedDice::new([3, 12]);
/// let mut dice = Throw(&shared);
/// assert_eq!((dice.below(10), dice.below(10)), (3, 2));
/// ```
pub trait SharedDice: Send + Sync + std::fmt::Debug {
    /// 64 random bits.
    fn roll(&self) -> u64;
}

/// Shared dice in the hand of one request. Ours: what a request drew is one thing, told from what others drew.
#[derive(Debug, Clone, Copy)]
pub struct Throw<'d>(
    /// The dice.
    pub &'d dyn SharedDice,
);

impl Dice for Throw<'_> {
    fn roll(&mut self) -> u64 {
        self.0.roll()
    }
}

/// Each thread's own generator, seeded by the system. Ours: what is taken where a program brings nothing of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadDice;

impl SharedDice for ThreadDice {
    fn roll(&self) -> u64 {
        fastrand::u64(..)
    }
}

/// Numbers given beforehand, over and over: for tests. Ours: a test asks for the outcomes that it is about.
#[derive(Debug)]
pub struct FixedDice {
    numbers: Vec<u64>,
    next: AtomicUsize,
}

impl FixedDice {
    /// Rolls these numbers in turn (0 where there are none).
    pub fn new(numbers: impl Into<Vec<u64>>) -> Self {
        Self { numbers: numbers.into(), next: AtomicUsize::new(0) }
    }
}

impl SharedDice for FixedDice {
    fn roll(&self) -> u64 {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(self.numbers.len()).and_then(|at| self.numbers.get(at)).copied().unwrap_or_default()
    }
}

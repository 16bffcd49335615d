//! Earliest deadline first: a weighted round robin that spreads its picks evenly (Envoy's `EdfScheduler`).
//!
//! Each entry's next turn is due `1 / weight` after its last. Weights 1 and 2 give `b a b b a b`, not `a b b a b b`.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// The schedule. Entries are indexes of the caller's list.
#[derive(Debug, Default, Clone)]
pub(super) struct EarliestDeadline {
    queue: BinaryHeap<Turn>,
    now: f64,
    turns: u64,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    due: f64,
    /// Breaks ties: who was queued first goes first.
    order: u64,
    entry: usize,
}

impl EarliestDeadline {
    /// A schedule of the entries of positive weight.
    pub(super) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut schedule = Self::default();
        for (entry, weight) in weights.into_iter().enumerate() {
            schedule.queue(entry, weight);
        }
        schedule
    }

    /// The entry whose turn it is; `weight` is asked for what it weighs now.
    pub(super) fn next(&mut self, weight: impl FnOnce(usize) -> f64) -> Option<usize> {
        let turn = self.queue.pop()?;
        self.now = turn.due;
        self.queue(turn.entry, weight(turn.entry));
        Some(turn.entry)
    }

    fn queue(&mut self, entry: usize, weight: f64) {
        if weight > 0.0 {
            self.turns += 1;
            self.queue.push(Turn { due: self.now + 1.0 / weight, order: self.turns, entry });
        }
    }
}

impl Ord for Turn {
    /// The heap gives the greatest first, so the earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.due.total_cmp(&self.due).then(other.order.cmp(&self.order))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Turn {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_follow_the_weights_and_are_spread() {
        let weights = [1.0, 2.0];
        let mut schedule = EarliestDeadline::new(weights);
        let turns: Vec<usize> = (0..6).filter_map(|_| schedule.next(|entry| weights[entry])).collect();
        assert_eq!(turns, [1, 0, 1, 1, 0, 1]);
    }

    #[test]
    fn nobody_waits_longer_than_a_round() {
        let weights = [3.0, 5.0, 2.0];
        let mut schedule = EarliestDeadline::new(weights);
        let mut counts = [0; 3];
        for _ in 0..1_000 {
            counts[schedule.next(|entry| weights[entry]).unwrap()] += 1;
        }
        assert_eq!(counts, [300, 500, 200]);
    }

    #[test]
    fn an_entry_of_no_weight_has_no_turn() {
        assert_eq!(EarliestDeadline::new([0.0]).next(|_| 0.0), None);
    }
}

//! Places of rules by the numbers of their keys.
//!
//! Open addressing in slots of eight bytes, eight to a cache line: half of the number, and the place. Two keys whose
//! halves and slots agree are taken for one, which only means that a rule is asked in vain.

/// Built once, then only read.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// Slots where a search may begin; those behind them take what the last ones have no room for.
    homes: usize,
    slots: Box<[u64]>,
    /// Places of keys that several rules have: their count, then the run, ascending.
    shared: Box<[u32]>,
}

/// No number: a place below is never the highest.
const EMPTY: u64 = u64::MAX;

/// What a slot points to is a run, not a place.
const SHARED: u32 = 1 << 31;

/// Places are below this.
pub(super) const PLACES_MAX: u32 = SHARED - 1;

impl Table {
    /// From numbers and places in any order, with repetitions.
    pub(super) fn new(mut pairs: Vec<(u64, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let runs = || pairs.chunk_by(|a, b| a.0 == b.0);
        let keys = runs().count();
        // Five slots for three keys: most look-ups end on the line they begin on.
        let homes = keys + keys * 2 / 3 + 1;
        let mut slots = vec![EMPTY; homes + 1];
        let mut shared = Vec::new();
        for run in runs() {
            let Some((number, first)) = run.first().copied() else { continue };
            let mut at = first;
            if run.len() > 1 {
                // There are fewer pairs than 2^31, since there are no more bytes of rules.
                at = SHARED | u32::try_from(shared.len()).unwrap_or(0);
                shared.push(u32::try_from(run.len()).unwrap_or(u32::MAX));
                shared.extend(run.iter().map(|(_, place)| *place));
            }
            let home = home(number, homes);
            let free = slots.iter_mut().skip(home).find(|slot| **slot == EMPTY);
            free.into_iter().for_each(|slot| *slot = tag(number) << 32 | u64::from(at));
            if slots.last() != Some(&EMPTY) {
                // The last one stays empty, so that every search ends.
                slots.push(EMPTY);
            }
        }
        Self { homes, slots: slots.into(), shared: shared.into() }
    }

    /// Calls with each run of places that the number may have; ascending.
    #[inline]
    pub(super) fn each(&self, number: u64, visit: &mut impl FnMut(&[u32])) {
        let Some(slots) = self.slots.get(home(number, self.homes)..) else { return };
        for slot in slots {
            if *slot == EMPTY {
                return;
            }
            if slot >> 32 == tag(number) {
                // The lower half.
                let at = *slot as u32;
                if at & SHARED == 0 {
                    visit(std::slice::from_ref(&at));
                } else {
                    visit(self.run((at & !SHARED) as usize));
                }
            }
        }
    }

    fn run(&self, at: usize) -> &[u32] {
        let run = self.shared.get(at..).and_then(<[u32]>::split_first);
        run.and_then(|(count, places)| places.get(..*count as usize)).unwrap_or_default()
    }
}

/// The upper half chooses the slot.
fn home(number: u64, homes: usize) -> usize {
    // Below the count of slots.
    (((number >> 32) * homes as u64) >> 32) as usize
}

fn tag(number: u64) -> u64 {
    number & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(table: &Table, number: u64) -> Vec<u32> {
        let mut found = Vec::new();
        table.each(number, &mut |places| found.extend(places));
        found
    }

    #[test]
    fn places_ascend_and_come_once() {
        let pairs = vec![(7, 3), (9, 1), (7, 1), (7, 3), (8, 5)];
        let table = Table::new(pairs);
        assert_eq!((get(&table, 7), get(&table, 8), get(&table, 9)), (vec![1, 3], vec![5], vec![1]));
        assert!(get(&table, 1).is_empty() && get(&Table::default(), 1).is_empty());
    }

    #[test]
    fn every_number_is_found_again() {
        let number = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let table = Table::new((0..5_000).map(|n| (number(n), n as u32)).collect());
        assert!((0..5_000).all(|n| get(&table, number(n)) == [n as u32]));
        assert!((5_000..10_000).all(|n| get(&table, number(n)).is_empty()));
    }
}

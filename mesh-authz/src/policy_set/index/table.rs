//! Positions of rules by the numbers of their keys.

use hashbrown::HashTable;

/// Built once, then only read.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    slots: HashTable<Slot>,
    /// Positions of keys that several rules have, each run ascending.
    shared: Box<[u32]>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    number: u64,
    /// The one position, or where the run in `shared` begins.
    at: u32,
    count: u32,
}

impl Table {
    /// From numbers and positions in any order, with repetitions.
    pub(super) fn new(mut pairs: Vec<(u64, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let runs = || pairs.chunk_by(|a, b| a.0 == b.0);
        let mut table = Self { slots: HashTable::with_capacity(runs().count()), shared: Box::default() };
        let mut shared = Vec::new();
        for run in runs() {
            let Some((number, first)) = run.first().copied() else { continue };
            // There are fewer pairs than 2^32: positions are `u32`, and a rule has few keys.
            let count = u32::try_from(run.len()).unwrap_or(u32::MAX);
            let mut at = first;
            if count > 1 {
                at = u32::try_from(shared.len()).unwrap_or(u32::MAX);
                shared.extend(run.iter().map(|(_, position)| *position));
            }
            table.slots.insert_unique(number, Slot { number, at, count }, |slot| slot.number);
        }
        table.shared = shared.into();
        table
    }

    /// Ascending; empty: no rule has the key.
    pub(super) fn get(&self, number: u64) -> &[u32] {
        let Some(slot) = self.slots.find(number, |slot| slot.number == number) else { return &[] };
        if slot.count == 1 {
            return std::slice::from_ref(&slot.at);
        }
        let start = slot.at as usize;
        self.shared.get(start..start + slot.count as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_ascend_and_come_once() {
        let table = Table::new(vec![(7, 3), (9, 1), (7, 1), (7, 3), (8, 5)]);
        assert_eq!((table.get(7), table.get(8), table.get(9)), (&[1, 3][..], &[5][..], &[1][..]));
        assert!(table.get(1).is_empty());
    }
}

//! Texts that lead to numbers: slots of sixteen bytes, the texts one after the other, and for every few keys a pilot.
//!
//! A key's hash leads to a pilot, and both together to the one slot where the key is if it is anywhere (after Belazzougui,
//! Botelho and Dietzfelbinger, "Hash, displace, and compress", 2009): pilots are chosen, when the table is made, so that no
//! two keys meet. A look-up reads one pilot and one slot, hit or miss, and then compares one text. Two sorts of keys share
//! a table, so that one request can ask for both without waiting for either answer.

use std::hint::select_unpredictable;

use smallvec::{SmallVec, smallvec};

use super::text_hash::Seed;

/// Slots for every hundred keys: the first of these with which pilots are found, which is the first but for one table in
/// thousands.
const ROOMS_PERCENT: [usize; 3] = [125, 150, 200];

/// Keys for every pilot. With four it takes more room to find pilots of eight bits.
const KEYS_PER_PILOT: usize = 3;

/// Pilots that are kept beside the rest of the table, where its reader comes by anyway: those of a hundred keys.
const PILOTS_BESIDE: usize = 36;

/// Set in the mark of keys of the second sort.
const SECOND: u32 = 1 << 31;

/// The table; it does not change once it is made.
#[derive(Debug, Clone)]
#[repr(C)]
pub(super) struct KeyTable {
    slots: Box<[Slot]>,
    texts: Box<[u8]>,
    /// INVARIANT: not empty.
    pilots: SmallVec<[u8; PILOTS_BESIDE]>,
    /// Keys that no pilot could keep apart, which takes equal hashes.
    apart: Box<[Slot]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    /// The upper half of the hash, then [`mark`]; [`u64::MAX`]: nothing is here.
    key: u64,
    start: u32,
    value: u32,
}

const EMPTY: Slot = Slot { key: u64::MAX, start: 0, value: 0 };

/// Where a key would be, and how much it is wanted: a position below the rank, [`u64::MAX`] where there is no such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found(u64);

/// One of two sorts of keys, which the users of a table give a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    /// The first.
    First,
    /// The second.
    Second,
}

/// Length and sort of a key.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is longer than that is no key, and never equal to one"
)]
#[inline]
pub(super) fn mark(length: usize, sort: Sort) -> u32 {
    match sort {
        Sort::First => length as u32 & !SECOND,
        Sort::Second => length as u32 | SECOND,
    }
}

impl KeyTable {
    /// A table of texts with their values. Of equal texts of one sort the first counts; texts beyond 2 GiB together are
    /// left out.
    pub(super) fn new<'k>(seed: Seed, keys: impl IntoIterator<Item = (&'k [u8], Sort, u32)>) -> Self {
        let mut texts = Vec::new();
        let mut keyed = Vec::new();
        for (text, sort, value) in keys {
            let Ok(start) = u32::try_from(texts.len()) else { break };
            if text.len() >= (SECOND as usize).saturating_sub(texts.len()) {
                break;
            }
            let mark = mark(text.len(), sort);
            let hash = seed.hash(text, mark);
            keyed.push((hash, Slot { key: key(hash, mark), start, value }));
            texts.extend_from_slice(text);
        }
        let mut table = Self {
            pilots: SmallVec::new(),
            slots: Box::default(),
            texts: texts.into(),
            apart: Box::default(),
        };
        // Stable: of equal texts the first stays the first.
        keyed.sort_by_key(|(hash, slot)| (*hash, slot.key));
        keyed.dedup_by(|(hash, slot), (other_hash, other)| {
            hash == other_hash && slot.key == other.key && table.text(slot) == table.text(other)
        });
        for room in ROOMS_PERCENT {
            table.place_all(&keyed, room);
            if table.is_whole() {
                break;
            }
        }
        table
    }

    /// Puts keys, which are in order of their hashes, into slots.
    fn place_all(&mut self, keyed: &[(u64, Slot)], room: usize) {
        let pilots = keyed.len() / KEYS_PER_PILOT + 1;
        self.pilots = smallvec![0; pilots];
        self.slots = vec![EMPTY; keyed.len() * room / 100 + 1].into();
        let mut groups: Vec<&[(u64, Slot)]> =
            keyed.chunk_by(|(a, _), (b, _)| pilot_of(*a, pilots) == pilot_of(*b, pilots)).collect();
        // The largest while there is most room.
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let mut apart: Vec<Slot> = Vec::new();
        let mut placed: Vec<(usize, Slot)> = Vec::new();
        for group in groups {
            let Some((first, _)) = group.first() else { continue };
            let pilot = (0..=u8::MAX).find(|pilot| {
                placed.clear();
                for (hash, slot) in group {
                    let at = place(*hash, *pilot, self.slots.len());
                    if self.slots.get(at) != Some(&EMPTY) || placed.iter().any(|(other, _)| *other == at) {
                        return false;
                    }
                    placed.push((at, *slot));
                }
                true
            });
            let Some(pilot) = pilot else {
                apart.extend(group.iter().map(|(_, slot)| slot));
                continue;
            };
            if let Some(slot) = self.pilots.get_mut(pilot_of(*first, pilots)) {
                *slot = pilot;
            }
            for (at, placed) in &placed {
                if let Some(slot) = self.slots.get_mut(*at) {
                    *slot = *placed;
                }
            }
        }
        self.apart = apart.into();
    }

    /// Whether [`candidate`](Self::candidate) finds every key.
    pub(super) fn is_whole(&self) -> bool {
        self.apart.is_empty()
    }

    /// The value of a text with its hash.
    #[inline]
    pub(super) fn get(&self, hash: u64, text: &[u8], sort: Sort) -> Option<u32> {
        let mark = mark(text.len(), sort);
        let found = self.value(self.candidate(hash, mark, 0), text);
        if self.apart.is_empty() { found } else { found.or_else(|| self.value_apart(key(hash, mark), text)) }
    }

    /// The slot of a hash and a mark; most likely its text is the one that was hashed. Of several the one with the least
    /// rank is the least.
    #[inline]
    pub(super) fn candidate(&self, hash: u64, mark: u32, rank: u32) -> Found {
        let pilot = self.pilots.get(pilot_of(hash, self.pilots.len())).copied().unwrap_or_default();
        let at = place(hash, pilot, self.slots.len());
        let there = self.slots.get(at).map_or(u64::MAX, |slot| slot.key);
        let found = u64::from(rank) << 32 | at as u64;
        Found(select_unpredictable(there == key(hash, mark), found, u64::MAX))
    }

    /// The value of a candidate, if there is one and a path starts with its text.
    #[expect(clippy::cast_possible_truncation, reason = "the rank")]
    #[inline]
    pub(super) fn value(&self, found: Found, path: &[u8]) -> Option<u32> {
        let slot = self.slots.get(found.0 as u32 as usize)?;
        let text = self.text(slot)?;
        (text == path.get(..text.len())?).then_some(slot.value)
    }

    fn value_apart(&self, key: u64, text: &[u8]) -> Option<u32> {
        let found = self.apart.iter().find(|slot| slot.key == key && self.text(slot) == Some(text))?;
        Some(found.value)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the mark")]
    #[inline]
    fn text(&self, slot: &Slot) -> Option<&[u8]> {
        let length = slot.key as u32 & !SECOND;
        self.texts.get(slot.start as usize..)?.get(..length as usize)
    }
}

impl Found {
    /// There is no such key.
    pub(super) const NOWHERE: Self = Self(u64::MAX);

    /// Whether there is no such key.
    #[inline]
    pub(super) fn is_nowhere(self) -> bool {
        self == Self::NOWHERE
    }
}

#[inline]
fn key(hash: u64, mark: u32) -> u64 {
    (hash >> 32 << 32) | u64::from(mark)
}

/// Keeps the order of hashes.
#[inline]
fn pilot_of(hash: u64, pilots: usize) -> usize {
    (((hash >> 32) * pilots as u64) >> 32) as usize
}

/// Every pilot sends hashes to other places, near ones too: what is in the upper half is in the lower half of the product.
#[inline]
fn place(hash: u64, pilot: u8, slots: usize) -> usize {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let moved = (hash ^ u64::from(pilot).wrapping_mul(MIX)).wrapping_mul(MIX) >> 32;
    ((moved * slots as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn sort(value: u32) -> Sort {
        if value.is_multiple_of(3) { Sort::First } else { Sort::Second }
    }

    #[test]
    fn pilots_are_found_with_little_room() {
        for count in (0..300).chain([1_000, 3_000, 10_000]) {
            let texts: Vec<String> = (0..count).map(|n| n.to_string()).collect();
            let table =
                KeyTable::new(Seed::random(), texts.iter().map(|text| (text.as_bytes(), Sort::First, 0)));
            assert!(table.is_whole());
            assert!(table.slots.len() <= 2 * count + 1);
        }
    }

    #[test]
    fn keys_of_one_hash_are_told_apart_by_their_texts() {
        // Nobody can write such keys, so their hashes are made equal here.
        let table = |texts: &[&'static str]| {
            let mut table = KeyTable::new(Seed::random(), []);
            let keyed: Vec<(u64, Slot)> = (0..)
                .zip(texts)
                .map(|(value, text)| {
                    let start = value * 2;
                    (7 << 32, Slot { key: key(7 << 32, mark(text.len(), Sort::First)), start, value })
                })
                .collect();
            table.texts = texts.concat().into_bytes().into();
            table.place_all(&keyed, 125);
            table
        };
        let table = table(&["ab", "cd", "ef"]);
        assert!(!table.is_whole());
        for (text, value) in [("ab", Some(0)), ("cd", Some(1)), ("ef", Some(2)), ("xy", None)] {
            assert_eq!(table.get(7 << 32, text.as_bytes(), Sort::First), value);
        }
    }

    proptest! {
        #[test]
        fn it_holds_the_first_value_of_every_text_and_nothing_else(
            keys in vec("[ab/]{0,5}", 0..200),
            others in vec("[ab/]{0,6}", 50),
        ) {
            let seed = Seed::random();
            let mut wanted = HashMap::new();
            for (value, key) in (0..).zip(&keys) {
                wanted.entry((key.as_str(), sort(value))).or_insert(value);
            }
            let table = KeyTable::new(seed, keys.iter().zip(0..).map(|(key, value)| (key.as_bytes(), sort(value), value)));
            for (key, sort) in keys.iter().chain(&others).flat_map(|key| [(key, Sort::First), (key, Sort::Second)]) {
                let hash = seed.hash(key.as_bytes(), mark(key.len(), sort));
                let found = table.get(hash, key.as_bytes(), sort);
                prop_assert_eq!(found, wanted.get(&(key.as_str(), sort)).copied(), "{}", key);
            }
        }
    }
}

//! Texts that lead to numbers: slots of sixteen bytes in order of their hashes, the texts one after the other.
//!
//! A slot's place follows from its hash, and slots that would meet move on in order of their hashes: a look-up reads a
//! slot or two beside each other, hit or miss, and then compares one text.

use super::text_hash::Seed;

/// Slots for every hundred texts.
const ROOM_PERCENT: usize = 200;

/// Marks a slot without text.
const EMPTY: u32 = u32::MAX;

/// The table; it does not change once it is made.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyTable {
    slots: Box<[Slot]>,
    /// Places that a hash can lead to; a few slots follow for those that move on.
    places: u32,
    texts: Box<[u8]>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The upper half of the hash.
    print: u32,
    start: u32,
    length: u32,
    value: u32,
}

impl KeyTable {
    /// A table of texts with their values. Of equal texts the first counts; texts beyond 4 GiB together are left out.
    pub(super) fn new<'k>(seed: Seed, keys: impl IntoIterator<Item = (&'k [u8], u32)>) -> Self {
        let mut texts = Vec::new();
        let mut found = Vec::new();
        for (key, value) in keys {
            let (Ok(start), Ok(length)) = (u32::try_from(texts.len()), u32::try_from(key.len())) else {
                break;
            };
            found.push(Slot { print: print(seed.hash(key)), start, length, value });
            texts.extend_from_slice(key);
        }
        let places = u32::try_from(found.len() * ROOM_PERCENT / 100 + 1).unwrap_or(u32::MAX);
        // Stable: of equal texts the first stays the first.
        found.sort_by_key(|slot| slot.print);
        let mut slots: Vec<Slot> = Vec::with_capacity(places as usize + 8);
        for slot in found {
            let place = place(slot.print, places).max(slots.len());
            slots.resize(place, Slot { print: 0, start: 0, length: 0, value: EMPTY });
            slots.push(slot);
        }
        Self { slots: slots.into(), places, texts: texts.into() }
    }

    /// The value of a text with its hash.
    #[inline]
    pub(super) fn get(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let print = print(hash);
        for slot in self.slots.get(place(print, self.places)..)? {
            if slot.print == print {
                if slot.value != EMPTY && self.text(slot) == Some(key) {
                    return Some(slot.value);
                }
            } else if slot.print > print || slot.value == EMPTY {
                return None;
            }
        }
        None
    }

    #[inline]
    fn text(&self, slot: &Slot) -> Option<&[u8]> {
        self.texts.get(slot.start as usize..)?.get(..slot.length as usize)
    }
}

#[inline]
fn print(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Keeps the order of hashes.
#[inline]
fn place(print: u32, places: u32) -> usize {
    ((u64::from(print) * u64::from(places)) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_the_first_value_of_every_text_and_nothing_else(
            keys in vec("[ab/]{0,5}", 0..200),
            others in vec("[ab/]{0,6}", 50),
        ) {
            let seed = Seed::random();
            let mut wanted = BTreeMap::new();
            for (value, key) in (0..).zip(&keys) {
                wanted.entry(key.as_str()).or_insert(value);
            }
            let table = KeyTable::new(seed, keys.iter().map(String::as_bytes).zip(0..));
            for key in keys.iter().chain(&others) {
                let found = table.get(seed.hash(key.as_bytes()), key.as_bytes());
                prop_assert_eq!(found, wanted.get(key.as_str()).copied(), "{}", key);
            }
        }
    }
}

//! Hashes of texts and of all their beginnings: one pass over a request's path, then a few steps for each length asked for.
//!
//! Words of eight bytes are folded into a chain of states, as `foldhash` does; a beginning is hashed from the state before
//! its last, incomplete word. Every table has a seed of its own, so that nobody can write keys that collide in it.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// Bytes of a word.
const WORD: usize = 8;

/// Words whose states are kept; longer beginnings are hashed from there on.
const KEPT: usize = 16;

/// Bytes of a text whose slashes are noted: those of the kept words.
pub(super) const NOTED: usize = WORD * KEPT;

const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// What a table hashes with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed {
    start: u64,
    step: u64,
    last: u64,
}

impl Seed {
    /// A seed that nobody knows.
    pub(super) fn random() -> Self {
        let random = RandomState::default();
        let [start, step, last] = [1_u64, 2, 3].map(|number| random.hash_one(number));
        Self { start, step: step | 1, last }
    }

    /// The hash of a whole text.
    #[inline]
    pub(super) fn hash(&self, text: &[u8]) -> u64 {
        let (words, _) = text.as_chunks::<WORD>();
        let state = words.iter().fold(self.start, |state, word| self.next(state, u64::from_le_bytes(*word)));
        self.finish(state, last_word(text), text.len())
    }

    #[inline]
    fn next(&self, state: u64, word: u64) -> u64 {
        fold(state ^ word, self.step)
    }

    #[inline]
    fn finish(&self, state: u64, rest: u64, length: usize) -> u64 {
        fold(state ^ rest, self.last.wrapping_add(length as u64) | 1)
    }
}

/// Both halves of the product.
#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The bytes after the last whole word of a text, zero where there is none.
#[inline]
fn last_word(text: &[u8]) -> u64 {
    let rest = text.len() % WORD;
    if rest == 0 {
        return 0;
    }
    match text.last_chunk::<WORD>() {
        Some(last) => u64::from_le_bytes(*last) >> (8 * (WORD - rest)),
        None => text.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// `0x80` in every byte of a word that equals `byte`.
#[inline]
fn equal_bytes(word: u64, byte: u8) -> u64 {
    let other = word ^ u64::from_le_bytes([byte; WORD]);
    !(((other & LOW) + LOW) | other | LOW)
}

/// One bit for each of the `0x80` of [`equal_bytes`], the first byte's lowest.
#[inline]
fn one_bit_each(marks: u64) -> u64 {
    (marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Where the path of a request target ends: at its query or fragment (T-135).
#[inline]
pub(super) fn path_length(target: &[u8]) -> usize {
    let (words, rest) = target.as_chunks::<WORD>();
    let mut at = 0;
    for word in words {
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            return at + stops.trailing_zeros() as usize / 8;
        }
        at += WORD;
    }
    at + rest.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(rest.len())
}

/// `0x80` in the bytes that end a path.
#[inline]
fn stops(word: u64) -> u64 {
    equal_bytes(word, b'?') | equal_bytes(word, b'#')
}

/// Places of a text, one bit for each of its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Places {
    low: u64,
    high: u64,
}

impl Places {
    /// Marks a place.
    pub(super) fn add(&mut self, place: usize) {
        self.add_word(place, 1);
    }

    /// Marks places from `at` on, one bit each; they do not reach over the 64th.
    #[inline]
    fn add_word(&mut self, at: usize, bits: u64) {
        if at < 64 {
            self.low |= bits << at;
        } else if at < NOTED {
            self.high |= bits << (at - 64);
        }
    }

    /// Places of both.
    #[inline]
    pub(super) fn and(self, other: Self) -> Self {
        Self { low: self.low & other.low, high: self.high & other.high }
    }

    /// Places of either.
    #[inline]
    pub(super) fn or(self, other: Self) -> Self {
        Self { low: self.low | other.low, high: self.high | other.high }
    }

    /// Places before `end`.
    #[inline]
    pub(super) fn before(self, end: usize) -> Self {
        match end {
            0..64 => Self { low: self.low & ((1 << end) - 1), high: 0 },
            64..NOTED => Self { low: self.low, high: self.high & ((1 << (end - 64)) - 1) },
            _ => self,
        }
    }

    /// Takes the last place away.
    #[inline]
    pub(super) fn pop_last(&mut self) -> Option<usize> {
        if let Some(last) = self.high.checked_ilog2() {
            self.high ^= 1 << last;
            return Some(last as usize + 64);
        }
        let last = self.low.checked_ilog2()?;
        self.low ^= 1 << last;
        Some(last as usize)
    }
}

/// A request's path, read once: where it ends, where its slashes are, and what its beginnings hash to.
#[derive(Debug)]
pub(super) struct HashedPath<'p> {
    /// Without query and fragment.
    path: &'p [u8],
    slashes: Places,
    seed: Seed,
    /// The state after each word.
    states: [u64; KEPT + 1],
}

impl<'p> HashedPath<'p> {
    /// Reads a request target up to its query or fragment (T-135).
    #[inline]
    pub(super) fn new(target: &'p [u8], seed: Seed) -> Self {
        let mut states = [seed.start; KEPT + 1];
        let mut slashes = Places::default();
        let mut state = seed.start;
        let (words, rest) = target.as_chunks::<WORD>();
        let mut end = None;
        let mut at = 0;
        for (word, slot) in words.iter().zip(states.iter_mut().skip(1)) {
            let word = u64::from_le_bytes(*word);
            slashes.add_word(at, one_bit_each(equal_bytes(word, b'/')));
            let stops = stops(word);
            if stops != 0 {
                end = Some(at + stops.trailing_zeros() as usize / 8);
                break;
            }
            state = seed.next(state, word);
            *slot = state;
            at += WORD;
        }
        if end.is_none() {
            if words.len() < KEPT {
                let word = last_word(target);
                slashes.add_word(at, one_bit_each(equal_bytes(word, b'/')));
                let stops = stops(word);
                if stops != 0 {
                    end = Some(at + stops.trailing_zeros() as usize / 8);
                }
            } else if !rest.is_empty() || words.len() > KEPT {
                end = target.get(at..).map(|more| at + path_length(more));
            }
        }
        let path = end.and_then(|end| target.get(..end)).unwrap_or(target);
        Self { path, slashes: slashes.before(path.len()), seed, states }
    }

    /// The path.
    #[inline]
    pub(super) fn path(&self) -> &'p [u8] {
        self.path
    }

    /// Where its first slashes are.
    #[inline]
    pub(super) fn slashes(&self) -> Places {
        self.slashes
    }

    /// The first `length` bytes of the path and their hash, the same as [`Seed::hash`].
    #[inline]
    pub(super) fn beginning(&self, length: usize) -> Option<(u64, &'p [u8])> {
        let text = self.path.get(..length)?;
        let Some(state) = self.states.get(length / WORD) else {
            return Some((self.seed.hash(text), text));
        };
        Some((self.seed.finish(*state, last_word(text), length), text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_path_is_read_as_rules_say_and_its_beginnings_hash_like_texts(
            target in "[a/?#é]{0,40}|[a-c/]{0,200}[?#]?[a/]{0,9}",
        ) {
            let seed = Seed::random();
            let read = HashedPath::new(target.as_bytes(), seed);
            let path = target.split(['?', '#']).next().unwrap_or_default().as_bytes();
            prop_assert_eq!(read.path(), path);
            prop_assert_eq!(path_length(target.as_bytes()), path.len());
            for length in 0..=path.len() {
                let beginning = &path[..length];
                prop_assert_eq!(read.beginning(length), Some((seed.hash(beginning), beginning)));
            }
            prop_assert_eq!(read.beginning(path.len() + 1), None);
            let mut slashes = Places::default();
            path.iter().take(NOTED).enumerate().filter(|(_, byte)| **byte == b'/').for_each(|(place, _)| slashes.add(place));
            prop_assert_eq!(read.slashes(), slashes);
        }
    }
}

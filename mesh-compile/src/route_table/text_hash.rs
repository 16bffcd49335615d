//! Hashes of texts and of all their beginnings: one pass over a request's path, then a few steps for each length asked for.
//!
//! Blocks of sixteen bytes are folded into a chain of states, as `foldhash` and `wyhash` do; a beginning is hashed from the
//! state before its last block. Every table has a seed of its own, so that nobody can write keys that collide in it.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// Bytes of a word.
const WORD: usize = 8;

/// Bytes of a block.
const BLOCK: usize = 2 * WORD;

/// Blocks whose states are kept; longer beginnings are hashed from the start.
const KEPT: usize = 8;

/// Bytes of a text whose slashes are noted: those of the kept blocks.
pub(super) const NOTED: usize = BLOCK * KEPT;

const ONES: u64 = 0x0101_0101_0101_0101;
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

    /// The hash of a whole text; other marks give other hashes.
    #[inline]
    pub(super) fn hash(&self, text: &[u8], mark: u32) -> u64 {
        let (blocks, _) = text.as_chunks::<BLOCK>();
        // The last block is none of the chain's, whole or not.
        let chained = blocks.iter().take(chained_blocks(text.len()));
        let state = chained.fold(self.start, |state, block| self.next(state, words(*block)));
        self.finish(state, text, mark)
    }

    #[inline]
    fn next(&self, state: u64, [low, high]: [u64; 2]) -> u64 {
        fold(low ^ self.step, high ^ state)
    }

    #[inline]
    fn finish(&self, state: u64, text: &[u8], mark: u32) -> u64 {
        let [low, high] = last_words(text);
        let hash = fold(low ^ self.last, high ^ state ^ u64::from(mark).wrapping_mul(self.step));
        // Short texts that differ by little come out evenly spaced; pilots want them scattered.
        (hash ^ hash >> 32).wrapping_mul(self.step)
    }
}

/// Both halves of the product.
#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Blocks before the last one, which is never empty.
#[inline]
fn chained_blocks(length: usize) -> usize {
    length.saturating_sub(1) / BLOCK
}

#[inline]
fn words(block: [u8; BLOCK]) -> [u64; 2] {
    halves(u128::from_le_bytes(block))
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
#[inline]
fn halves(block: u128) -> [u64; 2] {
    [block as u64, (block >> 64) as u64]
}

/// The last sixteen bytes of a text, some of which may be the chain's too; of a shorter one all bytes, some of them twice.
#[inline]
fn last_words(text: &[u8]) -> [u64; 2] {
    text.last_chunk::<BLOCK>().map_or_else(|| short_words(text), |last| words(*last))
}

#[inline(never)]
fn short_words(text: &[u8]) -> [u64; 2] {
    let ends = (text.first_chunk::<WORD>(), text.last_chunk::<WORD>());
    if let (Some(first), Some(last)) = ends {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => [u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()],
        _ => [text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0],
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
            return at + first_byte(stops);
        }
        at += WORD;
    }
    at + rest.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(rest.len())
}

/// `0x80` in the bytes that end a path, and perhaps in some behind the first of them.
#[inline]
fn stops(word: u64) -> u64 {
    let [question, fragment] = [b'?', b'#'].map(|byte| word ^ u64::from_le_bytes([byte; WORD]));
    // Only a zero byte, or what borrows from one, goes below zero.
    let below = (question.wrapping_sub(ONES) & !question) | (fragment.wrapping_sub(ONES) & !fragment);
    below & !LOW
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

    /// Marks places from `at` on, one bit each of at most a block.
    #[inline]
    fn add_word(&mut self, at: usize, bits: u64) {
        if at < 64 {
            self.low |= bits << at;
            self.high |= bits >> 1 >> (63 - at);
        } else if at < NOTED {
            self.high |= bits << (at - 64);
        }
    }

    /// Whether one of the places of the first block is marked.
    #[inline]
    fn has_any_of_block(self) -> bool {
        self.low & ((1 << BLOCK) - 1) != 0
    }

    /// Moves the second block to where the first is.
    #[inline]
    fn leave_block(&mut self) {
        self.low = self.low >> BLOCK | self.high << (64 - BLOCK);
        self.high >>= BLOCK;
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

    /// Takes the last place away and gives the length of a text that ends there; 0: there is none.
    #[inline]
    pub(super) fn pop_length(&mut self) -> usize {
        // Most texts are shorter than the lower half.
        if self.high != 0 {
            return self.pop_last().map_or(0, |last| last + 1);
        }
        // Without a branch for the case that there is none.
        let last = (self.low | 1).ilog2();
        let length = last + u32::from(self.low != 0);
        self.low &= !(1 << last);
        length as usize
    }
}

/// A request's path, read once: where it ends, where its slashes are, and what its beginnings hash to.
#[derive(Debug)]
pub(super) struct HashedPath<'p> {
    /// Without query and fragment.
    path: &'p [u8],
    slashes: Places,
    seed: Seed,
    /// The state before each block.
    states: [u64; KEPT + 1],
}

impl<'p> HashedPath<'p> {
    /// Reads a request target up to its query or fragment (T-135). Slashes are noted at `wanted` places, and at others near by.
    #[inline]
    pub(super) fn new(target: &'p [u8], seed: Seed, wanted: Places) -> Self {
        let states = [seed.start; KEPT + 1];
        let mut read = Self { path: target, slashes: Places::default(), seed, states };
        let mut state = seed.start;
        let (blocks, rest) = target.as_chunks::<BLOCK>();
        let mut at = 0;
        let mut wanted_here = wanted;
        for (block, slot) in blocks.iter().zip(read.states.iter_mut().skip(1)) {
            let block = words(*block);
            if wanted_here.has_any_of_block() {
                read.slashes.add_word(at, slash_bits(block));
            }
            if let Some(stop) = stop_in(block) {
                read.end_at(at + stop);
                return read;
            }
            state = seed.next(state, block);
            *slot = state;
            at += BLOCK;
            wanted_here.leave_block();
        }
        if blocks.len() >= KEPT {
            read.end_at(at + target.get(at..).map_or(0, path_length));
        } else if !rest.is_empty() {
            // Some of its bytes may have been read before, which changes nothing.
            let (block, at) = last_block(target);
            if wanted_here.has_any_of_block() {
                read.slashes.add_word(at, slash_bits(block));
            }
            if let Some(stop) = stop_in(block) {
                read.end_at(at + stop);
            }
        }
        read
    }

    #[inline]
    fn end_at(&mut self, end: usize) {
        self.path = self.path.get(..end).unwrap_or(self.path);
        self.slashes = self.slashes.before(end);
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
    pub(super) fn beginning(&self, length: usize, mark: u32) -> Option<(u64, &'p [u8])> {
        let text = self.path.get(..length)?;
        let hash = match self.states.get(chained_blocks(length)) {
            Some(state) => self.seed.finish(*state, text, mark),
            None => self.hash_long(text, mark),
        };
        Some((hash, text))
    }

    #[cold]
    fn hash_long(&self, text: &[u8], mark: u32) -> u64 {
        self.seed.hash(text, mark)
    }
}

/// One bit for each slash of a block.
#[inline]
fn slash_bits([low, high]: [u64; 2]) -> u64 {
    one_bit_each(equal_bytes(low, b'/')) | one_bit_each(equal_bytes(high, b'/')) << WORD
}

/// The first byte of a block that ends a path.
#[inline]
fn stop_in([low, high]: [u64; 2]) -> Option<usize> {
    let (low, high) = (stops(low), stops(high));
    if low | high == 0 {
        return None;
    }
    Some(if low == 0 { WORD + first_byte(high) } else { first_byte(low) })
}

/// The last bytes of a text, with zeros behind them where they are less than a block, and where they start.
#[inline]
fn last_block(text: &[u8]) -> ([u64; 2], usize) {
    if let Some((before, last)) = text.split_last_chunk::<BLOCK>() {
        return (words(*last), before.len());
    }
    let mut block = [0; BLOCK];
    block.iter_mut().zip(text).for_each(|(to, byte)| *to = *byte);
    (words(block), 0)
}

#[inline]
fn first_byte(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_written_against_a_known_seed_are_scattered_by_another() {
        let texts: Vec<String> = (0..1_000).map(|n| format!("/api/v1/{n:08}/orders/resource/")).collect();
        let count = |seed: Seed| {
            let hashes: std::collections::HashSet<u64> =
                texts.iter().map(|text| seed.hash(text.as_bytes(), 0)).collect();
            hashes.len()
        };
        let known = Seed { start: 3, step: u64::from_le_bytes(*b"/api/v1/"), last: 5 };
        assert_eq!(count(known), 1);
        assert_eq!(count(Seed::random()), texts.len());
    }

    proptest! {
        #[test]
        fn a_path_is_read_as_rules_say_and_its_beginnings_hash_like_texts(
            target in "[a/?#é]{0,40}|[a-c/]{0,200}[?#]?[a/]{0,9}",
            wanted in proptest::collection::vec(0..NOTED, 0..40),
        ) {
            let seed = Seed::random();
            let wanted = wanted.iter().fold(Places::default(), |mut all, place| {
                all.add(*place);
                all
            });
            let read = HashedPath::new(target.as_bytes(), seed, wanted);
            let path = target.split(['?', '#']).next().unwrap_or_default().as_bytes();
            prop_assert_eq!(read.path(), path);
            prop_assert_eq!(path_length(target.as_bytes()), path.len());
            for length in 0..=path.len() {
                let beginning = &path[..length];
                for mark in [0, 7] {
                    prop_assert_eq!(read.beginning(length, mark), Some((seed.hash(beginning, mark), beginning)));
                }
            }
            prop_assert_eq!(read.beginning(path.len() + 1, 0), None);
            let mut slashes = Places::default();
            path.iter().take(NOTED).enumerate().filter(|(_, byte)| **byte == b'/').for_each(|(place, _)| slashes.add(place));
            prop_assert_eq!(read.slashes().and(wanted), slashes.and(wanted));
            prop_assert_eq!(read.slashes().and(slashes), read.slashes());
        }
    }
}

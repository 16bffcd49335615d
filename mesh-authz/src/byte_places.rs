//! Where a byte stands in a text, found eight bytes at a time.

use smallvec::SmallVec;

const ONES: u64 = 0x0101_0101_0101_0101;
const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
/// Brings the lowest bits of eight bytes together in the highest byte, the first one lowest.
const GATHER: u64 = 0x0102_0408_1020_4080;

/// Calls with each place of `byte`, in order, until `visit` says that it has seen enough.
#[inline]
pub(crate) fn each(text: &[u8], byte: u8, mut visit: impl FnMut(usize) -> bool) {
    let (words, rest) = text.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let end = (!rest.is_empty()).then(|| last(text, rest));
    for (at, word) in words.chain(end).enumerate() {
        let mut found = equal(word, byte);
        while found != 0 {
            // Below eight.
            if !visit(at * 8 + (found.trailing_zeros() / 8) as usize) {
                return;
            }
            found &= found - 1;
        }
    }
}

/// The places of a byte in a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// A bit for each byte of the text.
    bits: SmallVec<[u64; 16]>,
}

impl Places {
    /// Where `byte` stands; at least the first `enough` of its places, where it has so many.
    #[inline]
    pub(crate) fn of(text: &[u8], byte: u8, enough: u32) -> Self {
        let (mut bits, mut seen) = (SmallVec::new(), 0);
        for block in text.chunks(64) {
            let (words, rest) = block.as_chunks::<8>();
            let found = |word: u64| (equal(word, byte) >> 7).wrapping_mul(GATHER) >> 56;
            let mut places = 0;
            for (at, word) in words.iter().enumerate() {
                places |= found(u64::from_le_bytes(*word)) << (8 * at);
            }
            if !rest.is_empty() {
                places |= found(last(block, rest)) << (8 * words.len());
            }
            bits.push(places);
            seen += places.count_ones();
            if seen >= enough {
                break;
            }
        }
        Self { bits }
    }

    /// From this place of the text on, ascending.
    #[inline]
    pub(crate) fn from(&self, start: u32) -> impl Iterator<Item = u32> {
        let first = start / 64;
        let mut blocks = (first..).zip(self.bits.get(first as usize..).unwrap_or_default());
        let (mut at, mut left) =
            blocks.next().map_or((0, 0), |(at, bits)| (at, bits & u64::MAX << (start % 64)));
        std::iter::from_fn(move || {
            while left == 0 {
                (at, left) = blocks.next().map(|(at, bits)| (at, *bits))?;
            }
            let place = at * 64 + left.trailing_zeros();
            left &= left - 1;
            Some(place)
        })
    }

    /// The same places from the last one back.
    #[inline]
    pub(crate) fn back_to(&self, start: u32) -> impl Iterator<Item = u32> {
        let mut blocks = self.bits.iter().rev();
        let (mut base, mut left) = (u32::try_from(self.bits.len() * 64).unwrap_or(u32::MAX), 0);
        std::iter::from_fn(move || {
            while left == 0 {
                left = *blocks.next()?;
                base = base.saturating_sub(64);
            }
            let last = 63 - left.leading_zeros();
            left ^= 1 << last;
            Some(base + last)
        })
        .take_while(move |place| *place >= start)
    }
}

/// The last bytes of a block that are no whole word, with nothing behind them.
#[inline]
fn last(block: &[u8], rest: &[u8]) -> u64 {
    match block.last_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word) >> (64 - 8 * rest.len()),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// What stands before the first of these two bytes, which are not 0; all of it where there is none.
#[inline]
pub(crate) fn before_either(text: &str, one: u8, other: u8) -> &str {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let first = |at: usize, word: u64| {
        let found = equal(word, one) | equal(word, other);
        (found != 0).then(|| at * 8 + (found.trailing_zeros() / 8) as usize)
    };
    let in_words = words.iter().enumerate().find_map(|(at, word)| first(at, u64::from_le_bytes(*word)));
    let in_rest = || if rest.is_empty() { None } else { first(words.len(), last(text.as_bytes(), rest)) };
    in_words.or_else(in_rest).and_then(|at| text.get(..at)).unwrap_or(text)
}

/// The highest bit of each byte that is this one.
fn equal(word: u64, byte: u8) -> u64 {
    let other = word ^ (ONES * u64::from(byte));
    !(((other & LOW) + LOW) | other | LOW)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_path_ends_where_query_or_fragment_begin(text in "[/a\u{af}?#]{0,30}") {
            let path = text.split_once('?').map_or(&*text, |(path, _)| path);
            let path = path.split_once('#').map_or(path, |(path, _)| path);
            prop_assert_eq!(super::before_either(&text, b'?', b'#'), path);
        }

        #[test]
        fn every_place_is_found(text in "[/a\u{af}\u{2f}.]{0,200}", start in 0u32..200, enough in 1u32..80) {
            let text = text.as_bytes();
            let all: Vec<u32> = (0..).zip(text).filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).collect();
            let behind: Vec<u32> = all.iter().copied().filter(|at| *at >= start).collect();
            let places = super::Places::of(text, b'/', u32::MAX);
            prop_assert_eq!(places.from(start).collect::<Vec<_>>(), &*behind);
            prop_assert_eq!(places.back_to(start).collect::<Vec<_>>(), behind.into_iter().rev().collect::<Vec<_>>());
            let mut each = Vec::new();
            super::each(text, b'/', |at| {
                each.push(at as u32);
                each.len() < enough as usize
            });
            prop_assert_eq!(&*each, &all[..all.len().min(enough as usize)]);
            let first: Vec<u32> = super::Places::of(text, b'/', enough).from(0).collect();
            prop_assert!(all.starts_with(&first) && first.len() >= all.len().min(enough as usize));
        }
    }
}

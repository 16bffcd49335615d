//! Where a byte stands in a text, found eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;

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

/// The last bytes of a text that are no whole word, with nothing behind them.
#[inline]
fn last(text: &[u8], rest: &[u8]) -> u64 {
    match text.last_chunk::<8>() {
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
        fn every_place_is_found(text in "[/a\u{af}\u{2f}.]{0,40}", most in 0usize..12) {
            let mut found = Vec::new();
            super::each(text.as_bytes(), b'/', |at| {
                found.push(at);
                found.len() < most
            });
            let wanted = text.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
            let wanted: Vec<usize> = wanted.take(most.max(1)).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}

//! Where the slashes of a text are, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// Calls with the place of each slash, in order, until `visit` says that it has seen enough.
#[inline]
pub(super) fn each(text: &[u8], mut visit: impl FnMut(usize) -> bool) {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let mut found = slashes(u64::from_le_bytes(*word));
        while found != 0 {
            // Below eight.
            let place = at * 8 + (found.trailing_zeros() / 8) as usize;
            if !visit(place) {
                return;
            }
            found &= found - 1;
        }
    }
    let before = words.len() * 8;
    for (at, _) in rest.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        if !visit(before + at) {
            return;
        }
    }
}

/// The highest bit of each byte that is a slash.
fn slashes(word: u64) -> u64 {
    let other = word ^ (ONES * b'/' as u64);
    !(((other & LOW) + LOW) | other | LOW)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_slash_is_found(text in "[/a\u{af}\u{2f}.]{0,40}", most in 0usize..12) {
            let mut found = Vec::new();
            super::each(text.as_bytes(), |at| {
                found.push(at);
                found.len() < most
            });
            let wanted = text.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
            let wanted: Vec<usize> = wanted.take(most.max(1)).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}

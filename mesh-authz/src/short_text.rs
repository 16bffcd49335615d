//! Comparing short texts without a call: most that are compared differ near their ends.

/// Whether both are the same bytes.
#[inline]
pub(crate) fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match (one.split_last_chunk::<8>(), other.split_last_chunk::<8>()) {
        (Some((before, end)), Some((other_before, other_end))) => {
            u64::from_ne_bytes(*end) == u64::from_ne_bytes(*other_end) && before == other_before
        }
        _ => few(one) == few(other),
    }
}

/// Whether the text begins so.
#[inline]
pub(crate) fn begins(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|part| equal(part, start))
}

/// At most seven bytes as a number; among texts of one length, no two have the same.
#[inline]
fn few(text: &[u8]) -> u64 {
    let four = |bytes: &[u8; 4]| u64::from(u32::from_ne_bytes(*bytes));
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        // The two overlap.
        (Some(first), Some(last)) => four(first) << 32 | four(last),
        _ => text.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_compares_as_slices_do(one in "[ab]{0,20}", other in "[ab]{0,20}") {
            let (one, other) = (one.as_bytes(), other.as_bytes());
            prop_assert!(super::equal(one, one));
            prop_assert_eq!(super::equal(one, other), one == other);
            prop_assert_eq!(super::begins(one, other), one.starts_with(other));
        }
    }
}

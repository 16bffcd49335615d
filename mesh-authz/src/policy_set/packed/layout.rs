//! How fields of a packed rule are laid out: what is usual has a form that few instructions read.

use std::net::Ipv4Addr;

use crate::short_text;

/// What a field looks at, and so what its values look like.
///
/// The first four have texts: a [`key`] each, then what each text has before its last six bytes.
pub(super) mod what {
    pub(in super::super) const IDENTITY: u8 = 0;
    pub(in super::super) const PATH: u8 = 1;
    pub(in super::super) const METHOD: u8 = 2;
    pub(in super::super) const SNI: u8 = 3;
    /// Blocks of IPv4: network and mask.
    pub(in super::super) const SOURCE_IP: u8 = 4;
    pub(in super::super) const REMOTE_IP: u8 = 5;
    pub(in super::super) const DESTINATION_IP: u8 = 6;
    /// Two bytes each.
    pub(in super::super) const PORT: u8 = 7;
    /// The number of an attribute, then values of any form (`op`).
    pub(in super::super) const OTHER: u8 = 8;
    /// Some texts are not exact values.
    pub(in super::super) const MIXED: u8 = 0x40;
    /// None of the values may fit.
    pub(in super::super) const NOT: u8 = 0x80;
}

/// What stands before the values of a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// How far it is from here to what is asked next where the field holds; the end of the rule: it matches.
    pub(super) then: u32,
    /// The same where it does not; 0: the rule does not match.
    pub(super) otherwise: u32,
    /// How many values.
    pub(super) count: u32,
    pub(super) what: u8,
}

impl Field {
    pub(super) fn write(self, code: &mut Vec<u8>) {
        code.extend(self.then.to_le_bytes());
        code.extend(self.otherwise.to_le_bytes());
        code.extend(self.count.to_le_bytes());
        code.push(self.what);
    }

    /// Says of a field that is written where to go on.
    pub(super) fn aim(code: &mut [u8], start: usize, then: u32, otherwise: u32) {
        if let Some(place) = code.get_mut(start..).and_then(<[u8]>::first_chunk_mut::<8>) {
            *place = (u64::from(otherwise) << 32 | u64::from(then)).to_le_bytes();
        }
    }

    /// With the values, and whatever follows them.
    #[inline(always)]
    pub(super) fn read(code: &[u8]) -> Option<(Self, &[u8])> {
        let ([then, otherwise, count], what, rest) = head(code)?;
        Some((Self { then, otherwise, count, what }, rest))
    }
}

/// Three numbers and a byte, with what follows: what a rule begins with, and what a field does.
#[inline(always)]
pub(super) fn head(code: &[u8]) -> Option<([u32; 3], u8, &[u8])> {
    let (two, rest) = code.split_first_chunk::<8>()?;
    let (third, rest) = rest.split_first_chunk::<4>()?;
    let (byte, rest) = rest.split_first()?;
    let two = u64::from_le_bytes(*two);
    // Either half.
    Some(([two as u32, (two >> 32) as u32, u32::from_le_bytes(*third)], *byte, rest))
}

/// The text is this.
pub(super) const EXACT: u64 = 0;
/// It begins so.
pub(super) const PREFIX: u64 = 1 << 62;
/// It ends so.
pub(super) const SUFFIX: u64 = 2 << 62;
/// The value has any form (`op`), and what follows is it. It counts as six bytes longer than it is.
pub(super) const ANY_FORM: u64 = 3 << 62;

/// Bytes of a text that are in its key.
const IN_KEY: usize = 6;

/// The longest text that has a key.
const LENGTH_MAX: usize = 0x3fff;

const LENGTH_AT: u32 = 48;

/// Length and last six bytes of a text; with one of the forms above it is what stands before a value. A text that is
/// too long gets one that no exact value has.
#[inline(always)]
pub(super) fn key(text: &[u8]) -> u64 {
    if text.len() > LENGTH_MAX {
        return ANY_FORM;
    }
    let tail = match text.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last) >> 16,
        None => few(text),
    };
    length_only(text.len()) | tail
}

fn length_only(length: usize) -> u64 {
    (length as u64) << LENGTH_AT
}

/// Appends a text that is to be compared in this form, unless it is too long: to keys, and to what stands behind them.
pub(super) fn write_text(keys: &mut Vec<u8>, rests: &mut Vec<u8>, form: u64, text: &[u8]) -> bool {
    keys.extend((key(text) | form).to_le_bytes());
    rests.extend(text.iter().take(in_rest(text.len())));
    text.len() <= LENGTH_MAX
}

/// The same for a value of any form.
pub(super) fn write_any_form(keys: &mut Vec<u8>, rests: &mut Vec<u8>, value: &[u8]) -> bool {
    let length = value.len() + IN_KEY;
    keys.extend((length_only(length) | ANY_FORM).to_le_bytes());
    rests.extend(value);
    length <= LENGTH_MAX
}

/// How many bytes of a text or value are not in its key.
#[inline(always)]
pub(super) fn in_rest(length: usize) -> usize {
    length.saturating_sub(IN_KEY)
}

#[inline(always)]
pub(super) fn length_of(key: u64) -> usize {
    // Fourteen bits.
    (key >> LENGTH_AT) as usize & LENGTH_MAX
}

#[inline(always)]
pub(super) fn form_of(key: u64) -> u64 {
    key & ANY_FORM
}

/// The last six of at most seven bytes.
#[inline(always)]
fn few(text: &[u8]) -> u64 {
    let four = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let all = four(first) | four(last) << (8 * (text.len() - 4));
            if text.len() > IN_KEY { all >> 8 } else { all }
        }
        _ => text.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

/// Whether a text is the one with this key that has `before` before its last six bytes.
#[inline(always)]
pub(super) fn is_text(text: &[u8], form: u64, wanted: u64, before: &[u8]) -> bool {
    key(text) | form == wanted && is_before(text, before)
}

/// Whether a text with the right length and end begins so.
#[inline(always)]
pub(super) fn is_before(text: &[u8], before: &[u8]) -> bool {
    text.get(..before.len()).is_some_and(|part| short_text::equal(part, before))
}

/// A block of IPv4 addresses as eight bytes.
pub(super) fn block(network: Ipv4Addr, prefix_bits: u8) -> [u8; 8] {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix_bits.min(32))).unwrap_or(0);
    (u64::from(mask) << 32 | u64::from(network.to_bits())).to_le_bytes()
}

#[inline(always)]
pub(super) fn is_in_block(address: u32, block: [u8; 8]) -> bool {
    let block = u64::from_le_bytes(block);
    // The mask is the upper half, the network the lower one.
    address & (block >> 32) as u32 == block as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_found_by_its_key_and_its_start(one in "[ab]{0,20}", other in "[ab]{0,20}") {
            let wanted = other.as_bytes();
            let before = &wanted[..in_rest(wanted.len())];
            prop_assert_eq!(is_text(one.as_bytes(), SUFFIX, key(wanted) | SUFFIX, before), one == other);
            prop_assert!(is_text(wanted, EXACT, key(wanted), before));
            prop_assert_eq!(length_of(key(wanted)), wanted.len());
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_no_exact_value() {
        let text = vec![b'a'; LENGTH_MAX + 1];
        assert_eq!((form_of(key(&text)), form_of(key(&text[1..]))), (ANY_FORM, EXACT));
    }
}

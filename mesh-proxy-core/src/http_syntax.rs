//! Small questions about HTTP text that several stages ask.

use std::borrow::Cow;
use std::net::Ipv4Addr;

/// Lower case; borrows where it already is.
pub(crate) fn lower_case(text: &str) -> Cow<'_, str> {
    // Every byte is looked at, many in one step.
    if text.bytes().fold(false, |any, byte| any | byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether all bytes are visible ASCII characters. Eight of them are looked at in one step: every header of every
/// request comes by here.
pub(crate) fn is_graphic(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let odd = words.iter().fold(0, |odd, word| {
        let word = u64::from_ne_bytes(*word);
        // Bytes below `!`, the byte of `DEL`, and bytes that are not ASCII.
        odd | below(word, b'!') | below(word ^ DELETE, 1) | word
    });
    odd & HIGH == 0 && rest.iter().all(u8::is_ascii_graphic)
}

/// Whether no byte is below a space. What is, is looked at again, one by one.
pub(crate) fn is_above_controls(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let odd = words.iter().fold(0, |odd, word| odd | below(u64::from_ne_bytes(*word), b' '));
    odd & HIGH == 0 && rest.iter().all(|byte| *byte >= b' ')
}

/// Whether all bytes are ASCII and none is a control character.
#[cfg(feature = "runtime")]
pub(crate) fn is_printable(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let odd = words.iter().fold(0, |odd, word| {
        let word = u64::from_ne_bytes(*word);
        odd | below(word, b' ') | below(word ^ DELETE, 1) | word
    });
    odd & HIGH == 0 && rest.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Whether all bytes may be in the value of a header: printable, tabs or obs-text (RFC 9110, 5.5).
#[cfg(feature = "runtime")]
pub(crate) fn is_field_value(bytes: &[u8]) -> bool {
    let is_good = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    let (words, rest) = bytes.as_chunks::<8>();
    let odd = words.iter().fold(0, |odd, word| {
        let word = u64::from_ne_bytes(*word);
        odd | below(word, b' ') | below(word ^ DELETE, 1)
    });
    // Tabs are rare.
    if odd & HIGH == 0 { rest.iter().all(is_good) } else { bytes.iter().all(is_good) }
}

/// Where a byte is first.
#[cfg(feature = "runtime")]
pub(crate) fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        // The lowest is exact, those above it need not be.
        let found = below(u64::from_le_bytes(*word) ^ (ONES * u64::from(wanted)), 1) & HIGH;
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    bytes.get(at..)?.iter().position(|byte| *byte == wanted).map(|found| at + found)
}

const DELETE: u64 = ONES * 0x7f;
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// The highest bits of bytes below a limit (at most 128); exact as to whether there is any.
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(limit)) & !word
}

/// An IPv4 address as text, without the machinery of formatting: every request at an edge is told of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ipv4Text {
    bytes: [u8; 15],
    length: usize,
}

impl Ipv4Text {
    pub(crate) fn of(ip: Ipv4Addr) -> Self {
        let mut bytes = [0; 15];
        let mut places = bytes.iter_mut();
        let mut length = 0;
        let mut put = |byte: u8| {
            if let Some(place) = places.next() {
                *place = byte;
                length += 1;
            }
        };
        for (at, octet) in ip.octets().into_iter().enumerate() {
            if at > 0 {
                put(b'.');
            }
            if octet >= 100 {
                put(b'0' + octet / 100);
            }
            if octet >= 10 {
                put(b'0' + octet / 10 % 10);
            }
            put(b'0' + octet % 10);
        }
        Self { bytes, length }
    }

    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

/// A byte of a token: of methods and names of headers (RFC 9110, 5.6.2).
#[cfg(feature = "runtime")]
pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).is_some_and(|is_token| *is_token)
}

#[cfg(feature = "runtime")]
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        #[expect(
            clippy::indexing_slicing,
            reason = "there is no other way while compiling, and it is below the length"
        )]
        {
            table[byte] = is_token_letter(byte as u8);
        }
        byte += 1;
    }
    table
};

#[cfg(feature = "runtime")]
const fn is_token_letter(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    ) || byte.is_ascii_alphanumeric()
}

/// A method that the HTTP/1 codec takes: any but those with lower-case letters (E-089).
pub(crate) fn is_http1_method(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn looking_at_eight_bytes_finds_what_looking_at_one_does(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(is_graphic(&bytes), bytes.iter().all(u8::is_ascii_graphic));
            prop_assert_eq!(is_above_controls(&bytes), bytes.iter().all(|byte| *byte >= b' '));
        }

        #[cfg(feature = "runtime")]
        #[test]
        fn a_byte_is_found_where_it_is_first(
            bytes in prop::collection::vec(prop::sample::select(vec![0_u8, 9, 10, 11, 31, 32, 126, 127, 128, 138, 255]), 0..40)
        ) {
            for wanted in [0, 10, 32, 128, 255] {
                prop_assert_eq!(find(&bytes, wanted), bytes.iter().position(|byte| *byte == wanted));
            }
            let is_good = |byte: &u8| *byte == 9 || (*byte >= 32 && *byte != 127);
            prop_assert_eq!(is_field_value(&bytes), bytes.iter().all(is_good));
            prop_assert_eq!(is_printable(&bytes), bytes.iter().all(|byte| (32..127).contains(byte)));
        }

        #[test]
        fn addresses_are_written_as_the_standard_library_does(octets in any::<[u8; 4]>(), small in any::<[bool; 4]>()) {
            let mut octets = octets;
            octets.iter_mut().zip(small).filter(|(_, small)| *small).for_each(|(octet, _)| *octet %= 12);
            let ip = Ipv4Addr::from(octets);
            let text = Ipv4Text::of(ip);
            prop_assert_eq!(text.as_str(), ip.to_string());
        }

        #[test]
        fn one_odd_byte_is_found_wherever_it_is(length in 1_usize..40, at in 0_usize..40, odd in any::<u8>()) {
            let mut bytes = vec![b'a'; length];
            bytes[at % length] = odd;
            #[cfg(feature = "runtime")]
            {
                prop_assert_eq!(is_printable(&bytes), (32..127).contains(&odd));
                prop_assert_eq!(is_field_value(&bytes), odd == 9 || (odd >= 32 && odd != 127));
                prop_assert_eq!(is_token_byte(odd), is_token_letter(odd));
            }
            prop_assert_eq!(is_graphic(&bytes), odd.is_ascii_graphic());
            prop_assert_eq!(is_above_controls(&bytes), odd >= b' ');
        }
    }
}

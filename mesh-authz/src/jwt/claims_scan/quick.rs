//! The short road for ordinary tokens: plain ASCII without escapes, whole numbers, few names, no name twice.
//!
//! It reads what it is certain of. Of anything else, wrong or merely unusual, it says nothing, and the JSON reader, which
//! is its oracle, has the word.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::Claim;
use crate::short_text;

/// Deeper values are left to the other reader.
const DEPTH_MAX: usize = 8;

/// Objects with more names are.
const NAMES_MAX: usize = 24;

/// The same as `scan`; `None`: not certain.
pub(super) fn scan<'t, const N: usize>(text: &'t [u8], names: &[&str; N]) -> Option<[Option<Claim<'t>>; N]> {
    let mut reader = Reader { rest: text };
    let mut found = std::array::from_fn(|_| None);
    reader.expect(b'{')?;
    let mut seen = Seen::default();
    reader.members(|reader, name| {
        seen.add(name)?;
        let place = names.iter().position(|known| short_text::equal(known.as_bytes(), name));
        match place.and_then(|place| found.get_mut(place)) {
            Some(found) => *found = Some(reader.claim()?),
            None => reader.skip(DEPTH_MAX)?,
        }
        Some(())
    })?;
    reader.blank();
    reader.rest.is_empty().then_some(found)
}

/// Names of one object.
#[derive(Default)]
struct Seen<'t> {
    names: SmallVec<[&'t [u8]; NAMES_MAX]>,
    /// A bit for each of them, by length and first byte: most names need not be compared.
    marks: u64,
}

impl<'t> Seen<'t> {
    /// `None`: the name was there before, or there are too many.
    fn add(&mut self, name: &'t [u8]) -> Option<()> {
        let first = name.first().map_or(0, |byte| usize::from(*byte));
        let mark = 1 << ((first + name.len() * 7) % 64);
        let is_known =
            self.marks & mark != 0 && self.names.iter().any(|known| short_text::equal(known, name));
        if is_known || self.names.len() >= NAMES_MAX {
            return None;
        }
        self.marks |= mark;
        self.names.push(name);
        Some(())
    }
}

/// What is still to be read. Every answer `None` means: not certain.
struct Reader<'t> {
    rest: &'t [u8],
}

impl<'t> Reader<'t> {
    fn peek(&mut self) -> Option<u8> {
        match self.rest.first() {
            Some(byte) if *byte > b' ' => Some(*byte),
            _ => {
                self.blank();
                self.rest.first().copied()
            }
        }
    }

    fn blank(&mut self) {
        while let Some((b' ' | b'\t' | b'\n' | b'\r', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
    }

    fn step(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.step())
    }

    /// The members of an object, behind its brace, and the closing one.
    fn members(&mut self, mut read: impl FnMut(&mut Self, &'t [u8]) -> Option<()>) -> Option<()> {
        if self.peek()? == b'}' {
            self.step();
            return Some(());
        }
        loop {
            let name = self.text()?;
            self.expect(b':')?;
            read(self, name)?;
            if self.more(b'}')? {
                continue;
            }
            return Some(());
        }
    }

    /// A comma, or the end of the object or list.
    fn more(&mut self, end: u8) -> Option<bool> {
        let next = self.peek()?;
        let more = next == b',';
        (more || next == end).then(|| {
            self.step();
            more
        })
    }

    /// A text without escapes; it is ASCII.
    fn text(&mut self) -> Option<&'t [u8]> {
        self.expect(b'"')?;
        let length = plain_length(self.rest);
        let (text, rest) = self.rest.split_at_checked(length)?;
        match rest.split_first() {
            Some((b'"', rest)) => {
                self.rest = rest;
                Some(text)
            }
            _ => None,
        }
    }

    /// Digits without a leading zero, few enough for 64 bits.
    fn number(&mut self) -> Option<u64> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at_checked(count)?;
        let is_plain = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && count <= 18;
        if !is_plain || matches!(rest.first(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.rest = rest;
        Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    }

    fn word(&mut self) -> Option<()> {
        let words = [b"true".as_slice(), b"false", b"null"];
        self.rest = words.iter().find_map(|word| self.rest.strip_prefix(*word))?;
        Some(())
    }

    /// A value that is looked at.
    fn claim(&mut self) -> Option<Claim<'t>> {
        Some(match self.peek()? {
            b'"' => Claim::Text(self.owned_text()?),
            b'0'..=b'9' => {
                let number = self.number()?;
                Claim::Number(number as f64, Some(number))
            }
            b'[' => {
                self.step();
                let mut texts = SmallVec::new();
                if self.peek()? == b']' {
                    self.step();
                    return Some(Claim::Texts(texts));
                }
                loop {
                    texts.push(self.owned_text()?);
                    if !self.more(b']')? {
                        break Claim::Texts(texts);
                    }
                }
            }
            _ => {
                self.skip(DEPTH_MAX)?;
                Claim::Other
            }
        })
    }

    fn owned_text(&mut self) -> Option<Cow<'t, str>> {
        std::str::from_utf8(self.text()?).ok().map(Cow::Borrowed)
    }

    /// A value that is read past.
    fn skip(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            b'"' => self.text().map(drop),
            b'0'..=b'9' => self.number().map(drop),
            b'{' => {
                self.step();
                let mut seen = Seen::default();
                self.members(|reader, name| {
                    seen.add(name)?;
                    reader.skip(depth)
                })
            }
            b'[' => {
                self.step();
                if self.peek()? == b']' {
                    self.step();
                    return Some(());
                }
                loop {
                    self.skip(depth)?;
                    if !self.more(b']')? {
                        return Some(());
                    }
                }
            }
            _ => self.word(),
        }
    }
}

/// How many bytes are neither a quote, a backslash, a control character nor beyond ASCII; eight at a time.
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let odd = (word | control | is_zero(word ^ (ONES * 0x22)) | is_zero(word ^ (ONES * 0x5c))) & HIGH;
        if odd != 0 {
            // A borrow can only spoil bytes behind the first that is odd.
            return at * 8 + (odd.trailing_zeros() / 8) as usize;
        }
    }
    let is_plain = |byte: &&u8| (0x20..0x80).contains(*byte) && **byte != b'"' && **byte != b'\\';
    words.len() * 8 + rest.iter().take_while(is_plain).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::scan_slowly;
    use super::{plain_length, scan};

    const NAMES: [&str; 3] = ["a", "exp", "aud"];

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "[ -~\u{e4}]{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap_or_default()),
            any::<u64>().prop_map(|number| number.to_string()),
            Just("1700000000".to_owned()),
            Just("-1.5e3".to_owned()),
            Just("01".to_owned()),
            Just("true".to_owned()),
            Just("null".to_owned()),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let blank = prop_oneof![4 => Just(""), 1 => Just(" \n")];
            prop_oneof![
                (proptest::collection::vec(inner.clone(), 0..4), blank.clone())
                    .prop_map(|(items, blank)| format!("[{blank}{}{blank}]", items.join(","))),
                proptest::collection::vec(("[abc]|exp|aud", inner), 0..5).prop_map(|members| {
                    let members: Vec<_> =
                        members.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_it_says_is_what_the_json_reader_says(text in json(), cut in 0usize..400) {
            for text in [&*text, text.get(..cut).unwrap_or(&text)] {
                if let Some(found) = scan(text.as_bytes(), &NAMES) {
                    prop_assert_eq!(Some(found), scan_slowly(text.as_bytes(), &NAMES), "{}", text);
                }
            }
        }

        #[test]
        fn soup_too(text in r#"[\[\]{}":, a1e.\-\\utrfalsn]{0,24}"#) {
            if let Some(found) = scan(text.as_bytes(), &NAMES) {
                prop_assert_eq!(Some(found), scan_slowly(text.as_bytes(), &NAMES));
            }
        }

        #[test]
        fn plain_bytes_are_counted(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let odd = |byte: &u8| !(0x20..0x80).contains(byte) || *byte == b'"' || *byte == b'\\';
            prop_assert_eq!(plain_length(&text), text.iter().position(odd).unwrap_or(text.len()));
        }
    }

    #[test]
    fn ordinary_claims_take_it() {
        let text = br#"{"iss":"i","aud":["x","y"],"exp":1700000000,"tenant":{"id":"t","on":true},"a":null}"#;
        assert!(scan(text, &NAMES).is_some());
        for odd in [r#"{"a":"\u0041"}"#, r#"{"a":1,"a":2}"#, r#"{"exp":1.5}"#, r#"{"a":1}x"#, r#"[1]"#, ""] {
            assert!(scan(odd.as_bytes(), &NAMES).is_none(), "{odd}");
        }
    }
}

//! Bytes to documents' texts: encodings refused, the stream split at its `---` lines.

use std::ops::Range;

use crate::document::Span;

/// One document's bytes and where they start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Offset of the first byte in the file.
    pub offset: usize,
    /// Line of the first byte, from 1.
    pub line: usize,
}

/// Where a chunk stands, small since a text may have hundreds of thousands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    start: u32,
    end: u32,
    line: u32,
}

impl Cut {
    /// The chunk of the input.
    pub(super) fn of(self, bytes: &[u8]) -> Chunk<'_> {
        let (start, end) = (self.start as usize, self.end as usize);
        Chunk { bytes: bytes.get(start..end).unwrap_or_default(), offset: start, line: self.line as usize }
    }

    /// The place where it starts.
    #[cfg(feature = "yaml")]
    pub(super) fn start(self) -> Span {
        Span { start: self.start, end: self.start, line: self.line, column: 1 }
    }
}

/// What a whole input is when it is no UTF-8 text at all.
pub(super) fn refused_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some("the text is UTF-32, not UTF-8"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some("the text is UTF-16, not UTF-8"),
        [0, 0, 0, 1..=255, ..] | [1..=255, 0, 0, 0, ..] => {
            return Some("the text looks like UTF-32, not UTF-8");
        }
        [0, 1..=255, 0, 1..=255, ..] | [1..=255, 0, 1..=255, 0, ..] => {
            return Some("the text looks like UTF-16, not UTF-8");
        }
        _ => {}
    }
    // A stray NUL spoils one document; many odd bytes mean that the file is no text.
    let sample = bytes.get(..4096).unwrap_or(bytes);
    let odd = sample.iter().filter(|byte| matches!(byte, 0..=8 | 0x0e..=0x1f | 0x7f)).count();
    (odd >= 8 && odd * 20 > sample.len()).then_some("the file holds binary data, not text")
}

/// Splits at lines that start with `---` or `...`: nothing in YAML may contain such a line, so every piece stands alone and a
/// broken one leaves the others readable. Directives stay with the document they precede.
pub(super) fn split(bytes: &[u8]) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let (mut start, mut start_line) = (0, 1);
    let mut directives = false;
    let mut blank = true;
    let mut line = 1;
    let cut = |start, end, line| Cut { start: narrow(start), end: narrow(end), line: narrow(line) };
    for range in lines(bytes) {
        let text = bytes.get(range.clone()).unwrap_or_default();
        line += 1;
        if is_marker(text, b"---") {
            if !directives && range.start > 0 {
                cuts.push(cut(start, range.start, start_line));
                (start, start_line) = (range.start, line - 1);
            }
            directives = false;
            blank = false;
        } else if is_marker(text, b"...") {
            cuts.push(cut(start, range.end, start_line));
            (start, start_line) = (range.end, line);
            directives = false;
            blank = true;
        } else if blank && text.starts_with(b"%") {
            directives = true;
        } else if blank && !matches!(text.trim_ascii_start(), [] | [b'#', ..]) {
            blank = false;
            directives = false;
        }
    }
    cuts.push(cut(start, bytes.len(), start_line));
    cuts
}

/// A line that starts with a document marker, which a blank or the line's end must follow.
fn is_marker(line: &[u8], marker: &[u8]) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.first().is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')))
}

/// The lines with their breaks; `\n`, `\r\n` and `\r` break.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let length = match find(rest, *b"\n\r") {
            Some(at) if rest.get(at..at + 2) == Some(b"\r\n") => at + 2,
            Some(at) => at + 1,
            None => rest.len(),
        };
        let range = start..start + length;
        start += length;
        Some(range)
    })
}

/// Where the first of some bytes stands, found eight bytes at a time.
///
/// A byte is zero just where subtracting one borrows from its top bit; the lowest such byte is always a true one
/// (Hacker's Delight, 6-1).
#[inline]
pub(super) fn find<const N: usize>(bytes: &[u8], wanted: [u8; N]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    let patterns = wanted.map(|byte| u64::from(byte) * ONES);
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zeros = |other: u64| other.wrapping_sub(ONES) & !other & TOPS;
        let found = patterns.iter().fold(0, |found, pattern| found | zeros(word ^ pattern));
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| wanted.contains(byte))?;
    Some(words.len() * 8 + at)
}

/// Text, or what is wrong with the bytes and where.
pub(super) fn decode<'a>(chunk: &Chunk<'a>) -> Result<&'a str, (String, Span)> {
    let text = match std::str::from_utf8(chunk.bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = chunk.bytes.get(..error.valid_up_to()).unwrap_or_default();
            let good = std::str::from_utf8(good).unwrap_or_default();
            return Err(("the text is not valid UTF-8".to_owned(), place_after(good, chunk)));
        }
    };
    // Without a branch per byte, so that many are looked at together.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t');
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        return Ok(text);
    }
    match text.char_indices().find(|(_, character)| is_refused(*character)) {
        Some((at, character)) => {
            let before = text.get(..at).unwrap_or_default();
            let message = format!("the character U+{:04X} may not stand in YAML text", u32::from(character));
            Err((message, place_after(before, chunk)))
        }
        None => Ok(text),
    }
}

/// Characters outside YAML's printable set.
fn is_refused(character: char) -> bool {
    matches!(character,
        '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}'
        | '\u{fffe}' | '\u{ffff}')
}

pub(super) fn place_after(before: &str, chunk: &Chunk<'_>) -> Span {
    // A long text may have hundreds of findings: what is counted is counted many bytes at a time.
    let bytes = before.as_bytes();
    let count = |wanted: u8| bytes.iter().filter(|byte| **byte == wanted).count();
    let mut breaks = count(b'\n');
    if bytes.contains(&b'\r') {
        breaks += count(b'\r') - bytes.windows(2).filter(|pair| pair == b"\r\n").count();
    }
    let line_start = bytes.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
    let column = before.get(line_start..).map_or(0, |text| text.chars().count()) + 1;
    let start = chunk.offset + before.len();
    let line = narrow(chunk.line + breaks);
    Span { start: narrow(start), end: narrow(start), line, column: narrow(column) }
}

/// Offsets and lines as `Span` keeps them; texts beyond 4 GiB are refused before.
pub(super) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_byte_is_found(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(11), Just(0x8a), any::<u8>()], 0..40)) {
            let slow = |wanted: &[u8]| bytes.iter().position(|byte| wanted.contains(byte));
            prop_assert_eq!(find(&bytes, *b"\n"), slow(b"\n"));
            prop_assert_eq!(find(&bytes, *b"\n\r"), slow(b"\n\r"));
            prop_assert_eq!(find(&bytes, [b'\n', 0, 0xff]), slow(&[b'\n', 0, 0xff]));
        }
    }
}
